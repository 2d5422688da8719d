// The small matrix products of word2vec in vectors. For word2vec_cpu.cpp, after <hwy/highway.h>.
#if defined(PERCALE_WORD2VEC_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PERCALE_WORD2VEC_ROWS_INL_H
#undef PERCALE_WORD2VEC_ROWS_INL_H
#else
#define PERCALE_WORD2VEC_ROWS_INL_H
#endif

#include "../common/vector_math-inl.h"
#include "../common/vector_reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

template <class D, class V = hn::Vec<D>>
HWY_INLINE void store_sums(D t, V a, V b, V c, V d, float* to) {
  const V all[] = {a, b, c, d};
  for (int k = 0; k < 4; ++k) to[k] = hn::GetLane(hn::SumOfLanes(t, all[k]));
}

#else

/// The lanes of a vector of groups of four: to[k] = the sum of the k-th of every group.
template <class D>
HWY_INLINE void store_groups(D t, hn::Vec<D> v, float* to) {
  if constexpr (hn::MaxLanes(t) > 4) {
    const hn::Half<D> half;
    store_groups(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)), to);
  } else {
    hn::StoreU(v, t, to);
  }
}

/// to = {sum of a, sum of b, sum of c, sum of d}: four sums in thirteen instructions instead of four times eight.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void store_sums(D t, V a, V b, V c, V d, float* to) {
  const V ac = hn::Add(hn::InterleaveLower(t, a, c), hn::InterleaveUpper(t, a, c));
  const V bd = hn::Add(hn::InterleaveLower(t, b, d), hn::InterleaveUpper(t, b, d));
  store_groups(t, hn::Add(hn::InterleaveLower(t, ac, bd), hn::InterleaveUpper(t, ac, bd)), to);
}

#endif

/// What four_dots does with whole vectors from `i` on. Returns how far they go.
template <class D>
HWY_INLINE int64_t four_sums(D t, const float* x0, const float* x1, const float* y0, const float* y1, int64_t i,
                             int64_t count, float* to) {
  constexpr int64_t width = hn::MaxLanes(t);
  auto a = hn::Zero(t), b = a, c = a, d = a;
  for (; i + width <= count; i += width) {
    const auto u0 = hn::LoadU(t, x0 + i), u1 = hn::LoadU(t, x1 + i);
    const auto v0 = hn::LoadU(t, y0 + i), v1 = hn::LoadU(t, y1 + i);
    a = hn::MulAdd(u0, v0, a);
    b = hn::MulAdd(u0, v1, b);
    c = hn::MulAdd(u1, v0, c);
    d = hn::MulAdd(u1, v1, d);
  }
  store_sums(t, a, b, c, d, to);
  return i;
}

/// to = {x0 . y0, x0 . y1, x1 . y0, x1 . y1}: two loads a multiplication would be twice as slow.
HWY_INLINE void four_dots(const float* x0, const float* x1, const float* y0, const float* y1, int64_t count,
                          float* to) {
  const hn::CappedTag<float, 16> t;
  int64_t i = four_sums(t, x0, x1, y0, y1, 0, count, to);
  float rest[4];
  if (i + 4 <= count) {
    i = four_sums(hn::CappedTag<float, 4>(), x0, x1, y0, y1, i, count, rest);
    for (int k = 0; k < 4; ++k) to[k] += rest[k];
  }
  for (; i < count; ++i) {
    to[0] += x0[i] * y0[i];
    to[1] += x0[i] * y1[i];
    to[2] += x1[i] * y0[i];
    to[3] += x1[i] * y1[i];
  }
}

/// products[a * ys + k] = x[a] . y[k].
HWY_INLINE void all_dots(const float* const* x, int xs, const float* const* y, int ys, int64_t count, float* products) {
  for (int a = 0; a < xs; a += 2) {
    const int a1 = a + 1 < xs ? a + 1 : a;
    for (int k = 0; k < ys; k += 2) {
      const int k1 = k + 1 < ys ? k + 1 : k;
      float four[4];
      four_dots(x[a], x[a1], y[k], y[k1], count, four);
      products[a1 * ys + k1] = four[3];
      products[a1 * ys + k] = four[2];
      products[a * ys + k1] = four[1];
      products[a * ys + k] = four[0];
    }
  }
}

/// row[i] += the sum over j of weights[j] * others[j][i], in the order of j.
HWY_INLINE void add_rows(float* row, int64_t count, const float* const* others, const float* weights, int n) {
  const hn::CappedTag<float, 16> t;
  constexpr int64_t width = hn::MaxLanes(t);
  int64_t i = 0;
  for (; i + 4 * width <= count; i += 4 * width) {
    auto a = hn::LoadU(t, row + i), b = hn::LoadU(t, row + i + width);
    auto c = hn::LoadU(t, row + i + 2 * width), d = hn::LoadU(t, row + i + 3 * width);
    for (int j = 0; j < n; ++j) {
      const auto weight = hn::Set(t, weights[j]);
      const float* other = others[j] + i;
      a = hn::MulAdd(weight, hn::LoadU(t, other), a);
      b = hn::MulAdd(weight, hn::LoadU(t, other + width), b);
      c = hn::MulAdd(weight, hn::LoadU(t, other + 2 * width), c);
      d = hn::MulAdd(weight, hn::LoadU(t, other + 3 * width), d);
    }
    hn::StoreU(a, t, row + i);
    hn::StoreU(b, t, row + i + width);
    hn::StoreU(c, t, row + i + 2 * width);
    hn::StoreU(d, t, row + i + 3 * width);
  }
  const auto add = [&](auto lanes) HWY_ATTR {
    auto sum = hn::LoadU(lanes, row + i);
    for (int j = 0; j < n; ++j) sum = hn::MulAdd(hn::Set(lanes, weights[j]), hn::LoadU(lanes, others[j] + i), sum);
    hn::StoreU(sum, lanes, row + i);
  };
  for (; i + width <= count; i += width) add(t);
  for (; i + 4 <= count; i += 4) add(hn::CappedTag<float, 4>());
  for (; i < count; ++i) add(hn::CappedTag<float, 1>());
}

/// What a centre's products become: the derivative by each, times -rate. Product a * ys is the centre's own, whose
/// label is 1; the others' is 0. `skipped` noise words (-1 in `drawn`) get 0. Products are padded to whole vectors.
HWY_INLINE void to_steps(float* products, int xs, int ys, const int32_t* drawn, float rate) {
  const hn::CappedTag<float, 16> t;
  constexpr int64_t width = hn::MaxLanes(t);
  const auto factor = hn::Set(t, -rate);
  for (int64_t i = 0; i < int64_t{xs} * ys; i += width)
    hn::StoreU(hn::Mul(factor, simd::sigmoid(t, hn::LoadU(t, products + i))), t, products + i);
  for (int a = 0; a < xs; ++a) {
    products[a * ys] += rate;
    for (int k = 1; k < ys; ++k)
      if (drawn[k] < 0) products[a * ys + k] = 0;
  }
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
