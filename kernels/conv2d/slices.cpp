#include "slices.h"

#include <algorithm>
#include <bit>

#include "../../core/cpu/threads.h"
#include "../common/convert.h"
#include "image_gradients.h"
#include "wide_windows.h"

namespace percale::cpu {
namespace {

using Layout = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

constexpr int64_t piece_bytes = 256 * 1024;  // of output: with the input beside it, it stays in a core's second cache
constexpr int64_t worthwhile = 1'000'000;    // operations below which a band is not worth a call
constexpr int64_t most_groups = 16;          // of images, a partial weight gradient each
constexpr int64_t partial_bytes = 8 * 1024 * 1024;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

std::vector<ConvolutionPiece> cut(const ConvolutionShape& s, DType dtype, int64_t row_step) {
  const int64_t image_bytes =
      std::max<int64_t>(s.out_height * s.out_width * s.out_channels * static_cast<int64_t>(size_of(dtype)), 1);
  const int64_t images =
      static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(std::max<int64_t>(piece_bytes / image_bytes, 1))));
  int64_t bands = images > 1 ? 1 : divide_up(image_bytes, 2 * piece_bytes);
  if (s.batch < 4) bands = std::max(bands, std::min(8 / s.batch, s.operations_per_image() / worthwhile));
  std::vector<ConvolutionPiece> pieces;
  if (bands <= 1) {
    const int64_t step = s.batch < 4 ? 1 : std::min(images, s.batch / 4);
    for (int64_t i = 0; i < s.batch; i += step) pieces.push_back({i, std::min(step, s.batch - i), 0, s.out_height});
    return pieces;
  }
  const int64_t rows = divide_up(divide_up(s.out_height, bands), row_step) * row_step;
  for (int64_t i = 0; i < s.batch; ++i)
    for (int64_t row = 0; row < s.out_height; row += rows)
      pieces.push_back({i, 1, row, std::min(rows, s.out_height - row)});
  return pieces;
}

/// The input rows that output rows `row` to `row + rows` see, and how many of the padding lie above and below them.
struct InputRows {
  int64_t begin, end, above, below;
};

InputRows input_rows(const ConvolutionShape& s, int64_t row, int64_t rows) {
  const int64_t first = row * s.stride_height - s.padding_height;
  const int64_t last = first + (rows - 1) * s.stride_height + (s.kernel_height - 1) * s.dilation_height + 1;
  InputRows in{std::max<int64_t>(first, 0), std::min(last, s.in_height), 0, 0};
  in.above = in.begin - first;
  in.below = last - in.end;
  return in;
}

Layout images_layout(int64_t images, int64_t channels, int64_t height, int64_t width, DType dtype) {
  return {{images, channels, height, width}, data_type_of("conv2d", dtype), Tag::nhwc};
}

dnnl::memory::dims weight_dims(const ConvolutionShape& s) {
  if (s.groups == 1) return {s.out_channels, s.in_channels, s.kernel_height, s.kernel_width};
  return {s.groups, s.group_out_channels(), s.group_in_channels(), s.kernel_height, s.kernel_width};
}

/// Where the elements of a weight tensor lie.
Layout weights_layout(const ConvolutionShape& s, const Tensor& weight) {
  const Strides& by = weight.strides();
  if (s.groups == 1) return describe(weight);
  return {weight_dims(s),
          data_type_of("conv2d", weight.dtype()),
          {by[0] * s.group_out_channels(), by[0], by[1], by[2], by[3]}};
}

/// What every oneDNN description of a convolution names in the same words.
struct Geometry {
  dnnl::memory::dims strides, dilates, before, after;
};

Geometry geometry(const ConvolutionShape& s, const InputRows& in) {
  const int64_t last =
      (s.out_width - 1) * s.stride_width - s.padding_width + (s.kernel_width - 1) * s.dilation_width + 1;
  return {{s.stride_height, s.stride_width},
          {s.dilation_height - 1, s.dilation_width - 1},
          {in.above, s.padding_width},
          {in.below, last - s.in_width}};
}

PrimitiveKey key_of(const char* name, const ConvolutionShape& s, DType dtype, int64_t images) {
  PrimitiveKey key(name);
  for (const int64_t number :
       {images, s.in_channels, s.in_height, s.in_width, s.out_channels, s.out_height, s.out_width, s.kernel_height,
        s.kernel_width, s.stride_height, s.stride_width, s.padding_height, s.padding_width, s.dilation_height,
        s.dilation_width, s.groups, static_cast<int64_t>(dtype)})
    key.add(number);
  return key;
}

constexpr auto direct = dnnl::algorithm::convolution_direct;

dnnl::convolution_forward::primitive_desc forward_description(const ConvolutionShape& s, DType dtype,
                                                              const Layout& bias, const ConvolutionPiece& piece,
                                                              const dnnl::engine& engine,
                                                              const dnnl::primitive_attr& attributes) {
  const InputRows in = input_rows(s, piece.row, piece.rows);
  const Geometry g = geometry(s, in);
  const Layout source = images_layout(piece.images, s.in_channels, in.end - in.begin, s.in_width, dtype);
  const Layout target = images_layout(piece.images, s.out_channels, piece.rows, s.out_width, dtype);
  const Layout weights{weight_dims(s), data_type_of("conv2d", dtype), Tag::any};
  return {{dnnl::prop_kind::forward_training, direct, source, weights, bias, target, g.strides, g.dilates, g.before,
           g.after},
          attributes,
          engine};
}

}  // namespace

// --- forward ---------------------------------------------------------------------------------------------------------

ConvolutionForward::ConvolutionForward(const ConvolutionShape& shape, const Tensor& x, const Tensor& weight,
                                       const Tensor& bias, int64_t row_step)
    : shape_(shape),
      x_(x.detach()),
      bias_(bias.defined() ? bias.contiguous().detach() : bias),
      wide_(x.dtype() == f32 && has_wide_windows(shape)) {
  const OneThreadGuard guard;
  if (x.dtype() == f32 && has_few_channels(shape)) few_.emplace(shape);
  if (few_ || wide_) {
    pack_own(weight);
    for (const ConvolutionPiece& extent : cut(shape, f32, row_step)) pieces_.push_back({extent, {}, {}});
    return;
  }
  for (const ConvolutionPiece& extent : cut(shape, x.dtype(), row_step)) {
    const auto alike = [&](const Piece& other) {  // neighbours mostly are
      const auto in = input_rows(shape, extent.row, extent.rows),
                 theirs = input_rows(shape, other.extent.row, other.extent.rows);
      return other.extent.images == extent.images && other.extent.rows == extent.rows && in.above == theirs.above &&
             in.below == theirs.below;
    };
    if (!pieces_.empty() && alike(pieces_.back())) {
      pieces_.push_back(pieces_.back());
      pieces_.back().extent = extent;
    } else {
      pieces_.push_back(prepare(extent, weight));
    }
  }
}

ConvolutionForward::Piece ConvolutionForward::prepare(const ConvolutionPiece& extent, const Tensor& weight) const {
  const Layout bias = bias_.defined() ? describe(bias_) : Layout();
  const InputRows in = input_rows(shape_, extent.row, extent.rows);
  PrimitiveKey key = key_of("conv2d", shape_, x_.dtype(), extent.images);
  key.add(bias_.defined() ? 1 + static_cast<int64_t>(bias_.dtype()) : 0).add(extent.rows).add(in.above).add(in.below);
  const auto primitive = cached_primitive(key, [&](const dnnl::engine& engine, const dnnl::primitive_attr& attributes) {
    return make_primitive<dnnl::convolution_forward>(
        forward_description(shape_, x_.dtype(), bias, extent, engine, attributes));
  });
  return {extent, primitive, packed_weights(weight, weights_layout(shape_, weight), primitive->weights)};
}

void ConvolutionForward::pack_own(const Tensor& weight) {
  PrimitiveKey layout("conv2d values");
  layout.add(weight.shape()).add(weight.strides());
  const size_t bytes = static_cast<size_t>(packed_values_numel(shape_)) * sizeof(float);
  own_weights_ = packed_weights(weight, layout, bytes,
                                [&](void* packed) { pack_values(shape_, weight, static_cast<float*>(packed)); });
  own_bias_ = Tensor::empty({value_pitch(shape_)});
  std::fill_n(own_bias_.data<float>(), value_pitch(shape_), 0.0f);
  if (bias_.defined()) std::copy_n(bias_.data<float>(), shape_.out_channels, own_bias_.data<float>());
}

int64_t ConvolutionForward::largest_piece() const {
  int64_t largest = 0;
  for (const Piece& piece : pieces_) largest = std::max(largest, piece.extent.images * piece.extent.rows);
  return largest * shape_.out_width * shape_.out_channels;
}

void ConvolutionForward::run(int64_t i, bool relu, void* out) const {
  const Piece& piece = pieces_[static_cast<size_t>(i)];
  const ConvolutionPiece& extent = piece.extent;
  const int64_t size = extent.rows * shape_.out_width * shape_.out_channels;  // of an image
  const int64_t image_size = shape_.in_height * shape_.in_width * shape_.in_channels;
  if (wide_) {
    for (int64_t image = 0; image < extent.images; ++image)
      wide_windows_forward(shape_, x_.data<float>() + (extent.image + image) * image_size,
                           static_cast<const float*>(own_weights_->data()), own_bias_.data<float>(), relu, extent.row,
                           extent.rows, static_cast<float*>(out) + image * size);
    return;
  }
  if (few_) {
    for_padded(piece, [&](const PaddedImage& padded, const float* in, int64_t image) {
      few_channels_forward(*few_, padded, in, static_cast<const float*>(own_weights_->data()), own_bias_.data<float>(),
                           extent.rows, static_cast<float*>(out) + image * size);
    });
  } else {
    run_onednn(piece, out);
  }
  if (relu) rectify(x_.dtype(), out, extent.images * size);
}

void ConvolutionForward::run_onednn(const Piece& piece, void* out) const {
  const int64_t first_row =
      piece.extent.image * shape_.in_height + input_rows(shape_, piece.extent.row, piece.extent.rows).begin;
  const char* source = static_cast<const char*>(x_.data()) +
                       first_row * shape_.in_width * shape_.in_channels * static_cast<int64_t>(size_of(x_.dtype()));
  const Primitive& primitive = *piece.primitive;
  const OneThreadGuard guard;  // for a loop that has only this piece, and so stays on the caller's thread
  primitive.execute({{DNNL_ARG_SRC, primitive.source, source},
                     {DNNL_ARG_WEIGHTS, primitive.weights, piece.weights->data()},
                     {DNNL_ARG_BIAS, primitive.bias, bias_.defined() ? bias_.data() : nullptr},
                     {DNNL_ARG_DST, primitive.destination, out}});
}

template <class Body>
void ConvolutionForward::for_padded(const Piece& piece, Body body) const {
  const PaddedImage padded(shape_, piece.extent.row, piece.extent.rows, shape_.in_channels);
  const Tensor scratch = Tensor::empty({padded.numel()});
  const int64_t image_size = shape_.in_height * shape_.in_width * shape_.in_channels;
  for (int64_t image = 0; image < piece.extent.images; ++image) {
    pad(shape_, padded, x_.data<float>() + (piece.extent.image + image) * image_size, scratch.data<float>());
    body(padded, scratch.data<float>(), image);
  }
}

void ConvolutionForward::run_pooled(int64_t i, float* pooled, uint8_t* positions) const {
  const Piece& piece = pieces_[static_cast<size_t>(i)];
  const int64_t size = piece.extent.rows / 2 * (shape_.out_width / 2) * shape_.out_channels;
  for_padded(piece, [&](const PaddedImage& padded, const float* in, int64_t image) {
    few_channels_forward_pooled(*few_, padded, in, static_cast<const float*>(own_weights_->data()),
                                own_bias_.data<float>(), piece.extent.rows, pooled + image * size,
                                positions + image * size);
  });
}

void rectify(DType dtype, void* values, int64_t count) {
  visit_floating("conv2d_relu", dtype, [&]<class T>() {
    T* const all = static_cast<T*>(values);
    for (int64_t i = 0; i < count; ++i) all[i] = static_cast<compute_t<T>>(all[i]) <= 0 ? T(0) : all[i];
  });
}

// --- backward --------------------------------------------------------------------------------------------------------

DenseGradients::Primitives DenseGradients::prepare(int64_t images, const Layout& partial) const {
  const ConvolutionShape& s = shape_;
  const DType dtype = x_.dtype();
  const ConvolutionPiece whole{0, images, 0, s.out_height};
  const Geometry g = geometry(s, input_rows(s, 0, s.out_height));
  const Layout source = images_layout(images, s.in_channels, s.in_height, s.in_width, dtype);
  const Layout target = images_layout(images, s.out_channels, s.out_height, s.out_width, dtype);
  Primitives result;
  if (out_.input.defined()) {
    const auto make = [&](const dnnl::engine& engine, const dnnl::primitive_attr& attributes) {
      const auto hint = forward_description(s, dtype, {}, whole, engine, {});
      const Layout weights{weight_dims(s), data_type_of("conv2d", dtype), Tag::any};
      return make_primitive<dnnl::convolution_backward_data>(dnnl::convolution_backward_data::primitive_desc(
          {direct, source, weights, target, g.strides, g.dilates, g.before, g.after}, attributes, engine, hint));
    };
    result.by_input = cached_primitive(key_of("conv2d by input", s, dtype, images), make);
  }
  if (out_.weight.defined()) {
    const auto make = [&](const dnnl::engine& engine, const dnnl::primitive_attr& attributes) {
      const auto hint = forward_description(s, dtype, {}, whole, engine, {});
      const Layout weights = partial.data.ndims ? partial : Layout(weight_dims(s), Type::f32, Tag::any);
      return make_primitive<dnnl::convolution_backward_weights>(dnnl::convolution_backward_weights::primitive_desc(
          {direct, source, weights, target, g.strides, g.dilates, g.before, g.after}, attributes, engine, hint));
    };
    result.by_weight = cached_primitive(key_of("conv2d by weight", s, dtype, images), make);
  }
  return result;
}

int64_t images_per_group(const ConvolutionShape& s) {
  const int64_t weight_bytes = s.weight_numel() * static_cast<int64_t>(sizeof(float));
  const int64_t groups = std::clamp<int64_t>(partial_bytes / weight_bytes, 2, most_groups);
  return divide_up(s.batch, groups);
}

DenseGradients::DenseGradients(const ConvolutionShape& s, const Tensor& x, const Tensor& weight,
                               const Conv2dGradients& out)
    : shape_(s), x_(x.detach()), out_(out), images_(images_per_group(s)), groups_(divide_up(s.batch, images_)) {
  const int64_t rest = s.batch - (groups_ - 1) * images_;
  {
    const OneThreadGuard guard;
    full_ = prepare(images_, {});
    last_ = rest == images_ ? full_ : prepare(rest, full_.by_weight ? full_.by_weight->weights : Layout());
  }
  if (full_.by_input) packed_ = packed_weights(weight, weights_layout(s, weight), full_.by_input->weights);
  if (full_.by_weight) stride_ = static_cast<int64_t>(full_.by_weight->weights.get_size() / sizeof(float));
  partials_ = Tensor::empty({groups_ * stride_});
}

void DenseGradients::run(int64_t group, const void* gradient) const {
  const Primitives& primitives = group + 1 == groups_ ? last_ : full_;
  const int64_t in_step =
      images_ * shape_.in_height * shape_.in_width * shape_.in_channels * static_cast<int64_t>(size_of(x_.dtype()));
  const OneThreadGuard guard;
  if (const Primitive* by = primitives.by_input.get())
    by->execute({{DNNL_ARG_DIFF_DST, by->destination, gradient},
                 {DNNL_ARG_WEIGHTS, by->weights, packed_->data()},
                 {DNNL_ARG_DIFF_SRC, by->source, static_cast<char*>(out_.input.data()) + group * in_step}});
  if (const Primitive* by = primitives.by_weight.get())
    by->execute({{DNNL_ARG_SRC, by->source, static_cast<const char*>(x_.data()) + group * in_step},
                 {DNNL_ARG_DIFF_DST, by->destination, gradient},
                 {DNNL_ARG_DIFF_WEIGHTS, by->weights, const_cast<float*>(partials_.data<float>()) + group * stride_}});
}

void DenseGradients::finish() const {
  if (!full_.by_weight) return;
  sum_partials(partials_.data<float>(), groups_, stride_);
  reorder(full_.by_weight->weights, partials_.data(), weights_layout(shape_, out_.weight), out_.weight.data());
}

}  // namespace percale::cpu
