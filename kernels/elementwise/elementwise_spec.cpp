#include "../common/spec.h"
#include "../fill/fill.h"
#include "elementwise.h"

namespace percale {
namespace {

const std::vector<DType> all_floats = {f32, f64, f16, bf16};

/// A function of one number: any length, odd ones and more than a block of the CPU's included.
Spec unary(std::string name, Tensor (*function)(const Tensor&), SpecInput input, bool exact) {
  return {.name = name,
          .run = [function](const Tensors& in) { return function(in[0]); },
          .inputs = {std::move(input)},
          .sizes = {{3, 7}, {1, 1}, {0, 4}, {5, 231}},
          .dtypes = all_floats,
          .half_tolerance = 2e-2,
          .exact = exact,
          .second_gradient = true,
          .timings = {{.name = name + ".64x4096", .sizes = {64, 4096}}}};
}

/// A function of two: both of one shape, and the second broadcast along either side.
Spec binary(std::string name, Tensor (*function)(const Operand&, const Operand&), SpecInput a, SpecInput b,
            bool exact) {
  return {.name = name,
          .run =
              [function](const Tensors& in) {
                return Tensors{function(in[0], in[1]), function(in[0], in[2]), function(in[3], in[0])};
              },
          .inputs = {a, b, {b.kind, {"columns"}}, {a.kind, {"rows", "one"}}},
          .sizes = {{3, 5, 1}, {1, 1, 1}, {0, 4, 1}, {9, 129, 1}},
          .dtypes = all_floats,
          .half_tolerance = 2e-2,
          .exact = exact,
          .second_gradient = true,
          .errors = {{"do not broadcast",
                      [function](Device device) {
                        function(zeros({2, 3}, {f32, device}), zeros({4}, {f32, device}));
                      }}},
          .timings = {{.name = name + ".64x4096", .sizes = {64, 4096, 1}}}};
}

Spec comparison(std::string name, Tensor (*function)(const Operand&, const Operand&)) {
  return {.name = name,
          .run =
              [function](const Tensors& in) {
                return Tensors{function(in[0], in[1]), function(in[0], 0.5), function(0.5, in[1])};
              },
          .inputs = {real({"rows", "columns"}), real({"columns"})},
          .sizes = {{3, 5}, {1, 1}, {0, 3}, {9, 131}},
          .dtypes = all_floats,
          .tolerance = 0,
          .gradient = false};
}

SpecInput matrix(SpecInput (*kind)(std::vector<std::string>)) { return kind({"rows", "columns"}); }

Specs functions_of_one() {
  return {
      unary("neg", neg, matrix(real), true),
      unary("abs", abs, matrix(distinct), true),
      unary("relu", relu, matrix(distinct), true),
      unary("exp", exp, matrix(real), false),
      unary("log", log, matrix(positive), false),
      unary("sqrt", sqrt, matrix(positive), false),
      unary("erf", erf, matrix(real), false),
      unary("tanh", tanh, matrix(real), false),
      unary("sigmoid", sigmoid, matrix(real), false),
      unary(
          "gelu", [](const Tensor& x) { return gelu(x); }, matrix(real), false),
      unary(
          "gelu by tanh", [](const Tensor& x) { return gelu(x, GeluApproximation::tanh); }, matrix(real), false),
      unary(
          "clamp", [](const Tensor& x) { return clamp(x, -0.25, 0.5); }, matrix(distinct), true),
      unary(
          "clamp from above", [](const Tensor& x) { return clamp(x, {}, 0.25); }, matrix(distinct), true),
      unary(
          "powers by a number",
          [](const Tensor& x) { return pow(x, 2) + pow(x, 3.0) + pow(x, 0.5) + pow(x, -1) + pow(x, -1.5) + pow(2, x); },
          matrix(positive), false),
      unary(
          "numbers on either side", [](const Tensor& x) { return (2 - x) * 0.5 + (x - 1) / 4 - 3 / (1.5 + x * x); },
          matrix(real), false),
  };
}

Specs functions_of_two() {
  return {
      binary("add", add, matrix(real), matrix(real), true),
      binary("sub", sub, matrix(real), matrix(real), true),
      binary("mul", mul, matrix(real), matrix(real), true),
      binary("div", div, matrix(real), matrix(positive), false),
      binary("pow", pow, matrix(positive), matrix(real), false),
      binary("maximum", maximum, matrix(real), matrix(distinct), true),
      binary("minimum", minimum, matrix(real), matrix(distinct), true),
      comparison("eq", eq),
      comparison("ne", ne),
      comparison("lt", lt),
      comparison("le", le),
      comparison("gt", gt),
      comparison("ge", ge),
  };
}

void add_twice(const Tensor& target) { target += target.select(0, 0); }

Specs in_place() {
  return {
      {.name = "in place",
       .run =
           [](const Tensors& in) {
             const Tensor x = in[0] * 2;
             x += in[1];
             x *= in[2];
             x -= 0.25;
             return x;
           },
       .inputs = {matrix(real), matrix(real), real({"columns"})},
       .sizes = {{3, 5}, {0, 2}, {33, 65}},
       .dtypes = all_floats,
       .exact = false,
       .errors = {{"a leaf that requires its gradient",
                   [](Device device) {
                     ones({2}, {f32, device}).requires_grad_() += 1;
                   }},
                  {"the target has shape [2], the result [3, 2]",
                   [](Device device) {
                     ones({2}, {f32, device}) += ones({3, 2}, {f32, device});
                   }},
                  {"does not fit a target of i64",
                   [](Device device) {
                     ones({2}, {i64, device}) += 0.5;
                   }},
                  {"the target is expanded",
                   [](Device device) {
                     ones({2, 1}, {f32, device}).expand({2, 3}) += 1;
                   }},
                  {"a view cannot be given a history",
                   [](Device device) {
                     ones({2, 2}, {f32, device})[0] += ones({2}, {f32, device}).requires_grad_();
                   }}}},
      {.name = "in place over its own view",
       .run =
           [](const Tensors& in) {
             const Tensor x = in[0].detach().clone();
             add_twice(x);
             x *= x;
             return x;
           },
       .inputs = {constant(matrix(real))},
       .sizes = {{3, 5}, {40, 65}},
       .dtypes = all_floats,
       .gradient = false},
  };
}

Specs of_other_dtypes() {
  return {
      {.name = "mixed dtypes",
       .run =
           [](const Tensors& in) {
             return Tensors{in[0].to(f16) + in[1], in[0].to(bf16) * in[2], in[2] / in[1]};
           },
       .inputs = {constant(matrix(real)), matrix(real), index_input("columns", {"columns"})},
       .sizes = {{3, 5}, {33, 65}},
       .tolerance = 1e-2,
       .exact = false,
       .gradient = false},
      {.name = "integers",
       .run =
           [](const Tensors& in) {
             const Tensor a = in[0], b = in[1], few = in[2] > 1;
             return Tensors{a + b,
                            a - b * 3,
                            abs(2 - a),
                            pow(b, 3),
                            pow(a, few.to(i64)),
                            maximum(a, b),
                            minimum(a, 5),
                            clamp(a, 2, 7),
                            relu(a - 4),
                            a / b,
                            where(few, a, 1),
                            few + few,
                            few * few,
                            a.to(u8) - 2,
                            a < b,
                            b == 2,
                            -a};
           },
       .inputs = {index_input("bound", {"rows", "columns"}), index_input("bound", {"columns"}, i32),
                  index_input("bound", {"rows", "one"})},
       .sizes = {{3, 5, 1, 10}, {0, 2, 1, 3}, {9, 129, 1, 100}},
       .gradient = false,
       .errors = {{"an integer to the power of -1",
                   [](Device device) {
                     pow(ones({2}, {i64, device}), -1);
                   }},
                  {"not defined for bool",
                   [](Device device) {
                     ones({2}, {boolean, device}) - ones({2}, {boolean, device});
                   }},
                  {"at least one operand must be a tensor", [](Device) { add(1, 2); }}}},
  };
}

Specs others() {
  return {
      {.name = "where",
       .run =
           [](const Tensors& in) {
             return Tensors{where(in[0], in[1], in[2]), where(in[0], in[3], 0.5)};
           },
       .inputs = {boolean_input({"rows", "columns"}), matrix(real), real({"columns"}), real({"rows", "one"})},
       .sizes = {{3, 5, 1}, {1, 1, 1}, {0, 4, 1}, {9, 131, 1}},
       .dtypes = all_floats,
       .second_gradient = true,
       .errors = {{"the condition must be bool, got f32",
                   [](Device device) {
                     const Tensor x = ones({2}, {f32, device});
                     where(x, x, x);
                   }}}},
      {.name = "many elements",
       .run = [](const Tensors& in) { return exp(in[0]) * in[1]; },
       .inputs = {matrix(real), real({"columns"})},
       .sizes = {{2, 3}, {66, 515}},
       .exact = false},
      {.name = "channels last",
       .run =
           [](const Tensors& in) {
             const Tensor image = in[0].channels_last();
             const Tensor result = (image + in[1]) * in[0];
             require(result.is_channels_last(), "channels last", "strides {} of {}", result.strides(), result.shape());
             return result;
           },
       .inputs = {real({"batch", "channels", "height", "width"}), real({"channels", "one", "one"})},
       .sizes = {{2, 3, 4, 5, 1}, {1, 5, 1, 2, 1}, {4, 17, 9, 7, 1}}},
  };
}

Specs make_specs() {
  Specs specs = functions_of_one();
  for (const Specs& more : {functions_of_two(), in_place(), of_other_dtypes(), others()})
    specs.insert(specs.end(), more.begin(), more.end());
  return specs;
}

}  // namespace

extern const Specs elementwise_specs;
const Specs elementwise_specs = make_specs();

}  // namespace percale
