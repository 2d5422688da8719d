#include "image_gradients.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "../../core/cpu/threads.h"
#include "slices.h"
#include "sparse_gradients.h"

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

int64_t count_nonzero(const float* values, int64_t count) {
  const Floats d;
  const hn::RebindToSigned<Floats> integers;
  int64_t total = count / float_lanes * float_lanes, i = 0;  // less the zeros among them
  while (i + float_lanes <= count) {
    auto negative = hn::Zero(integers);
    const int64_t end = std::min(count - float_lanes + 1, i + (int64_t{1} << 24));
    for (; i < end; i += float_lanes) {
      const auto zero = hn::RebindMask(integers, hn::Eq(hn::LoadU(d, values + i), hn::Zero(d)));
      negative = hn::Add(negative, hn::VecFromMask(integers, zero));
    }
    total += hn::GetLane(hn::SumOfLanes(integers, negative));
  }
  for (; i < count; ++i) total += values[i] != 0;
  return total;
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
HWY_EXPORT(add);

/// How the gradients of one convolution are taken.
struct Way {
  bool few_channels = false;  ///< the weights': lanes are output channels
  bool sparse_weight = false, sparse_input = false;
};

/// A 2 x 2 pool passes on a quarter of its gradient at most: so what comes through one is taken the same way, pooled or
/// not.
bool is_sparse(const ConvolutionShape& s, const float* gradient) {
  const auto count = HWY_DYNAMIC_DISPATCH(count_nonzero);
  const int64_t image = s.out_height * s.out_width * s.out_channels;
  std::vector<int64_t> counts(static_cast<size_t>(s.batch));
  parallel_for(s.batch, 1,
               [&](int64_t n, int64_t) { counts[static_cast<size_t>(n)] = count(gradient + n * image, image); });
  return std::accumulate(counts.begin(), counts.end(), int64_t{0}) * 4 <= s.batch * image;
}

Way choose(const ConvolutionShape& s, const OutputGradient& gradient, const Conv2dGradients& out) {
  Way way;
  way.few_channels = out.weight.defined() && has_few_channels(s);
  const bool rest = out.input.defined() || (out.weight.defined() && !way.few_channels);
  if (rest && has_window_rows(s) && (gradient.pooled || is_sparse(s, gradient.gradient))) {
    way.sparse_input = out.input.defined();
    way.sparse_weight = out.weight.defined() && !way.few_channels;
  }
  return way;
}

OutputGradient of_image(const ConvolutionShape& s, const OutputGradient& batch, int64_t n) {
  if (!batch.pooled) return {batch.gradient + n * s.out_height * s.out_width * s.out_channels};
  const int64_t first = n * (s.out_height / 2) * (s.out_width / 2) * s.out_channels;
  return {batch.gradient + first, batch.pooled + first, batch.position + first};
}

std::shared_ptr<Storage> window_rows_of(const ConvolutionShape& s, const Tensor& weight) {
  PrimitiveKey layout("window rows");
  layout.add(weight.shape()).add(weight.strides());
  const size_t bytes = static_cast<size_t>(WindowRows(s).numel(s)) * sizeof(float);
  return packed_weights(weight, layout, bytes,
                        [&](void* packed) { pack_window_rows(s, weight, static_cast<float*>(packed)); });
}

/// Spreads sums [value][output channel] or as WindowRows over a weight's gradient.
void unpack(const ConvolutionShape& s, bool few_channels, const float* sums, const Tensor& weight) {
  const WindowRows window(s);
  const int64_t pitch = FewChannels::pitch_of(s);
  const Strides& by = weight.strides();
  parallel_for(s.out_channels, 16, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o)
      for (int64_t v = 0; v < s.kernel_height; ++v)
        for (int64_t u = 0; u < s.kernel_width; ++u)
          for (int64_t i = 0; i < s.in_channels; ++i) {
            const int64_t at =
                few_channels ? ((v * s.kernel_width + u) * s.in_channels + i) * pitch + o : window.place(s, o, v, u, i);
            weight.data<float>()[o * by[0] + i * by[1] + v * by[2] + u * by[3]] = sums[at];
          }
  });
}

/// One thread's work: the images of a group, one after the other.
void group_gradients(const ConvolutionShape& s, const Way& way, const OutputGradient& batch, const Tensor& x,
                     const float* packed, const Conv2dGradients& out, int64_t begin, int64_t end, float* weight_sums,
                     float* bias_sums) {
  const auto add_bias = HWY_DYNAMIC_DISPATCH(bias_sums);
  const int64_t in_size = s.in_height * s.in_width * s.in_channels;
  std::optional<SparseGradient> sparse;
  if (way.sparse_weight || way.sparse_input) sparse.emplace(s);
  const PaddedImage padded = sparse ? sparse->padded() : PaddedImage(s, 0, s.out_height, s.in_channels);
  const std::optional<FewChannels> few = way.few_channels ? std::optional<FewChannels>(s) : std::nullopt;
  const Tensor image = Tensor::empty({weight_sums ? padded.numel() : 0}),
               gradient = Tensor::empty({way.sparse_input ? padded.numel() : 0});
  for (int64_t n = begin; n < end; ++n) {
    const OutputGradient upstream = of_image(s, batch, n);
    if (bias_sums) add_bias(s, upstream, bias_sums);
    if (weight_sums) pad(s, padded, x.data<float>() + n * in_size, image.data<float>());
    if (few) few_channels_weight_gradient(*few, padded, image.data<float>(), upstream, weight_sums);
    if (!sparse) continue;
    sparse->run(upstream, image.data<float>(), way.sparse_weight ? weight_sums : nullptr, packed,
                way.sparse_input ? gradient.data<float>() : nullptr);
    if (way.sparse_input) unpad(s, padded, gradient.data<float>(), out.input.data<float>() + n * in_size);
  }
}

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
  const bool own_weight = way.few_channels || way.sparse_weight;
  Conv2dGradients dense;
  if (!way.sparse_input) dense.input = out.input;
  if (!own_weight) dense.weight = out.weight;
  if (own_weight || way.sparse_input || out.bias.defined()) {
    const int64_t images = images_per_group(s), groups = (s.batch + images - 1) / images;
    const int64_t weight_stride =
        own_weight ? (way.few_channels ? FewChannels(s).weights_numel() : WindowRows(s).numel(s)) : 0;
    const int64_t bias_stride = out.bias.defined() ? s.out_channels : 0;
    const Tensor weight_sums = Tensor::empty({groups * weight_stride}),
                 bias_sums = Tensor::empty({groups * bias_stride});
    const auto packed = way.sparse_input ? window_rows_of(s, weight) : nullptr;
    parallel_for(groups, 1, [&](int64_t group, int64_t) {
      float* for_weight = weight_stride ? weight_sums.data<float>() + group * weight_stride : nullptr;
      float* for_bias = bias_stride ? bias_sums.data<float>() + group * bias_stride : nullptr;
      std::fill_n(for_weight, weight_stride, 0.0f);
      std::fill_n(for_bias, bias_stride, 0.0f);
      group_gradients(s, way, gradient, x, packed ? static_cast<const float*>(packed->data()) : nullptr, out,
                      group * images, std::min((group + 1) * images, s.batch), for_weight, for_bias);
    });
    sum_partials(weight_sums.data<float>(), groups, weight_stride);
    sum_partials(bias_sums.data<float>(), groups, bias_stride);
    if (own_weight) unpack(s, way.few_channels, weight_sums.data<float>(), out.weight);
    if (out.bias.defined()) std::copy_n(bias_sums.data<float>(), s.out_channels, out.bias.data<float>());
  }
  if (dense.input.defined() || dense.weight.defined()) {
    const Tensor upstream = Tensor::from_blob(const_cast<float*>(gradient.gradient), {s.out_numel()});
    dense_convolution_gradients(s, upstream, x, weight, dense);
  }
}

}  // namespace percale::cpu
#endif
