#include <algorithm>

#include "../../core/cpu/threads.h"
#include "top_k_twins.h"

namespace percale::cpu {
namespace {

/// The k first of a row, kept as a heap with the last of them on top: what does not come before it costs a comparison.
template <class T>
class Choice {
 public:
  Choice(int64_t* heap, int64_t k, bool largest) : heap_(heap), k_(k), largest_(largest) {}

  /// `heap` ends as the positions in order.
  void choose(const T* row, int64_t length) const {
    const auto before = [this, row](int64_t i, int64_t j) {
      return top_k_before(static_cast<compute_t<T>>(row[i]), i, static_cast<compute_t<T>>(row[j]), j, largest_);
    };
    for (int64_t i = 0; i < k_; ++i) heap_[i] = i;
    std::make_heap(heap_, heap_ + k_, before);
    const auto offer = [this, before](int64_t i) {
      if (!before(i, *heap_)) return;
      std::pop_heap(heap_, heap_ + k_, before);
      heap_[k_ - 1] = i;
      std::push_heap(heap_, heap_ + k_, before);
    };
    int64_t i = k_;
    for (; i + together <= length; i += together)
      if (may_come(row + i, static_cast<compute_t<T>>(row[*heap_])))
        for (int64_t j = i; j < i + together; ++j) offer(j);
    for (; i < length; ++i) offer(i);
    std::sort_heap(heap_, heap_ + k_, before);
  }

 private:
  static constexpr int64_t together = 16;  ///< elements, of which mostly none comes before the last of the chosen

  /// Whether one of `together` elements may come before `last`, which stands in front of them. True with NaN on a side.
  bool may_come(const T* elements, compute_t<T> last) const {
    int found = 0;
    if (largest_)
      for (int64_t j = 0; j < together; ++j) found |= !(static_cast<compute_t<T>>(elements[j]) <= last);
    else
      for (int64_t j = 0; j < together; ++j) found |= !(static_cast<compute_t<T>>(elements[j]) >= last);
    return found != 0;
  }

  int64_t* heap_;
  int64_t k_;
  bool largest_;
};

int64_t rows_at_once(int64_t length) { return std::max<int64_t>(32768 / std::max<int64_t>(length, 1), 1); }

}  // namespace

void top_k(const Tensor& x, bool largest, const Tensor& values, const Tensor& index) {
  const int64_t length = x.size(1), k = index.size(1);
  visit(x.dtype(), [&]<class T>() {
    parallel_for(x.size(0), rows_at_once(length), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const T* elements = x.data<T>() + row * length;
        int64_t* positions = index.data<int64_t>() + row * k;
        Choice<T>(positions, k, largest).choose(elements, length);
        for (int64_t i = 0; i < k; ++i) values.data<T>()[row * k + i] = elements[positions[i]];
      }
    });
  });
}

void top_k_gradient(const Tensor& gradient, const Tensor& index, const Tensor& result) {
  const int64_t length = result.size(1), k = index.size(1);
  visit_floating("top_k", result.dtype(), [&]<class T>() {
    parallel_for(result.size(0), rows_at_once(length), [&](int64_t begin, int64_t end) {
      T* to = result.data<T>();
      std::fill(to + begin * length, to + end * length, T(0.0f));
      for (int64_t i = begin * k; i < end * k; ++i)
        to[i / k * length + index.data<int64_t>()[i]] = gradient.data<T>()[i];
    });
  });
}

}  // namespace percale::cpu
