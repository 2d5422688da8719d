#include "../common/spec.h"
#include "../fill/fill.h"
#include "bias_gelu.h"

namespace percale {
namespace {

std::vector<SpecError> errors() {
  const auto with = [](Shape input, Shape bias, DType dtype = f32, DType bias_dtype = f32) {
    return [=](Device device) { bias_gelu(zeros(input, {dtype, device}), zeros(bias, {bias_dtype, device})); };
  };
  return {{"[bias_gelu] input must be [..., width] of a floating dtype, got [2, 3] of i64", with({2, 3}, {3}, i64)},
          {"[bias_gelu] input must be [..., width] of a floating dtype, got [] of f32", with({}, {3})},
          {"[bias_gelu] bias must be [3] of a floating dtype, got [2] of f32", with({2, 3}, {2})},
          {"[bias_gelu] bias must be [3] of a floating dtype, got [1, 3] of f32", with({2, 3}, {1, 3})},
          {"[bias_gelu] bias must be [3] of a floating dtype, got [3] of bool", with({2, 3}, {3}, f32, boolean)}};
}

SpecTiming timing(const char* name, int64_t rows, int64_t width, bool backward) {
  const double area = 4.0 * static_cast<double>(rows * width);  // in and out; upstream, in and out
  return {.name = name, .sizes = {rows, width}, .bytes = area * (backward ? 5 : 2), .backward = backward};
}

}  // namespace

extern const Specs bias_gelu_specs;
const Specs bias_gelu_specs = {
    {.name = "bias_gelu",
     .run = [](const Tensors& in) { return bias_gelu(in[0], in[1]); },
     .inputs = {real({"rows", "width"}), real({"width"})},
     .sizes = {{3, 5}, {1, 1}, {0, 4}, {4, 0}, {33, 10}, {70, 64}, {100, 132}, {5, 3000}, {300, 3}},
     .dtypes = {f32, f64, f16, bf16},
     .exact = false,
     .second_gradient = true,
     .errors = errors(),
     .timings = {timing("bias_gelu.1024x3072.both", 1024, 3072, true)}},
    {.name = "bias_gelu, inference",
     .run = [](const Tensors& in) { return bias_gelu(in[0], in[1]); },
     .inputs = {constant(real({"rows", "width"})), constant(real({"width"}))},
     .sizes = {{3, 5}, {70, 64}},
     .exact = false,
     .gradient = false,
     .timings = {timing("bias_gelu.1024x3072", 1024, 3072, false)}},
    {.name = "bias_gelu of bf16 with a bias of f32",
     .run = [](const Tensors& in) { return bias_gelu(in[0].to(bf16), in[1]).to(in[1].dtype()); },
     .inputs = {constant(real({"n", "rows", "width"})), real({"width"})},
     .sizes = {{2, 3, 5}, {1, 33, 64}},
     .tolerance = 1e-2,
     .exact = false,
     .gradient = false},
};

}  // namespace percale
