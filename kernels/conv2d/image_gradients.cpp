#include "image_gradients.h"

#include <algorithm>
#include <optional>

#include "../../core/cpu/threads.h"
#include "slices.h"
#include "sparse_gradients.h"
#include "wide_windows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/conv2d/image_gradients.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {

template <class Tiles>
void bias_sums_of(const ConvolutionShape& s, const Tiles& tiles, float* sums) {
  for (int64_t channel = 0; channel < s.out_channels; channel += float_lanes) {
    const int64_t count = s.out_channels - channel;
    FloatVector total = hn::Zero(Floats());
    for (int64_t row = 0; row < (s.out_height + 1) / 2; ++row)
      for (int64_t column = 0; column < (s.out_width + 1) / 2; ++column)
        if (tiles.has(row, column, 0)) total = tiles.add(total, row, column, channel, count);
    store_some(hn::Add(load_some(sums + channel, count), total), sums + channel, count);
  }
}

/// Adds one image's sums over its pixels.
void bias_sums(const ConvolutionShape& s, const OutputGradient& gradient, float* sums) {
  if (gradient.pooled)
    bias_sums_of(s, PooledTiles(s, gradient), sums);
  else
    bias_sums_of(s, DenseTiles(s, gradient), sums);
}

/// How many of the gradients are not zero behind ReLU, whose results `activated` are (null: there is none).
int64_t count_nonzero(const float* gradients, const float* activated, int64_t count) {
  const Floats d;
  int64_t total = 0;
  for (int64_t i = 0; i < count; i += float_lanes) {
    const int64_t some = count - i;
    auto zero = hn::Eq(load_some(gradients + i, some), hn::Zero(d));
    if (activated) zero = hn::Or(zero, hn::Le(load_some(activated + i, some), hn::Zero(d)));
    total += std::min(some, float_lanes) -
             static_cast<int64_t>(hn::CountTrue(d, hn::And(zero, hn::FirstN(d, static_cast<size_t>(some)))));
  }
  return total;
}

/// The gradients, or 0 where ReLU let nothing through.
void through_relu(const float* gradients, const float* activated, int64_t count, float* out) {
  const Floats d;
  for (int64_t i = 0; i < count; i += float_lanes) {
    const int64_t some = count - i;
    const auto stopped = hn::Le(load_some(activated + i, some), hn::Zero(d));
    store_some(hn::IfThenZeroElse(stopped, load_some(gradients + i, some)), out + i, some);
  }
}

void add(float* sums, const float* more, int64_t count) {
  const Floats d;
  int64_t i = 0;
  for (; i + float_lanes <= count; i += float_lanes)
    hn::StoreU(hn::Add(hn::LoadU(d, sums + i), hn::LoadU(d, more + i)), d, sums + i);
  for (; i < count; ++i) sums[i] += more[i];
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
namespace {

HWY_EXPORT(bias_sums);
HWY_EXPORT(count_nonzero);
HWY_EXPORT(through_relu);
HWY_EXPORT(add);

/// How the gradients of one convolution are taken.
struct Way {
  bool few_channels = false, wide = false;  ///< the weights': lanes are output channels
  bool sparse_weight = false, sparse_input = false;

  bool own_weight() const { return few_channels || wide || sparse_weight; }
  int64_t weight_sums_numel(const ConvolutionShape& s) const {
    if (few_channels || wide) return packed_values_numel(s);
    return sparse_weight ? WindowRows(s).numel(s) : 0;
  }
};

/// A 2 x 2 pool passes on a quarter of its gradient at most, in any pair of rows: so what comes through one is taken
/// the same way, pooled or not. Every fourth pair is looked at.
bool is_sparse(const ConvolutionShape& s, const OutputGradient& gradient) {
  const auto count = HWY_DYNAMIC_DISPATCH(count_nonzero);
  const int64_t row = s.out_width * s.out_channels, image = s.out_height * row;
  int64_t nonzero = 0, all = 0;
  for (int64_t n = 0; n < s.batch; ++n)
    for (int64_t y = 0; y < s.out_height; y += 8) {
      const int64_t at = n * image + y * row, size = std::min<int64_t>(2, s.out_height - y) * row;
      nonzero += count(gradient.gradient + at, gradient.activated ? gradient.activated + at : nullptr, size);
      all += size;
    }
  return nonzero * 4 <= all;
}

Way choose(const ConvolutionShape& s, const OutputGradient& gradient, const Conv2dGradients& out) {
  Way way;
  way.few_channels = out.weight.defined() && has_few_channels(s);
  way.wide = out.weight.defined() && has_wide_windows(s);
  const bool rest = out.input.defined() || (out.weight.defined() && !way.few_channels && !way.wide);
  if (rest && has_window_rows(s) && (gradient.pooled || is_sparse(s, gradient))) {
    way.sparse_input = out.input.defined();
    way.sparse_weight = out.weight.defined() && !way.few_channels;
  }
  return way;
}

/// Image `n` and those behind it.
OutputGradient from_image(const ConvolutionShape& s, const OutputGradient& batch, int64_t n) {
  const int64_t pooled = n * (s.out_height / 2) * (s.out_width / 2) * s.out_channels;
  if (batch.pooled) return {batch.gradient + pooled, batch.pooled + pooled, batch.position + pooled};
  const int64_t first = n * s.out_height * s.out_width * s.out_channels;
  return {.gradient = batch.gradient + first, .activated = batch.activated ? batch.activated + first : nullptr};
}

std::shared_ptr<Storage> window_rows_of(const ConvolutionShape& s, const Tensor& weight) {
  PrimitiveKey layout("window rows");
  layout.add(weight.shape()).add(weight.strides());
  const size_t bytes = static_cast<size_t>(WindowRows(s).numel(s)) * sizeof(float);
  return packed_weights(weight, layout, bytes,
                        [&](void* packed) { pack_window_rows(s, weight, static_cast<float*>(packed)); });
}

/// Spreads sums, by value (pack_values) or as WindowRows, over a weight's gradient.
void unpack(const ConvolutionShape& s, bool by_value, const float* sums, const Tensor& weight) {
  const WindowRows window(s);
  const int64_t pitch = value_pitch(s);
  const Strides& by = weight.strides();
  parallel_for(s.out_channels, 16, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o)
      for (int64_t v = 0; v < s.kernel_height; ++v)
        for (int64_t u = 0; u < s.kernel_width; ++u)
          for (int64_t i = 0; i < s.in_channels; ++i) {
            const int64_t at =
                by_value ? ((v * s.kernel_width + u) * s.in_channels + i) * pitch + o : window.place(s, o, v, u, i);
            weight.data<float>()[o * by[0] + i * by[1] + v * by[2] + u * by[3]] = sums[at];
          }
  });
}

/// Where a group's shares of the weights' and the bias's gradients are added up. Null: not wanted, or not here.
struct GroupSums {
  float *weight, *bias;
};

/// One image of wide windows: a band of rows at a time, so that it comes through ReLU within a core's cache.
void add_wide_windows(const ConvolutionShape& s, const OutputGradient& gradient, const float* image,
                      const GroupSums& sums) {
  const int64_t row_size = s.out_width * s.out_channels, step = std::clamp<int64_t>(16384 / row_size, 1, 16) * 2;
  const Tensor band = Tensor::empty({gradient.activated ? std::min(step, s.out_height) * row_size : 0});
  ConvolutionShape part = s;
  for (int64_t row = 0; row < s.out_height; row += step) {
    part.out_height = std::min(step, s.out_height - row);
    const float* upstream = gradient.gradient + row * row_size;
    if (gradient.activated) {
      HWY_DYNAMIC_DISPATCH(through_relu)
      (upstream, gradient.activated + row * row_size, part.out_height * row_size, band.data<float>());
      upstream = band.data<float>();
    }
    if (sums.bias) HWY_DYNAMIC_DISPATCH(bias_sums)(part, {upstream}, sums.bias);
    wide_windows_weight_gradient(s, image, upstream, row, part.out_height, sums.weight);
  }
}

/// The backward pass of a batch: what its groups of images share.
struct Backward {
  const ConvolutionShape& s;
  const Way& way;
  const OutputGradient& gradient;
  const Tensor& x;
  const float* packed;  ///< weights as WindowRows, if way.sparse_input
  const Conv2dGradients& out;
  const DenseGradients* dense;  ///< null: oneDNN does nothing

  /// One thread's work: images `begin` to `end`, one after the other.
  void run(int64_t group, int64_t begin, int64_t end, const GroupSums& sums) const {
    OutputGradient upstream = from_image(s, gradient, begin);
    Tensor through;
    const bool whole = dense || way.sparse_input || !way.wide;  // else band by band
    if (gradient.activated && whole) {
      through = Tensor::empty({(end - begin) * s.out_height * s.out_width * s.out_channels});
      HWY_DYNAMIC_DISPATCH(through_relu)
      (upstream.gradient, upstream.activated, through.numel(), through.data<float>());
      upstream = {through.data<float>()};
    }
    if (sums.weight || sums.bias || way.sparse_input) run_own(upstream, begin, end, sums);
    if (dense) dense->run(group, upstream.gradient);
  }

 private:
  void run_own(const OutputGradient& upstream, int64_t begin, int64_t end, const GroupSums& sums) const {
    const int64_t in_size = s.in_height * s.in_width * s.in_channels;
    std::optional<SparseGradient> sparse;
    if (way.sparse_weight || way.sparse_input) sparse.emplace(s);
    const PaddedImage padded = sparse ? sparse->padded() : PaddedImage(s, 0, s.out_height, s.in_channels);
    const std::optional<FewChannels> few = way.few_channels ? std::optional<FewChannels>(s) : std::nullopt;
    const Tensor image = Tensor::empty({way.few_channels || way.sparse_weight ? padded.numel() : 0}),
                 by_input = Tensor::empty({way.sparse_input ? padded.numel() : 0});
    for (int64_t n = begin; n < end; ++n) {
      const OutputGradient one = from_image(s, upstream, n - begin);
      const float* in = x.data<float>() + n * in_size;
      if (way.wide) {
        add_wide_windows(s, one, in, sums);
        continue;
      }
      if (sums.bias) HWY_DYNAMIC_DISPATCH(bias_sums)(s, one, sums.bias);
      if (sums.weight) pad(s, padded, in, image.data<float>());
      if (few) few_channels_weight_gradient(*few, padded, image.data<float>(), one, sums.weight);
      if (!sparse) continue;
      sparse->run(one, image.data<float>(), way.sparse_weight ? sums.weight : nullptr, packed,
                  way.sparse_input ? by_input.data<float>() : nullptr);
      if (way.sparse_input) unpad(s, padded, by_input.data<float>(), out.input.data<float>() + n * in_size);
    }
  }
};

}  // namespace

bool takes_pooled_gradients(const ConvolutionShape& shape) { return has_window_rows(shape); }

void sum_partials(float* partials, int64_t groups, int64_t stride) {
  const auto add_part = HWY_DYNAMIC_DISPATCH(add);
  parallel_for(stride, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t group = 1; group < groups; ++group)
      add_part(partials + begin, partials + group * stride + begin, end - begin);
  });
}

void image_gradients(const ConvolutionShape& s, const OutputGradient& gradient, const Tensor& x, const Tensor& weight,
                     const Conv2dGradients& out) {
  const Way way = choose(s, gradient, out);
  Conv2dGradients by_dense;
  if (!way.sparse_input) by_dense.input = out.input;
  if (!way.own_weight()) by_dense.weight = out.weight;
  std::optional<DenseGradients> dense;
  if (by_dense.input.defined() || by_dense.weight.defined()) dense.emplace(s, x, weight, by_dense);
  const int64_t images = images_per_group(s), groups = (s.batch + images - 1) / images;
  const int64_t weight_stride = way.weight_sums_numel(s), bias_stride = out.bias.defined() ? s.out_channels : 0;
  const Tensor weight_sums = Tensor::empty({groups * weight_stride}), bias_sums = Tensor::empty({groups * bias_stride});
  const auto packed = way.sparse_input ? window_rows_of(s, weight) : nullptr;
  const Backward backward{s,
                          way,
                          gradient,
                          x,
                          packed ? static_cast<const float*>(packed->data()) : nullptr,
                          out,
                          dense ? &*dense : nullptr};
  parallel_for(groups, 1, [&](int64_t group, int64_t) {
    const GroupSums sums{weight_stride ? weight_sums.data<float>() + group * weight_stride : nullptr,
                         bias_stride ? bias_sums.data<float>() + group * bias_stride : nullptr};
    std::fill_n(sums.weight, weight_stride, 0.0f);
    std::fill_n(sums.bias, bias_stride, 0.0f);
    backward.run(group, group * images, std::min((group + 1) * images, s.batch), sums);
  });
  sum_partials(weight_sums.data<float>(), groups, weight_stride);
  sum_partials(bias_sums.data<float>(), groups, bias_stride);
  if (way.own_weight()) unpack(s, way.few_channels || way.wide, weight_sums.data<float>(), out.weight);
  if (out.bias.defined()) std::copy_n(bias_sums.data<float>(), s.out_channels, out.bias.data<float>());
  if (dense) dense->finish();
}

}  // namespace percale::cpu
#endif
