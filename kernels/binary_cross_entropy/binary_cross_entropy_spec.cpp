#include "../common/spec.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "binary_cross_entropy.h"

namespace percale {
namespace {

/// Numbers as probabilities that keep away from 0 and 1, and as targets.
Tensor probability(const Tensor& x) { return add(mul(sigmoid(x), 0.9), 0.05); }
Tensor answer(const Tensor& x) { return sigmoid(x).detach(); }

std::vector<SpecInput> pair() { return {real({"rows", "columns"}), constant(real({"rows", "columns"}))}; }
const std::vector<std::vector<int64_t>> sizes = {{3, 5}, {1, 1}, {0, 4}, {64, 16}, {33, 513}};

std::vector<SpecError> errors() {
  return {{"[binary_cross_entropy] input [2, 3] and target [3] differ in shape",
           [](Device d) {
             binary_cross_entropy(zeros({2, 3}, {f32, d}), zeros({3}, {f32, d}));
           }},
          {"[binary_cross_entropy_with_logits] needs floating-point numbers of one dtype, got f32 and i64",
           [](Device d) {
             binary_cross_entropy_with_logits(zeros({3}, {f32, d}), zeros({3}, {i64, d}));
           }},
          {"[sigmoid_mse_loss] the target cannot have a gradient", [](Device d) {
             sigmoid_mse_loss(zeros({3}, {f32, d}), zeros({3}, {f32, d}).requires_grad_());
           }}};
}

}  // namespace

extern const Specs binary_cross_entropy_specs;
const Specs binary_cross_entropy_specs = {
    {.name = "probabilities",
     .run = [](const Tensors& in) { return binary_cross_entropy(probability(in[0]), answer(in[1])); },
     .inputs = pair(),
     .sizes = sizes,
     .exact = false,
     .second_gradient = true,
     .errors = errors()},
    {.name = "weighted probabilities, each",
     .run =
         [](const Tensors& in) {
           return binary_cross_entropy(probability(in[0]), answer(in[1]), in[2], Reduction::none);
         },
     .inputs = {real({"rows", "columns"}), constant(real({"rows", "columns"})), constant(positive({"columns"}))},
     .sizes = {{3, 5}, {9, 513}},
     .exact = false},
    {.name = "logits",
     .run = [](const Tensors& in) { return binary_cross_entropy_with_logits(mul(in[0], 4), answer(in[1])); },
     .inputs = pair(),
     .sizes = sizes,
     .exact = false,
     .second_gradient = true,
     .timings = {{.name = "binary_cross_entropy_with_logits.64x784", .sizes = {64, 784}, .backward = true}}},
    {.name = "weighted logits, summed",
     .run =
         [](const Tensors& in) {
           return binary_cross_entropy_with_logits(in[0], answer(in[1]), in[2], in[2], Reduction::sum);
         },
     .inputs = {real({"rows", "columns"}), constant(real({"rows", "columns"})), constant(positive({"columns"}))},
     .sizes = {{3, 5}, {9, 513}},
     .exact = false,
     .second_gradient = true},
    {.name = "squared error of a sigmoid",
     .run = [](const Tensors& in) { return sigmoid_mse_loss(in[0], in[1]); },
     .inputs = pair(),
     .sizes = sizes,
     .exact = false,
     .second_gradient = true,
     .timings = {{.name = "sigmoid_mse_loss.64x784", .sizes = {64, 784}, .backward = true}}},
};

}  // namespace percale
