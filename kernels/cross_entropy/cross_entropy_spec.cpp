#include <limits>

#include "../cat/cat.h"
#include "../common/spec.h"
#include "../fill/fill.h"
#include "cross_entropy.h"

namespace percale {
namespace {

/// On `in`: logits, target and perhaps weights.
SpecRun loss_with(double smoothing, Reduction reduction, int64_t ignore_index = -100) {
  return [=](const Tensors& in) {
    return cross_entropy(in[0], in[1],
                         {.weight = in.size() > 2 ? in[2].detach() : Tensor(),
                          .ignore_index = ignore_index,
                          .label_smoothing = smoothing,
                          .reduction = reduction});
  };
}

/// With one more class, which is impossible.
Tensor without_a_class(const Tensors& in) {
  Shape one = in[0].shape();
  one[1] = 1;
  const Tensor excluded = full(one, -std::numeric_limits<double>::infinity(), {in[0].dtype(), in[0].device()});
  return cross_entropy(cat({in[0], excluded}, 1), in[1]);
}

const SpecInput logits = real({"n", "c"}), target = index_input("c", {"n"}), weights = constant(positive({"c"}));

Tensor ramp(const Shape& shape, Device device) {
  return arange(0, static_cast<double>(shape.numel()), 1, {f32, device}).reshape(shape);
}

std::vector<SpecError> errors() {
  const auto at = [](Shape logits_shape, Shape target_shape, int64_t position, double value) {
    return [=](Device device) {
      Tensor target = zeros(target_shape, {i64, cpu_device});
      target.reshape({-1}).slice(0, position, position + 1).fill_(value);
      cross_entropy(ramp(logits_shape, device), target.to(device)).item<float>();
    };
  };
  return {
      {"[cross_entropy] class 12 at position 3 is out of range for 10 classes", at({5, 10}, {5}, 3, 12)},
      {"[cross_entropy] class -1 at position 70 is out of range for 40 classes", at({90, 40}, {90}, 70, -1)},
      {"[cross_entropy] class 3 at position (1, 2) is out of range for 3 classes", at({2, 3, 4}, {2, 4}, 6, 3)},
      {"[cross_entropy] class 3 at position 1 is out of range for 3 classes",
       [](Device device) {  // on the way back too
         const Tensor made = ramp({2, 3}, device).requires_grad_();
         cross_entropy(made, tensor({0, 3}, device), {.weight = ones({3}, {f32, device})}).backward();
         made.grad().to(cpu_device);
       }},
      {"logits [5, 10] want a target of shape [5], got [4]", at({5, 10}, {4}, 0, 0)},
      {"there are no classes in logits [5, 0]", at({5, 0}, {5}, 0, 0)},
      {"target must be i64 or i32, got f32",
       [](Device device) {
         cross_entropy(zeros({2, 3}, {f32, device}), zeros({2}, {f32, device}));
       }},
      {"weight must be [3] floating-point numbers",
       [](Device device) {
         cross_entropy(zeros({2, 3}, {f32, device}), zeros({2}, {i64, device}), {.weight = zeros({2}, {f32, device})});
       }},
      {"label_smoothing must be 0 to 1", [](Device device) {
         cross_entropy(zeros({2, 3}, {f32, device}), zeros({2}, {i64, device}), {.label_smoothing = 1.5});
       }}};
}

}  // namespace

extern const Specs cross_entropy_specs;
const Specs cross_entropy_specs = {
    {.name = "mean",
     .run = loss_with(0, Reduction::mean),
     .inputs = {logits, target},
     .sizes = {{3, 5}, {1, 1}, {0, 4}, {64, 10}, {65, 33}, {7, 1030}, {600, 9}},
     .dtypes = {f32, f64, f16, bf16},
     .exact = false,
     .second_gradient = true,
     .errors = errors(),
     .timings = {{.name = "cross_entropy.64x10", .sizes = {64, 10}, .backward = true},
                 {.name = "cross_entropy.4096x1024", .sizes = {4096, 1024}, .backward = true}}},
    {.name = "mean of i32 targets in sum",
     .run = loss_with(0, Reduction::sum),
     .inputs = {logits, index_input("c", {"n"}, i32)},
     .sizes = {{3, 5}, {70, 40}},
     .exact = false},
    {.name = "none",
     .run = loss_with(0, Reduction::none),
     .inputs = {logits, target},
     .sizes = {{3, 5}, {0, 4}, {65, 33}},
     .exact = false,
     .second_gradient = true},
    {.name = "mean with weights and an ignored class",
     .run = loss_with(0, Reduction::mean, 2),
     .inputs = {logits, target, weights},
     .sizes = {{6, 4}, {65, 33}, {9, 1030}},
     .exact = false,
     .second_gradient = true},
    {.name = "mean with smoothing",
     .run = loss_with(0.1, Reduction::mean),
     .inputs = {logits, target},
     .sizes = {{6, 4}, {65, 33}, {9, 1030}},
     .exact = false,
     .second_gradient = true},
    {.name = "sum with smoothing, weights and an ignored class",
     .run = loss_with(0.2, Reduction::sum, 1),
     .inputs = {logits, target, weights},
     .sizes = {{6, 4}, {65, 33}, {9, 1030}},
     .tolerance = 2e-5,
     .exact = false,
     .second_gradient = true},
    {.name = "images, mean with smoothing, weights and an ignored class",
     .run = loss_with(0.2, Reduction::mean, 1),
     .inputs = {real({"n", "c", "h", "w"}), index_input("c", {"n", "h", "w"}), weights},
     .sizes = {{2, 3, 2, 3}, {2, 5, 9, 17}},
     .exact = false,
     .second_gradient = true},
    {.name = "channels-last images, none",
     .run =
         [](const Tensors& in) { return cross_entropy(in[0].channels_last(), in[1], {.reduction = Reduction::none}); },
     .inputs = {real({"n", "c", "h", "w"}), index_input("c", {"n", "h", "w"})},
     .sizes = {{2, 3, 2, 3}, {2, 5, 9, 7}},
     .exact = false},
    {.name = "logits that exclude a class",
     .run = without_a_class,
     .inputs = {logits, target},
     .sizes = {{3, 5}, {9, 40}, {2, 1030}},
     .exact = false},
    {.name = "images whose logits exclude a class",
     .run = without_a_class,
     .inputs = {real({"n", "c", "h", "w"}), index_input("c", {"n", "h", "w"})},
     .sizes = {{2, 3, 2, 3}},
     .exact = false},
    {.name = "everything ignored",
     .run =
         [](const Tensors& in) {
           return cross_entropy(in[0], zeros({in[0].size(0)}, {i64, in[0].device()}),
                                {.ignore_index = 0, .reduction = Reduction::sum});
         },
     .inputs = {logits},
     .sizes = {{3, 5}, {70, 40}},
     .second_gradient = true},
    {.name = "one position",
     .run =
         [](const Tensors& in) {
           return cross_entropy(in[0], ones({}, {i64, in[0].device()}), {.reduction = Reduction::none});
         },
     .inputs = {real({"c"})},
     .sizes = {{5}, {40}},
     .exact = false,
     .second_gradient = true},
};

}  // namespace percale
