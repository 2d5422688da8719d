// Functions of vectors of f32, right for every float (infinities, NaN and zeros included), and how a loop runs over
// memory. For a `_cpu.cpp` file, after <hwy/highway.h>: compiled once for each instruction set (CONTRIBUTING.md, "SIMD
// on the CPU").
#if defined(PERCALE_VECTOR_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PERCALE_VECTOR_MATH_INL_H
#undef PERCALE_VECTOR_MATH_INL_H
#else
#define PERCALE_VECTOR_MATH_INL_H
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <cmath>
#include <cstring>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace simd {

/// Within 1 ulp. Highway's own gives 0 for NaN, wants arguments that fit its integers, and slows down tenfold where its
/// result underflows: which is where a softmax's masked elements are.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp(D t, V x) {
  const auto vanishes = hn::Lt(x, hn::Set(t, -104.0f));
  const V bounded = hn::Min(hn::IfThenZeroElse(vanishes, x), hn::Set(t, 100.0f));
  return hn::IfThenElse(hn::IsNaN(x), x, hn::IfThenZeroElse(vanishes, hn::Exp(t, bounded)));
}

/// exp(x) of x that are not above 0 by more than rounding: within 1 ulp, NaN for NaN; 0 below -87, where f32's normal
/// numbers end and processors are ten times slower. Half as long as Highway's, which takes any x. Our own polynomial,
/// minimax on [-log(2) / 2, log(2) / 2]; 2^k comes out of the mantissa of what rounds x / log(2).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_of_negative(D t, V x) {
  const hn::RebindToSigned<D> whole;
  const V magic = hn::Set(t, 12582912.0f);  // 1.5 * 2^23: adding it rounds to integers
  const V shifted = hn::MulAdd(x, hn::Set(t, 1.44269504f), magic), power = hn::Sub(shifted, magic);
  V rest = hn::NegMulAdd(power, hn::Set(t, 0.693145752f), x);
  rest = hn::NegMulAdd(power, hn::Set(t, 1.42860677e-6f), rest);
  V inner = hn::MulAdd(hn::Set(t, 0.00138145988f), rest, hn::Set(t, 0.00836871658f));
  inner = hn::MulAdd(inner, rest, hn::Set(t, 0.0416683890f));
  inner = hn::MulAdd(inner, rest, hn::Set(t, 0.166665211f));
  inner = hn::MulAdd(inner, rest, hn::Set(t, 0.49999994f));
  const V value = hn::Add(hn::MulAdd(hn::Mul(rest, rest), inner, rest), hn::Set(t, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::Add(hn::BitCast(whole, shifted), hn::Set(whole, 127)));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(t, -87.0f)), hn::Mul(value, hn::BitCast(t, exponent)));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V log(D t, V x) {
  const V infinity = hn::Set(t, std::numeric_limits<float>::infinity());
  const V positive = hn::IfThenElse(hn::Eq(x, infinity), x, hn::Log(t, x));
  const V rest =
      hn::IfThenElse(hn::Eq(x, hn::Zero(t)), hn::Neg(infinity), hn::Set(t, std::numeric_limits<float>::quiet_NaN()));
  return hn::IfThenElse(hn::Gt(x, hn::Zero(t)), positive, rest);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V tanh(D t, V x) {
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Tanh(t, x));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid(D t, V x) {
  const V one = hn::Set(t, 1.0f);
  return hn::Div(one, hn::Add(one, exp(t, hn::Neg(x))));
}

/// Within 1 ulp: N. Juffa's two minimax polynomials (https://stackoverflow.com/a/35148199), the outer one in exp's
/// argument.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V erf(D t, V x) {
  const V size = hn::Min(hn::Abs(x), hn::Set(t, 4.0f)), square = hn::Mul(x, x), bounded = hn::Mul(size, size);
  V outer = hn::MulAdd(hn::Set(t, -1.72853470e-5f), size, hn::Set(t, 3.83197126e-4f));
  const V middle = hn::MulAdd(hn::Set(t, -3.88396438e-3f), size, hn::Set(t, 2.42546219e-2f));
  outer = hn::MulAdd(outer, bounded, middle);
  outer = hn::MulAdd(outer, size, hn::Set(t, -1.06777877e-1f));
  outer = hn::MulAdd(outer, size, hn::Set(t, -6.34846687e-1f));
  outer = hn::MulAdd(outer, size, hn::Set(t, -1.28717512e-1f));
  outer = hn::MulAdd(outer, size, hn::Neg(size));
  outer = hn::CopySign(hn::Sub(hn::Set(t, 1.0f), hn::Exp(t, outer)), x);
  V inner = hn::Set(t, -5.96761703e-4f);
  inner = hn::MulAdd(inner, square, hn::Set(t, 4.99119423e-3f));
  inner = hn::MulAdd(inner, square, hn::Set(t, -2.67681349e-2f));
  inner = hn::MulAdd(inner, square, hn::Set(t, 1.12819925e-1f));
  inner = hn::MulAdd(inner, square, hn::Set(t, -3.76125336e-1f));
  inner = hn::MulAdd(inner, square, hn::Set(t, 1.28379166e-1f));
  inner = hn::MulAdd(inner, x, x);
  // NaN is not below the border, and Min may have lost it.
  const V value = hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(t, 0.927734375f)), inner, outer);
  return hn::IfThenElse(hn::IsNaN(x), x, value);
}

/// What a vector of numbers is to the standard normal distribution: the probability of one below, and the density
/// there.
template <class V>
struct Normal {
  V below, density;
};

/// The density is d = exp(-x * x / 2) / sqrt(2 pi), and the tail beyond |x| is exp(-x * x / 2) times Mills' ratio,
/// which falls so smoothly that a polynomial of degree 8 in 0.3|x| / (1 + 0.3|x|) has it (our own fit, minimax in the
/// relative error over [0, 13.5], 7e-8). So the tails keep their precision where 1 + erf(x) has none: relative to
/// `below`, 3e-7 above -1, 6e-7 above -3, 5e-6 down to -12.5, where most comes from rounding x * x. Beyond 13.19 the
/// density is 0.
template <class D, class V = hn::Vec<D>>
HWY_INLINE Normal<V> normal(D t, V x) {
  const V size = hn::Abs(x), half = hn::Mul(hn::Mul(x, x), hn::Set(t, -0.5f));
  const V part = hn::Div(hn::Mul(size, hn::Set(t, 0.3f)), hn::MulAdd(size, hn::Set(t, 0.3f), hn::Set(t, 1.0f)));
  const V bell = exp_of_negative(t, half);
  V ratio = hn::Set(t, 0.038033877f);
  ratio = hn::MulAdd(ratio, part, hn::Set(t, -0.13663736f));
  ratio = hn::MulAdd(ratio, part, hn::Set(t, 0.11728797f));
  ratio = hn::MulAdd(ratio, part, hn::Set(t, 0.10927125f));
  ratio = hn::MulAdd(ratio, part, hn::Set(t, -0.045074984f));
  ratio = hn::MulAdd(ratio, part, hn::Set(t, -0.70116407f));
  ratio = hn::MulAdd(ratio, part, hn::Set(t, 1.4481004f));
  ratio = hn::MulAdd(ratio, part, hn::Set(t, -1.3298111f));
  ratio = hn::MulAdd(ratio, part, hn::Set(t, 0.5f));
  // An infinite x has no part (infinity / infinity), and no tail.
  const V tail = hn::IfThenZeroElse(hn::Eq(bell, hn::Zero(t)), hn::Mul(bell, ratio));
  const V below = hn::IfThenElse(hn::Lt(x, hn::Zero(t)), tail, hn::Sub(hn::Set(t, 1.0f), tail));
  return {below, hn::Mul(bell, hn::Set(t, 0.39894228f))};
}

/// x * P(X <= x) for a standard normal X, and its derivative.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu(D t, V x) {
  return hn::Mul(x, normal(t, x).below);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_slope(D t, V x) {
  const Normal<V> at = normal(t, x);
  return hn::MulAdd(x, at.density, at.below);
}

/// base to the power of exponent by exp(exponent * log(base)) in f64; zeros, infinities and NaN are left to the
/// library.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V pow(D t, V base, V exponent) {
  constexpr size_t most = HWY_MAX_BYTES / sizeof(float);
  HWY_ALIGN float bases[most], exponents[most], results[most];
  hn::Store(base, t, bases);
  hn::Store(exponent, t, exponents);
  const hn::ScalableTag<double> wide;
  const hn::Rebind<float, decltype(wide)> narrow;
  for (size_t i = 0; i < hn::Lanes(t); i += hn::Lanes(wide)) {
    const auto from = hn::PromoteTo(wide, hn::Abs(hn::Load(narrow, bases + i)));
    const auto to = hn::PromoteTo(wide, hn::Load(narrow, exponents + i));
    auto product = hn::Mul(to, hn::Log(wide, from));
    product = hn::Min(hn::Max(product, hn::Set(wide, -700.0)), hn::Set(wide, 700.0));
    hn::Store(hn::DemoteTo(narrow, hn::Exp(wide, product)), narrow, results + i);
  }
  const V infinity = hn::Set(t, std::numeric_limits<float>::infinity()), half = hn::Set(t, 0.5f);
  const auto whole = hn::Eq(hn::Round(exponent), exponent);
  const V halved = hn::Mul(exponent, half);
  const auto odd = hn::AndNot(hn::Eq(hn::Round(halved), halved), whole);
  V result = hn::Load(t, results);
  const V mirrored = hn::IfThenElse(odd, hn::Neg(result), result);
  const V of_negative = hn::IfThenElse(whole, mirrored, hn::Set(t, std::numeric_limits<float>::quiet_NaN()));
  result = hn::IfThenElse(hn::Lt(base, hn::Zero(t)), of_negative, result);
  const auto plain = hn::AndNot(hn::Eq(base, hn::Zero(t)),
                                hn::And(hn::Lt(hn::Abs(base), infinity), hn::Lt(hn::Abs(exponent), infinity)));
  if (HWY_LIKELY(hn::AllTrue(t, plain))) return result;
  HWY_ALIGN float plains[most];
  hn::Store(hn::IfThenElseZero(plain, hn::Set(t, 1.0f)), t, plains);
  hn::Store(result, t, results);
  for (size_t i = 0; i < hn::Lanes(t); ++i)
    if (plains[i] == 0) results[i] = std::pow(bases[i], exponents[i]);
  return hn::Load(t, results);
}

}  // namespace simd

/// out[i] = body(t, in[0][i], in[1][i], ...) for `count` elements. The last few go through the same body, by way of a
/// buffer: so an element's bits do not depend on where it stands. `out` may be one of the inputs.
template <int operands, class Body>
HWY_INLINE void for_each_vector(const float* const* in, float* out, size_t count, Body body) {
  const hn::ScalableTag<float> t;
  const size_t lanes = hn::Lanes(t);
  auto at = [&](const float* const* from, size_t i) HWY_ATTR {
    const auto a = hn::LoadU(t, from[0] + i);
    const auto b = operands > 1 ? hn::LoadU(t, from[operands > 1 ? 1 : 0] + i) : a;
    const auto c = operands > 2 ? hn::LoadU(t, from[operands > 2 ? 2 : 0] + i) : a;
    const auto d = operands > 3 ? hn::LoadU(t, from[operands > 3 ? 3 : 0] + i) : a;
    return body(t, a, b, c, d);
  };
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(at(in, i), t, out + i);
  if (i == count) return;
  HWY_ALIGN float last[operands + 1][HWY_MAX_BYTES / sizeof(float)] = {};
  const float* from[operands];
  for (int k = 0; k < operands; ++k) {
    std::memcpy(last[k], in[k] + i, (count - i) * sizeof(float));
    from[k] = last[k];
  }
  hn::StoreU(at(from, 0), t, last[operands]);
  std::memcpy(out + i, last[operands], (count - i) * sizeof(float));
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
