// The CPU's elementwise functions: blocks of converted operands, one dense loop a function over them.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/elementwise/elementwise_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "../common/convert.h"
#include "../common/half_rows.h"
#include "../common/strided.h"
#include "../common/vector_math-inl.h"
#include "elementwise_scalar.h"
#include "elementwise_twins.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using elementwise::Apply;
using elementwise::Function;

template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_argument(D t, V a) {
  const V inner = hn::MulAdd(hn::Mul(hn::Mul(a, a), hn::Set(t, 0.044715f)), a, a);
  return hn::Mul(hn::Set(t, 0.79788456f), inner);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_tanh_slope(D t, V a) {
  const V one = hn::Set(t, 1.0f), half = hn::Set(t, 0.5f), bent = simd::tanh(t, gelu_argument(t, a));
  const V inner = hn::Mul(hn::Set(t, 0.79788456f), hn::MulAdd(hn::Mul(a, a), hn::Set(t, 3 * 0.044715f), one));
  const V bend = hn::Mul(hn::Mul(half, a), hn::Mul(hn::NegMulAdd(bent, bent, one), inner));
  return hn::MulAdd(half, hn::Add(one, bent), bend);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V clamped(D, V a, V low, V high) {
  const V raised = hn::IfThenElse(hn::Lt(a, low), low, a);
  return hn::IfThenElse(hn::Gt(raised, high), high, raised);
}

#define NUMERIC(name, operands, scalar, vector)                                                                     \
  struct name##_body {                                                                                              \
    template <class D, class V>                                                                                     \
    HWY_INLINE V operator()([[maybe_unused]] D t, [[maybe_unused]] V a, [[maybe_unused]] V b, [[maybe_unused]] V c, \
                            [[maybe_unused]] V d) const {                                                           \
      return vector;                                                                                                \
    }                                                                                                               \
  };
#define REAL NUMERIC
#include "elementwise_table.inc"
#undef NUMERIC

void apply_floats(Function function, const float* const* in, float* out, size_t count) {
  switch (function) {
#define NUMERIC(name, operands, scalar, vector) \
  case Function::name:                          \
    return for_each_vector<operands>(in, out, count, name##_body{});
#include "elementwise_table.inc"
#undef NUMERIC
  }
}

template <Function function, class T>
HWY_INLINE void for_each_scalar(const T* const* in, T* out, size_t count) {
  constexpr int operands = elementwise::operands_of(function);
  for (size_t i = 0; i < count; ++i) {
    const T a = in[0][i];
    out[i] = Apply<function>::to(a, operands > 1 ? in[operands > 1 ? 1 : 0][i] : a,
                                 operands > 2 ? in[operands > 2 ? 2 : 0][i] : a,
                                 operands > 3 ? in[operands > 3 ? 3 : 0][i] : a);
  }
}

void apply_doubles(Function function, const double* const* in, double* out, size_t count) {
  switch (function) {
#define NUMERIC(name, operands, scalar, vector) \
  case Function::name:                          \
    return for_each_scalar<Function::name>(in, out, count);
#include "elementwise_table.inc"
#undef NUMERIC
#undef REAL
  }
}

void apply_integers(Function function, const int64_t* const* in, int64_t* out, size_t count) {
  switch (function) {
#define NUMERIC(name, operands, scalar, vector) \
  case Function::name:                          \
    return for_each_scalar<Function::name>(in, out, count);
#define REAL(name, operands, scalar, vector)
#include "elementwise_table.inc"
#undef NUMERIC
#undef REAL
    default:
      return;  // functions of reals: their operands were converted
  }
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(apply_floats);
HWY_EXPORT(apply_doubles);
HWY_EXPORT(apply_integers);

namespace {

using elementwise::Function;
using elementwise::max_operands;
using elementwise::Source;

constexpr int64_t grain = 16384;
constexpr int64_t block = 1024;
using Walk = StridedWalk<max_operands + 1>;

/// Calls `row(offset, step, first, count)` for the runs of `operand` between elements begin and begin + count of the
/// walk.
template <class Row>
void for_rows(const Walk& walk, int operand, int64_t begin, int64_t count, Row row) {
  if (walk.rank == 0) return row(int64_t{0}, int64_t{0}, int64_t{0}, count);
  const int inner = walk.rank - 1;
  int64_t position[Shape::max_rank], offset = 0, rest = begin;
  for (int dim = inner; dim >= 0; --dim) {
    position[dim] = rest % walk.extents[dim];
    rest /= walk.extents[dim];
    offset += position[dim] * walk.strides[operand][dim];
  }
  for (int64_t done = 0; done < count;) {
    const int64_t length = std::min(walk.extents[inner] - position[inner], count - done);
    row(offset, walk.strides[operand][inner], done, length);
    done += length;
    offset -= position[inner] * walk.strides[operand][inner];
    position[inner] = 0;
    for (int dim = inner - 1; dim >= 0; --dim) {
      offset += walk.strides[operand][dim];
      if (++position[dim] < walk.extents[dim]) break;
      offset -= walk.extents[dim] * walk.strides[operand][dim];
      position[dim] = 0;
    }
  }
}

template <class From, class To>
void convert_row(const From* from, int64_t from_step, To* to, int64_t to_step, int64_t count) {
  constexpr bool widens = std::is_same_v<To, float> && sizeof(From) == 2,
                 narrows = std::is_same_v<From, float> && sizeof(To) == 2;
  if (from_step == 1 && to_step == 1) {
    if constexpr (widens)
      floats_of(from, to, static_cast<size_t>(count));
    else if constexpr (narrows)
      rounded_floats(from, to, static_cast<size_t>(count));
    else
      for (int64_t i = 0; i < count; ++i) to[i] = convert_to<To>(from[i]);
  } else if (from_step == 0 && to_step == 1) {
    std::fill_n(to, count, convert_to<To>(*from));
  } else {
    for (int64_t i = 0; i < count; ++i) to[i * to_step] = convert_to<To>(from[i * from_step]);
  }
}

template <class T>
void gather(const Walk& walk, int operand, const Tensor& from, int64_t begin, int64_t count, T* to) {
  visit(from.dtype(), [&]<class From>() {
    const From* data = from.data<From>();
    for_rows(walk, operand, begin, count, [&](int64_t offset, int64_t step, int64_t first, int64_t length) {
      convert_row(data + offset, step, to + first, 1, length);
    });
  });
}

template <class T>
void scatter(const Walk& walk, const T* from, int64_t begin, int64_t count, const Tensor& to) {
  visit(to.dtype(), [&]<class To>() {
    To* data = to.data<To>();
    for_rows(walk, 0, begin, count, [&](int64_t offset, int64_t step, int64_t first, int64_t length) {
      convert_row(from + first, 1, data + offset, step, length);
    });
  });
}

/// How an operand reaches the loop: from where it lies, through a buffer, or as one repeated number.
enum class Way { direct, buffered, constant };

Way way_of(const Walk& walk, int operand, bool same_dtype) {
  bool constant = true, linear = true;
  for (int64_t dim = walk.rank - 1, expected = 1; dim >= 0; expected *= walk.extents[dim--]) {
    constant = constant && walk.strides[operand][dim] == 0;
    linear = linear && walk.strides[operand][dim] == expected;
  }
  if (linear && same_dtype) return Way::direct;
  return constant ? Way::constant : Way::buffered;
}

Walk walk_over(std::span<const Source> sources, const Tensor& out) {
  std::array<Strides, max_operands + 1> strides;
  strides[0] = out.strides();
  for (int k = 0; k < max_operands; ++k) {
    const bool is_tensor = k < std::ssize(sources) && sources[k].tensor;
    strides[k + 1] = is_tensor ? sources[k].strides : Shape::filled(out.rank(), 0);
  }
  return strided_walk<max_operands + 1>(out.shape(), strides);
}

template <class T>
void apply_as(Function function, std::span<const Source> sources, const Tensor& out,
              void (*run)(Function, const T* const*, T*, size_t)) {
  const Walk walk = walk_over(sources, out);
  const int operands = static_cast<int>(sources.size());
  Way ways[max_operands + 1];
  ways[max_operands] = way_of(walk, 0, out.dtype() == dtype_of<T>) == Way::direct ? Way::direct : Way::buffered;
  bool whole = ways[max_operands] == Way::direct;
  for (int k = 0; k < operands; ++k) {
    const bool same_dtype = sources[k].tensor && sources[k].tensor->dtype() == dtype_of<T>;
    ways[k] = way_of(walk, k + 1, same_dtype);
    whole = whole && ways[k] == Way::direct;
  }
  parallel_for(walk.count, grain, [&](int64_t begin, int64_t end) {
    HWY_ALIGN T buffers[max_operands + 1][block];
    const T* in[max_operands];
    const int64_t most = whole ? end - begin : std::min(block, end - begin);
    for (int k = 0; k < operands; ++k) {
      in[k] = buffers[k];
      if (ways[k] != Way::constant) continue;
      if (sources[k].tensor)
        gather(walk, k + 1, *sources[k].tensor, begin, 1, buffers[k]);
      else
        buffers[k][0] = std::is_integral_v<T> ? static_cast<T>(sources[k].integer) : static_cast<T>(sources[k].real);
      std::fill_n(buffers[k] + 1, most - 1, buffers[k][0]);
    }
    for (int64_t at = begin; at < end; at += most) {
      const int64_t count = std::min(most, end - at);
      for (int k = 0; k < operands; ++k) {
        if (ways[k] == Way::direct)
          in[k] = sources[k].tensor->data<T>() + at;
        else if (ways[k] == Way::buffered)
          gather(walk, k + 1, *sources[k].tensor, at, count, buffers[k]);
      }
      const bool direct = ways[max_operands] == Way::direct;
      run(function, in, direct ? out.data<T>() + at : buffers[max_operands], static_cast<size_t>(count));
      if (!direct) scatter(walk, buffers[max_operands], at, count, out);
    }
  });
}

}  // namespace

void elementwise(Function function, DType dtype, std::span<const Source> sources, const Tensor& out, bool) {
  if (dtype == f64)
    apply_as<double>(function, sources, out, HWY_DYNAMIC_DISPATCH(apply_doubles));
  else if (is_floating(dtype))
    apply_as<float>(function, sources, out, HWY_DYNAMIC_DISPATCH(apply_floats));
  else
    apply_as<int64_t>(function, sources, out, HWY_DYNAMIC_DISPATCH(apply_integers));
}

}  // namespace percale::cpu
#endif
