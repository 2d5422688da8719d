#include <cstring>

#include "../common/convert.h"
#include "../common/half_rows.h"
#include "../common/strided.h"
#include "fill_twins.h"

namespace percale::cpu {
namespace {

constexpr int64_t grain = 32768;

template <class T>
void fill_row(T* target, int64_t step, int64_t count, T value) {
  if (step == 1) {
    std::fill_n(target, count, value);
  } else {
    for (int64_t i = 0; i < count; ++i) target[i * step] = value;
  }
}

template <class From, class To>
void copy_row(const From* source, int64_t from_step, To* target, int64_t to_step, int64_t count) {
  if (from_step == 1 && to_step == 1) {
    if constexpr (std::is_same_v<To, float> && sizeof(From) == 2)
      floats_of(source, target, static_cast<size_t>(count));
    else if constexpr (std::is_same_v<From, float> && sizeof(To) == 2)
      rounded_floats(source, target, static_cast<size_t>(count));
    else
      for (int64_t i = 0; i < count; ++i) target[i] = convert_to<To>(source[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) target[i * to_step] = convert_to<To>(source[i * from_step]);
  }
}

}  // namespace

void fill(const Tensor& target, double value) {
  const auto walk = strided_walk<1>(target.shape(), {target.strides()});
  visit(target.dtype(), [&]<class T>() {
    T* data = target.data<T>();
    const T converted = convert_to<T>(value);
    for_each_row(walk, grain, [&](auto offsets, auto steps, int64_t count) {
      fill_row(data + offsets[0], steps[0], count, converted);
    });
  });
}

void copy(const Tensor& source, const Tensor& target) {
  const auto walk = strided_walk<2>(target.shape(), {target.strides(), source.strides()});
  if (source.dtype() == target.dtype() && walk.is_dense()) {
    const size_t width = size_of(source.dtype());
    const auto* from = static_cast<const char*>(source.data());
    auto* to = static_cast<char*>(target.data());
    parallel_for(walk.count, grain * 4, [&](int64_t begin, int64_t end) {
      std::memcpy(to + begin * width, from + begin * width, static_cast<size_t>(end - begin) * width);
    });
    return;
  }
  visit(source.dtype(), [&]<class From>() {
    visit(target.dtype(), [&]<class To>() {
      const From* from = source.data<From>();
      To* to = target.data<To>();
      for_each_row(walk, grain, [&](auto offsets, auto steps, int64_t count) {
        copy_row(from + offsets[1], steps[1], to + offsets[0], steps[0], count);
      });
    });
  });
}

void add_into(const Tensor& target, const Tensor& addend) {
  const auto walk = strided_walk<2>(target.shape(), {target.strides(), addend.strides()});
  visit(target.dtype(), [&]<class T>() {
    T* sum = target.data<T>();
    const T* more = addend.data<T>();
    for_each_row(walk, grain, [&](auto offsets, auto steps, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        T& element = sum[offsets[0] + i * steps[0]];
        element = convert_to<T>(static_cast<compute_t<T>>(element) +
                                static_cast<compute_t<T>>(more[offsets[1] + i * steps[1]]));
      }
    });
  });
}

}  // namespace percale::cpu
