#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/common/random_words.cpp"
#include "random_words.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

void philox_blocks(uint64_t seed, uint32_t call, uint64_t step, uint64_t first_block, int64_t blocks, uint32_t* words) {
  for (int64_t i = 0; i < blocks; ++i) {
    const Philox4 bits = philox(seed, first_block + static_cast<uint64_t>(i), call, step);
    std::memcpy(words + 4 * i, bits.words, sizeof(bits.words));
  }
}

#else

/// `philox` of core/philox.h over as many counters as there are 64-bit lanes. Words stand in the lower halves of lanes,
/// where MulEven reads them; what is left in the upper halves is never looked at.
void philox_blocks(uint64_t seed, uint32_t call, uint64_t step, uint64_t first_block, int64_t blocks, uint32_t* words) {
  const hn::ScalableTag<uint64_t> t;
  const hn::RepartitionToNarrow<decltype(t)> n;
  const auto lanes = static_cast<int64_t>(hn::Lanes(t));
  const auto lower = hn::Set(t, 0xffffffffu);
  const auto first_factor = hn::Set(n, 0xD2511F53u), second_factor = hn::Set(n, 0xCD9E8D57u);
  HWY_ALIGN uint64_t last[2 * HWY_MAX_BYTES / sizeof(uint64_t)];
  for (int64_t done = 0; done < blocks; done += lanes) {
    const auto block = hn::Iota(t, first_block + static_cast<uint64_t>(done));
    auto a = block, b = hn::Xor(hn::ShiftRight<32>(block), hn::Set(t, step >> 32));
    auto c = hn::Set(t, uint64_t{call}), d = hn::Set(t, step);
    auto low_key = static_cast<uint32_t>(seed), high_key = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const auto first = hn::MulEven(hn::BitCast(n, a), first_factor),
                 second = hn::MulEven(hn::BitCast(n, c), second_factor);
      a = hn::Xor(hn::Xor(hn::ShiftRight<32>(second), b), hn::Set(t, uint64_t{low_key}));
      c = hn::Xor(hn::Xor(hn::ShiftRight<32>(first), d), hn::Set(t, uint64_t{high_key}));
      b = second;
      d = first;
      low_key += 0x9E3779B9u;
      high_key += 0xBB67AE85u;
    }
    const auto front = hn::Or(hn::And(a, lower), hn::ShiftLeft<32>(b));
    const auto back = hn::Or(hn::And(c, lower), hn::ShiftLeft<32>(d));
    hn::StoreInterleaved2(front, back, t, last);
    if (blocks - done >= lanes)
      std::memcpy(words + 4 * done, last, static_cast<size_t>(lanes) * sizeof(Philox4));
    else
      std::memcpy(words + 4 * done, last, static_cast<size_t>(blocks - done) * sizeof(Philox4));
  }
}

#endif

/// portable_log of vectors, step for step.
template <class D>
hn::Vec<D> portable_log_of(D d, hn::Vec<D> value) {
  const hn::RebindToUnsigned<D> u;
  const auto word = hn::BitCast(u, value);
  // The exponent's bits below a mantissa's: 2^52 + the exponent, exactly.
  const auto raised = hn::Or(hn::ShiftRight<52>(word), hn::BitCast(u, hn::Set(d, 0x1p52)));
  auto exponent = hn::Sub(hn::BitCast(d, raised), hn::Set(d, 0x1p52 + 1023));
  auto mantissa =
      hn::BitCast(d, hn::Or(hn::And(word, hn::Set(u, 0xfffffffffffffull)), hn::Set(u, 0x3ff0000000000000ull)));
  const auto one = hn::Set(d, 1.0);
  const auto large = hn::Gt(mantissa, hn::Set(d, 1.4142135623730951));
  mantissa = hn::IfThenElse(large, hn::Mul(mantissa, hn::Set(d, 0.5)), mantissa);
  exponent = hn::IfThenElse(large, hn::Add(exponent, one), exponent);
  const auto ratio = hn::Div(hn::Sub(mantissa, one), hn::Add(mantissa, one)), square = hn::Mul(ratio, ratio);
  auto series = hn::Set(d, 1.0 / 23);
  for (int odd = 21; odd >= 1; odd -= 2) series = hn::Add(hn::Mul(series, square), hn::Set(d, 1.0 / odd));
  return hn::Add(hn::Mul(hn::Mul(hn::Set(d, 2.0), ratio), series), hn::Mul(exponent, hn::Set(d, 0.6931471805599453)));
}

/// ((c[0] x + c[1]) x + ...), each product and sum rounded as C++ rounds it.
template <class D, size_t count>
hn::Vec<D> polynomial(D d, hn::Vec<D> x, const double (&coefficients)[count]) {
  auto sum = hn::Set(d, coefficients[0]);
  for (size_t i = 1; i < count; ++i) sum = hn::Add(hn::Mul(sum, x), hn::Set(d, coefficients[i]));
  return sum;
}

/// normal_tail of vectors, step for step: both of its branches, and of each number the one that is its own.
template <class D>
hn::Vec<D> normal_tail_of(D d, hn::Vec<D> q) {
  const auto tail = hn::Sub(hn::Set(d, 0.5), hn::Abs(q));
  const auto r = hn::Sqrt(hn::Neg(portable_log_of(d, tail)));
  const auto near = hn::Sub(r, hn::Set(d, 1.6)), far = hn::Sub(r, hn::Set(d, 5.0));
  const auto is_near = hn::Le(r, hn::Set(d, 5.0));
  const auto above =
      hn::IfThenElse(is_near, polynomial(d, near, {1.7023821103e-1, 1.3067284816, 2.7568153900, 1.4234372777}),
                     polynomial(d, far, {1.7337203997e-2, 4.2868294337e-1, 3.0812263860, 6.6579051150}));
  const auto below = hn::IfThenElse(is_near, polynomial(d, near, {1.2021132975e-1, 7.3700164250e-1, 1.0}),
                                    polynomial(d, far, {1.2258202635e-2, 2.4197894225e-1, 1.0}));
  return hn::CopySign(hn::Div(above, below), q);
}

/// As normal_from_bits: what most numbers need for all of them, then the tails, gathered.
void normal_rows(const uint32_t* words, int64_t count, float* normals) {
  constexpr int64_t most = 512;
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> f;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int16_t tails[most];
  HWY_ALIGN double quantiles[most + HWY_MAX_BYTES / sizeof(double)];
  HWY_ALIGN float found_normals[most + HWY_MAX_BYTES / sizeof(double)];
  for (int64_t begin = 0; begin < count; begin += most) {
    const int64_t here = std::min(most, count - begin);
    const uint32_t* bits = words + begin;
    float* to = normals + begin;
    for (int64_t i = 0; i < here; ++i) to[i] = normal_center(normal_quantile(bits[i]));
    int64_t found = 0;
    for (int64_t i = 0; i < here; ++i) {
      const double quantile = normal_quantile(bits[i]);
      tails[found] = static_cast<int16_t>(i);
      quantiles[found] = quantile;
      found += !is_normal_center(quantile);
    }
    for (int64_t k = 0; k < lanes; ++k) quantiles[found + k] = -0.45;  // some tail
    for (int64_t k = 0; k < found; k += lanes)
      hn::Store(hn::DemoteTo(f, normal_tail_of(d, hn::Load(d, quantiles + k))), f, found_normals + k);
    for (int64_t k = 0; k < found; ++k) to[tails[k]] = found_normals[k];
  }
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(philox_blocks);
HWY_EXPORT(normal_rows);

void random_words(const RandomKey& key, uint64_t first_block, int64_t blocks, uint32_t* words) {
  HWY_DYNAMIC_DISPATCH(philox_blocks)(key.seed, key.call, key.step_now(), first_block, blocks, words);
}

void normals_of(const uint32_t* words, int64_t count, float* normals) {
  HWY_DYNAMIC_DISPATCH(normal_rows)(words, count, normals);
}

}  // namespace percale::cpu
#endif
