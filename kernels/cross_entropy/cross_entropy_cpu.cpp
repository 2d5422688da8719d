#include <algorithm>
#include <cmath>

#include "../../core/cpu/threads.h"
#include "../common/data_or_null.h"
#include "../common/index_range.h"
#include "cross_entropy_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/cross_entropy/cross_entropy_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "../common/vector_math-inl.h"
#include "../common/vector_reduce-inl.h"

#ifndef PERCALE_CROSS_ENTROPY_PIECE
#define PERCALE_CROSS_ENTROPY_PIECE
namespace percale::cpu {

constexpr int64_t strip = 64;  // positions that are worked on together

/// Up to `strip` positions: rows of logits that follow each other (`inner` 1), or that lie side by side.
template <class T>
struct Piece {
  const T* logits;
  const T* weight;  ///< null: ones
  int64_t count, classes, inner;
  bool smooth;

  int64_t start(int64_t i) const { return inner == 1 ? i * classes : i; }
};

/// What the forward pass finds out of each position.
template <class T>
struct Found {
  T *largest, *logarithm;  ///< logarithm: of the sum of exp(logit - largest)
  T spread[strip];         ///< sum of weight * (largest - logit), if `smooth`
};

/// The gradient of a position: exp(logit - largest - logarithm) * scale - spread * weight.
template <class T>
struct Factors {
  const T *largest, *logarithm;
  T scale[strip], spread[strip];
};

}  // namespace percale::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void find_row(const Piece<float>& piece, int64_t i, Found<float>& found) {
  const float* in[] = {piece.logits + piece.start(i), piece.weight};
  const auto largest = static_cast<float>(
      simd::map_reduce<simd::Largest, 1>(in, nullptr, piece.classes, [](auto, auto a, auto) HWY_ATTR { return a; }));
  const double sum = simd::map_reduce<simd::Sum, 1>(in, nullptr, piece.classes, [=](auto t, auto a, auto) HWY_ATTR {
    return simd::exp(t, hn::Sub(a, hn::Set(t, largest)));
  });
  found.largest[i] = largest;
  found.logarithm[i] = static_cast<float>(std::log(sum));
  if (!piece.smooth) return;
  const auto below = [=](auto t, auto a, auto) HWY_ATTR { return hn::Sub(hn::Set(t, largest), a); };
  const auto weighted = [=](auto t, auto a, auto w) HWY_ATTR { return hn::Mul(w, hn::Sub(hn::Set(t, largest), a)); };
  found.spread[i] =
      static_cast<float>(piece.weight ? simd::map_reduce<simd::Sum, 2>(in, nullptr, piece.classes, weighted)
                                      : simd::map_reduce<simd::Sum, 1>(in, nullptr, piece.classes, below));
}

template <class D>
void find_lanes(D t, const Piece<float>& piece, int64_t i, Found<float>& found) {
  const float* from = piece.logits + i;
  const int64_t end = piece.classes * piece.inner;
  auto largest = hn::LoadU(t, from), sum = hn::Zero(t), spread = hn::Zero(t);
  for (int64_t k = piece.inner; k < end; k += piece.inner)
    largest = simd::Largest::of_vectors(largest, hn::LoadU(t, from + k));
  for (int64_t c = 0; c < piece.classes; ++c) {
    const auto below = hn::Sub(hn::LoadU(t, from + c * piece.inner), largest);
    sum = hn::Add(sum, simd::exp(t, below));
    if (piece.smooth) spread = hn::NegMulAdd(below, hn::Set(t, piece.weight ? piece.weight[c] : 1), spread);
  }
  hn::StoreU(largest, t, found.largest + i);
  hn::StoreU(simd::log(t, sum), t, found.logarithm + i);
  hn::StoreU(spread, t, found.spread + i);
}

void gradient_row(const Piece<float>& piece, int64_t i, const Factors<float>& factors, float* result) {
  const float* in[] = {piece.logits + piece.start(i), piece.weight};
  const float largest = factors.largest[i], logarithm = factors.logarithm[i], scale = factors.scale[i];
  const float spread = factors.spread[i];
  const auto probability = [=](auto t, auto a) HWY_ATTR {
    const auto exponent = hn::Sub(hn::Sub(a, hn::Set(t, largest)), hn::Set(t, logarithm));
    return hn::Mul(simd::exp(t, exponent), hn::Set(t, scale));
  };
  const auto count = static_cast<size_t>(piece.classes);
  if (piece.weight) {
    for_each_vector<2>(in, result, count, [=](auto t, auto a, auto w, auto, auto) HWY_ATTR {
      return hn::NegMulAdd(hn::Set(t, spread), w, probability(t, a));
    });
  } else {
    for_each_vector<1>(in, result, count, [=](auto t, auto a, auto, auto, auto) HWY_ATTR {
      return hn::Sub(probability(t, a), hn::Set(t, spread));
    });
  }
}

template <class D>
void gradient_lanes(D t, const Piece<float>& piece, int64_t i, const Factors<float>& factors, float* result) {
  const auto largest = hn::LoadU(t, factors.largest + i), logarithm = hn::LoadU(t, factors.logarithm + i);
  const auto scale = hn::LoadU(t, factors.scale + i), spread = hn::LoadU(t, factors.spread + i);
  for (int64_t c = 0; c < piece.classes; ++c) {
    const int64_t at = i + c * piece.inner;
    const auto exponent = hn::Sub(hn::Sub(hn::LoadU(t, piece.logits + at), largest), logarithm);
    const auto weight = hn::Set(t, piece.weight ? piece.weight[c] : 1);
    hn::StoreU(hn::NegMulAdd(spread, weight, hn::Mul(simd::exp(t, exponent), scale)), t, result + at);
  }
}

/// Short rows stood side by side in `tile`.
Piece<float> stood_up(const Piece<float>& piece, float* tile) {
  simd::stand_up(piece.logits, piece.count, piece.classes, tile);
  Piece<float> result = piece;
  result.logits = tile;
  result.inner = simd::tile_width;
  return result;
}

void find(const Piece<float>& piece, Found<float>& found) {
  const auto lanes = [&](const Piece<float>& columns) HWY_ATTR {
    simd::for_lanes(columns.count, [&](auto t, int64_t i) HWY_ATTR { find_lanes(t, columns, i, found); });
  };
  if (piece.inner > 1) return lanes(piece);
  if (piece.classes <= simd::tile_height) {
    HWY_ALIGN float tile[simd::tile_width * simd::tile_height];
    return lanes(stood_up(piece, tile));
  }
  for (int64_t i = 0; i < piece.count; ++i) find_row(piece, i, found);
}

void gradient(const Piece<float>& piece, const Factors<float>& factors, float* result) {
  const auto lanes = [&](const Piece<float>& columns, float* out) HWY_ATTR {
    simd::for_lanes(columns.count, [&](auto t, int64_t i) HWY_ATTR { gradient_lanes(t, columns, i, factors, out); });
  };
  if (piece.inner > 1) return lanes(piece, result);
  if (piece.classes <= simd::tile_height) {
    HWY_ALIGN float tile[simd::tile_width * simd::tile_height], out[simd::tile_width * simd::tile_height];
    lanes(stood_up(piece, tile), out);
    return simd::lay_down(out, piece.count, piece.classes, result);
  }
  for (int64_t i = 0; i < piece.count; ++i) gradient_row(piece, i, factors, result + piece.start(i));
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(find);
HWY_EXPORT(gradient);

namespace {

constexpr int64_t grain = 16384;  // logits a piece of work

void find_doubles(const Piece<double>& piece, Found<double>& found) {
  for (int64_t i = 0; i < piece.count; ++i) {
    const double* x = piece.logits + piece.start(i);
    const auto at = [&](int64_t c) { return x[c * piece.inner]; };
    double largest = x[0], sum = 0, spread = 0;
    for (int64_t c = 1; c < piece.classes; ++c)
      if (at(c) > largest || at(c) != at(c)) largest = at(c);
    for (int64_t c = 0; c < piece.classes; ++c) {
      sum += std::exp(at(c) - largest);
      if (piece.smooth) spread += (largest - at(c)) * (piece.weight ? piece.weight[c] : 1);
    }
    found.largest[i] = largest;
    found.logarithm[i] = std::log(sum);
    found.spread[i] = spread;
  }
}

void gradient_doubles(const Piece<double>& piece, const Factors<double>& factors, double* result) {
  for (int64_t i = 0; i < piece.count; ++i) {
    for (int64_t c = 0; c < piece.classes; ++c) {
      const int64_t at = piece.start(i) + c * piece.inner;
      result[at] = std::exp(piece.logits[at] - factors.largest[i] - factors.logarithm[i]) * factors.scale[i] -
                   factors.spread[i] * (piece.weight ? piece.weight[c] : 1);
    }
  }
}

/// Calls `body(piece, first position, offset of its logits, number of the piece)` for all pieces.
template <class T, class Body>
void for_each_piece(const Tensor& logits, const Tensor& weight, const CrossEntropy& loss, Body body) {
  const int64_t lines = loss.inner == 1 ? 1 : loss.outer, width = loss.inner == 1 ? loss.outer : loss.inner;
  const int64_t strips = (width + strip - 1) / strip, each = std::min(strip, width) * loss.classes;
  parallel_for(lines * strips, std::max<int64_t>(grain / each, 1), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const int64_t first = k % strips * strip, line = k / strips;
      const int64_t offset = loss.inner == 1 ? first * loss.classes : line * loss.classes * loss.inner + first;
      const Piece<T> piece{
          logits.data<T>() + offset, data_or_null<T>(weight), std::min(strip, width - first), loss.classes, loss.inner,
          loss.smoothing > 0};
      body(piece, line * width + first, offset, k);
    }
  });
}

int64_t pieces_of(const CrossEntropy& loss) {
  return loss.inner == 1 ? (loss.outer + strip - 1) / strip : loss.outer * ((loss.inner + strip - 1) / strip);
}

template <class T>
void forward_as(const CrossEntropyForward& tensors, const CrossEntropy& loss) {
  const int64_t positions = loss.positions();
  const auto* target = tensors.target.data<int64_t>();
  T *losses = tensors.loss.data<T>(), *statistics = tensors.statistics.data<T>();
  const Tensor workspace = Tensor::empty({pieces_of(loss), 2}, {f64, cpu_device});
  auto* sums = workspace.data<double>();
  double weight_sum = static_cast<double>(loss.classes);
  if (tensors.weight.defined()) {
    weight_sum = 0;
    for (int64_t c = 0; c < loss.classes; ++c) weight_sum += tensors.weight.data<T>()[c];
  }
  const double share = loss.smoothing / static_cast<double>(loss.classes);
  const auto find_floats = HWY_DYNAMIC_DISPATCH(find);
  for_each_piece<T>(tensors.logits, tensors.weight, loss,
                    [&](const Piece<T>& piece, int64_t first, int64_t, int64_t number) {
                      Found<T> found{statistics + first, statistics + positions + first, {}};
                      if constexpr (std::is_same_v<T, float>)
                        find_floats(piece, found);
                      else
                        find_doubles(piece, found);
                      double total = 0, counted = 0;
                      for (int64_t i = 0; i < piece.count; ++i) {
                        const int64_t chosen = target[first + i];
                        double value = 0;
                        if (chosen != loss.ignore_index) {
                          const double weight = piece.weight ? piece.weight[chosen] : 1, logarithm = found.logarithm[i];
                          const T below = found.largest[i] - piece.logits[piece.start(i) + chosen * piece.inner];
                          value = (1 - loss.smoothing) * weight * (below + logarithm);
                          if (piece.smooth) value += share * (found.spread[i] + weight_sum * logarithm);
                          counted += weight;
                        }
                        total += value;
                        if (loss.reduction == Reduction::none) losses[first + i] = static_cast<T>(value);
                      }
                      sums[2 * number] = total;
                      sums[2 * number + 1] = counted;
                    });
  if (loss.reduction == Reduction::none) return;
  double total = 0, counted = 0;
  for (int64_t k = 0; k < pieces_of(loss); ++k) total += sums[2 * k], counted += sums[2 * k + 1];
  *losses = static_cast<T>(loss.reduction == Reduction::mean ? total / counted : total);
  *tensors.counted.data<T>() = static_cast<T>(counted);
}

template <class T>
void gradient_as(const CrossEntropyBackward& tensors, const CrossEntropy& loss) {
  const int64_t positions = loss.positions();
  const auto* target = tensors.target.data<int64_t>();
  const T *upstream = tensors.gradient.data<T>(), *statistics = tensors.statistics.data<T>();
  T* result = tensors.result.data<T>();
  const double weight_sum =
      tensors.weight.defined() ? *tensors.weight_sum.data<T>() : static_cast<double>(loss.classes);
  const double share = loss.smoothing / static_cast<double>(loss.classes);
  const double divisor = loss.reduction == Reduction::mean ? *tensors.counted.data<T>() : 1;
  const auto gradient_floats = HWY_DYNAMIC_DISPATCH(gradient);
  for_each_piece<T>(
      tensors.logits, tensors.weight, loss, [&](const Piece<T>& piece, int64_t first, int64_t offset, int64_t) {
        Factors<T> factors{statistics + first, statistics + positions + first, {}, {}};
        T hit[strip] = {};  // what the chosen class gets less
        for (int64_t i = 0; i < piece.count; ++i) {
          const int64_t chosen = target[first + i];
          if (chosen == loss.ignore_index) continue;
          const double incoming = upstream[loss.reduction == Reduction::none ? first + i : 0] / divisor;
          const double aimed = incoming * (1 - loss.smoothing) * (piece.weight ? piece.weight[chosen] : 1);
          hit[i] = static_cast<T>(aimed);
          factors.spread[i] = static_cast<T>(incoming * share);
          factors.scale[i] = static_cast<T>(aimed + incoming * share * weight_sum);
        }
        if constexpr (std::is_same_v<T, float>)
          gradient_floats(piece, factors, result + offset);
        else
          gradient_doubles(piece, factors, result + offset);
        for (int64_t i = 0; i < piece.count; ++i)
          if (const int64_t chosen = target[first + i]; chosen != loss.ignore_index)
            result[offset + piece.start(i) + chosen * piece.inner] -= hit[i];
      });
}

}  // namespace

void cross_entropy(const CrossEntropyForward& tensors, const CrossEntropy& loss) {
  check_range("cross_entropy", class_message, tensors.target.data<int64_t>(), tensors.target.shape(), loss.classes,
              loss.ignore_index);
  if (tensors.logits.dtype() == f64)
    forward_as<double>(tensors, loss);
  else
    forward_as<float>(tensors, loss);
}

void cross_entropy_gradient(const CrossEntropyBackward& tensors, const CrossEntropy& loss) {
  if (tensors.logits.dtype() == f64)
    gradient_as<double>(tensors, loss);
  else
    gradient_as<float>(tensors, loss);
}

}  // namespace percale::cpu
#endif
