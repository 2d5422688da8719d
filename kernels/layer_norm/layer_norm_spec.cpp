#include "../common/spec.h"
#include "../fill/fill.h"
#include "layer_norm.h"

namespace percale {
namespace {

std::vector<SpecError> errors() {
  const auto norm = [](Shape input, Shape weight, Shape bias, TensorOptions options, double eps = 1e-5) {
    return [=](Device device) {
      layer_norm(zeros(input, {options.dtype, device}), zeros(weight, {f32, device}), zeros(bias, {f32, device}), eps);
    };
  };
  return {
      {"[layer_norm] input must be [..., width] of a floating dtype, got [2, 3] of i64", norm({2, 3}, {3}, {3}, {i64})},
      {"[layer_norm] input must be [..., width] of a floating dtype, got [] of f32", norm({}, {3}, {3}, {f32})},
      {"[layer_norm] weight must be [3] of a floating dtype, got [2] of f32", norm({2, 3}, {2}, {3}, {f32})},
      {"[layer_norm] bias must be [3] of a floating dtype, got [3, 1] of f32", norm({2, 3}, {3}, {3, 1}, {f32})},
      {"[layer_norm] eps cannot be negative, got -1", norm({2, 3}, {3}, {3}, {f32}, -1)},
      {"[layer_norm] bias must be f32 as the weight, got f64",
       [](Device d) {
         layer_norm(zeros({2, 3}, {f32, d}), zeros({3}, {f32, d}), zeros({3}, {f64, d}));
       }},
      {"[add_layer_norm] residual must be [2, 3] as the input, of a floating dtype, got [3] of f32",
       [](Device d) {
         add_layer_norm(zeros({2, 3}, {f32, d}), zeros({3}, {f32, d}), zeros({3}, {f32, d}), {});
       }},
      {"[add_layer_norm] the result must be f32, or of the dtype that input and residual share, not bf16",
       [](Device d) {
         const Tensor x = zeros({2, 3}, {bf16, d}), residual = zeros({2, 3}, {f32, d}), ones = full({3}, 1, {f32, d});
         add_layer_norm(x, residual, ones, ones, 1e-5, bf16);
       }}};
}

const SpecInput rows = real({"rows", "width"}), weight = real({"width"}), bias = real({"width"});

/// What must move: forward the operands and the result, backward the operands again, upstream and the gradients.
SpecTiming timing(const char* name, int64_t count, int64_t width, int operands, bool backward) {
  const double area = 4.0 * static_cast<double>(count * width);
  return {.name = name,
          .sizes = {count, width},
          .bytes = area * (operands + 1 + (backward ? operands + 2 : 0)),
          .backward = backward};
}

}  // namespace

extern const Specs layer_norm_specs;
const Specs layer_norm_specs = {
    {.name = "layer_norm",
     .run = [](const Tensors& in) { return layer_norm(in[0], in[1], in[2]); },
     .inputs = {rows, weight, bias},
     .sizes = {{3, 5}, {1, 2}, {0, 4}, {4, 0}, {33, 10}, {9, 64}, {5, 257}, {300, 7}, {7, 768}, {3, 1028}, {2, 9001}},
     .dtypes = {f32, f64, f16, bf16},
     .tolerance = 2e-5,
     .half_tolerance = 2e-2,
     .exact = false,
     .second_gradient = true,
     .errors = errors(),
     .timings = {timing("layer_norm.1024x768.both", 1024, 768, 1, true),
                 timing("layer_norm.1024x3072.both", 1024, 3072, 1, true)}},
    {.name = "layer_norm, inference",
     .run = [](const Tensors& in) { return layer_norm(in[0], in[1], in[2]); },
     .inputs = {constant(rows), constant(weight), constant(bias)},
     .sizes = {{3, 5}, {70, 96}},
     .exact = false,
     .gradient = false,
     .timings = {timing("layer_norm.1024x768", 1024, 768, 1, false),
                 timing("layer_norm.1024x3072", 1024, 3072, 1, false)}},
    {.name = "layer_norm without weight and bias",
     .run = [](const Tensors& in) { return layer_norm(in[0], {}, {}, 1e-12); },
     .inputs = {real({"n", "rows", "width"})},
     .sizes = {{2, 3, 5}, {3, 5, 130}, {1, 2, 514}},
     .exact = false,
     .second_gradient = true},
    {.name = "add_layer_norm",
     .run = [](const Tensors& in) { return add_layer_norm(in[0], in[1], in[2], in[3]); },
     .inputs = {rows, rows, weight, bias},
     .sizes = {{3, 5}, {1, 2}, {0, 4}, {33, 10}, {9, 64}, {5, 257}, {7, 768}, {3, 1028}, {2, 9001}},
     .dtypes = {f32, f64, f16, bf16},
     .tolerance = 2e-5,
     .half_tolerance = 2e-2,
     .exact = false,
     .second_gradient = true,
     .timings = {timing("add_layer_norm.1024x768.both", 1024, 768, 2, true)}},
    {.name = "add_layer_norm, inference",
     .run = [](const Tensors& in) { return add_layer_norm(in[0], in[1], in[2], in[3]); },
     .inputs = {constant(rows), constant(rows), constant(weight), constant(bias)},
     .sizes = {{3, 5}, {9, 64}},
     .exact = false,
     .gradient = false,
     .timings = {timing("add_layer_norm.1024x768", 1024, 768, 2, false)}},
    {.name = "add_layer_norm of bf16 and f32",
     .run = [](const Tensors& in) { return add_layer_norm(in[0].to(bf16), in[1], in[2], in[3]); },
     .inputs = {constant(rows), rows, weight, bias},
     .sizes = {{3, 5}, {9, 64}, {33, 130}},
     .exact = false},
    {.name = "add_layer_norm of bf16 to bf16 with parameters of f32",
     .run =
         [](const Tensors& in) {
           const DType parameters = in[2].dtype();  // f64 too, for comparison
           return add_layer_norm(in[0].to(bf16), in[1].to(bf16), in[2], in[3], 1e-5, parameters == f64 ? f64 : bf16)
               .to(parameters);
         },
     .inputs = {constant(rows), constant(rows), weight, bias},
     .sizes = {{3, 5}, {9, 64}, {33, 130}, {70, 384}},
     .tolerance = 1e-2,
     .exact = false,
     .gradient = false},
    {.name = "add_layer_norm of f32 and f16",
     .run = [](const Tensors& in) { return add_layer_norm(in[0], in[1].to(f16), in[2], in[3]); },
     .inputs = {rows, constant(rows), weight, bias},
     .sizes = {{3, 5}, {9, 64}, {3, 1100}},
     .exact = false},
};

}  // namespace percale
