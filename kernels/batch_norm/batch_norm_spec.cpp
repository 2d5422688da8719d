#include "../common/spec.h"
#include "../fill/fill.h"
#include "batch_norm.h"

namespace percale {
namespace {

constexpr BatchNormOptions in_training{.training = true};

/// Running mean and variance that the run may write.
Tensors running(const Tensor& weight) {
  return {full(weight.shape(), 0.5, weight.options()), full(weight.shape(), 2, weight.options())};
}

Tensor train(const Tensors& in) {
  const Tensors own = running(in[1].detach());
  return batch_norm(in[0], own[0], own[1], in[1], in[2], in_training);
}

/// What two steps of training make of the running ones.
Tensors follow(const Tensors& in) {
  Tensors own = running(in[1]);
  for (int step = 0; step < 2; ++step) batch_norm(in[0], own[0], own[1], {}, {}, {.training = true, .momentum = 0.25});
  return own;
}

Tensor evaluate(const Tensors& in) {
  const Tensors own = running(in[1].detach());
  return batch_norm(in[0], own[0], own[1], in[1], in[2]);
}

std::vector<SpecError> errors() {
  const auto with = [](Shape input, Shape vector, BatchNormOptions options, DType dtype = f32,
                       bool has_running = true) {
    return [=](Device d) {
      const Tensor mean = zeros(vector, {f32, d});
      batch_norm(zeros(input, {dtype, d}), has_running ? mean : Tensor(), has_running ? mean : Tensor(), {}, {},
                 options);
    };
  };
  return {{"[batch_norm] input must be [N, C], [N, C, L] or [N, C, H, W] of a floating dtype, got [3] of f32",
           with({3}, {3}, {})},
          {"[batch_norm] input must be [N, C], [N, C, L] or [N, C, H, W] of a floating dtype, got [3, 2] of i64",
           with({3, 2}, {2}, {}, i64)},
          {"[batch_norm] running_mean must be [2] of f32, got [3] of f32", with({3, 2}, {3}, {})},
          {"[batch_norm] running_mean must be [2] of f64, got [2] of f32", with({3, 2}, {2}, {}, f64)},
          {"outside of training there must be a running mean and variance", with({3, 2}, {2}, {}, f32, false)},
          {"training needs more than one element a channel, got [1, 2]", with({1, 2}, {2}, in_training)},
          {"eps cannot be negative, got -1", with({3, 2}, {2}, {.eps = -1})},
          {"weight must be [2] of f32, got [2] of f64", [](Device d) {
             batch_norm(zeros({3, 2}, {f32, d}), {}, {}, zeros({2}, {f64, d}), {}, in_training);
           }}};
}

/// As they lie in memory.
Tensor channels_last(const Tensor& pixels) { return pixels.permute({0, 3, 1, 2}); }

const SpecInput images = real({"n", "c", "h", "w"}), pixels = real({"n", "h", "w", "c"}), weight = real({"c"}),
                bias = real({"c"});

SpecTiming timing(const char* name, std::vector<int64_t> sizes, bool training) {
  double area = 4;
  for (const int64_t size : sizes) area *= static_cast<double>(size);
  // Forward: in, in again (or once) and out; backward: upstream and in, twice, and the gradient.
  return {.name = name, .sizes = std::move(sizes), .bytes = area * (training ? 8 : 2), .backward = training};
}

}  // namespace

extern const Specs batch_norm_specs;
const Specs batch_norm_specs = {
    {.name = "batch_norm of a matrix, training",
     .run = train,
     .inputs = {real({"n", "c"}), weight, bias},
     .sizes = {{5, 3}, {2, 1}, {40, 33}, {300, 7}, {512, 5}, {700, 64}},
     .tolerance = 2e-5,
     .exact = false,
     .second_gradient = true,
     .errors = errors()},
    {.name = "batch_norm of sequences, training",
     .run = train,
     .inputs = {real({"n", "c", "l"}), weight, bias},
     .sizes = {{2, 3, 4}, {1, 2, 5}, {7, 20, 9}},
     .tolerance = 2e-5,
     .exact = false,
     .second_gradient = true},
    {.name = "batch_norm of images, training",
     .run =
         [](const Tensors& in) {
           return train({channels_last(in[0]), in[1], in[2]});
         },
     .inputs = {pixels, weight, bias},
     .sizes = {{2, 2, 3, 3}, {1, 2, 1, 1}, {3, 5, 4, 32}, {2, 3, 3, 70}},
     .tolerance = 2e-5,
     .exact = false,
     .second_gradient = true,
     .timings = {timing("batch_norm.64x32x28x28.train", {64, 28, 28, 32}, true)}},
    {.name = "batch_norm of images, evaluation",
     .run = evaluate,
     .inputs = {images, weight, bias},
     .sizes = {{2, 3, 2, 3}, {0, 3, 2, 2}, {3, 32, 5, 4}, {1, 70, 1, 1}},
     .exact = false,
     .second_gradient = true},
    {.name = "batch_norm of images, inference",
     .run =
         [](const Tensors& in) {
           return evaluate({channels_last(in[0]), in[1], in[2]});
         },
     .inputs = {constant(pixels), constant(weight), constant(bias)},
     .sizes = {{2, 2, 3, 3}, {3, 5, 4, 32}},
     .exact = false,
     .gradient = false,
     .timings = {timing("batch_norm.64x32x28x28", {64, 28, 28, 32}, false)}},
    {.name = "batch_norm without weight, bias and running statistics",
     .run = [](const Tensors& in) { return batch_norm(in[0], {}, {}, {}, {}, in_training); },
     .inputs = {images},
     .sizes = {{2, 3, 2, 3}, {3, 32, 5, 4}},
     .tolerance = 2e-5,
     .exact = false,
     .second_gradient = true},
    {.name = "running statistics",
     .run = follow,
     .inputs = {constant(images), constant(weight)},
     .sizes = {{2, 3, 2, 3}, {1, 1, 2, 1}, {3, 32, 5, 4}, {70, 33, 3, 3}},
     .tolerance = 2e-6,
     .exact = false,
     .gradient = false},
    {.name = "batch_norm of bf16",
     .run =
         [](const Tensors& in) {
           return batch_norm(in[0].to(bf16), {}, {}, in[1].to(f32), in[2].to(f32), in_training);
         },
     .inputs = {constant(images), constant(weight), constant(bias)},
     .sizes = {{2, 3, 2, 3}, {3, 32, 5, 4}},
     .tolerance = 1e-2,
     .exact = false,
     .gradient = false},
};

}  // namespace percale
