#include <vector>

#include "../../core/autograd.h"
#include "../common/spec.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "embedding_bag.h"

namespace percale {
namespace {

std::vector<SpecError> errors() {
  auto bag = [](Device d, const Tensor& index, const Tensor& offsets, const EmbeddingBagOptions& options) {
    embedding_bag(zeros({3, 4}, {f32, d}), index.to(d), offsets.defined() ? offsets.to(d) : offsets, options)
        .to(cpu_device);
  };
  return {{"[embedding_bag] index 3 at position 2 is out of range for a table of 3 rows",
           [=](Device d) {
             bag(d, tensor({0, 2, 3, -1}), tensor({0, 2}), {});
           }},
          {"[embedding_bag] index -1 at position (1, 1) is out of range",
           [=](Device d) {
             bag(d, tensor({0, 1, 2, -1}).view({2, 2}), {}, {.mode = BagMode::max});
           }},
          {"offset 1 at position 0 is out of place: offsets begin at 0, ascend, and end within 3 entries",
           [=](Device d) {
             bag(d, tensor({0, 1, 2}), tensor({1, 2}), {});
           }},
          {"offset 1 at position 2 is out of place",
           [=](Device d) {
             bag(d, tensor({0, 1, 2}), tensor({0, 2, 1}), {});
           }},
          {"offset 4 at position 1 is out of place",
           [=](Device d) {
             bag(d, tensor({0, 1, 2}), tensor({0, 4}), {});
           }},
          {"offset 2 at position 1 is out of place",
           [=](Device d) {
             bag(d, tensor({0, 1, 2}), tensor({0, 2}), {.include_last_offset = true});
           }},
          {"with offsets the index must be [count], got [2, 2]",
           [=](Device d) {
             bag(d, tensor({0, 1, 2, 1}).view({2, 2}), tensor({0}), {});
           }},
          {"without offsets the index must be [bags, length], got [3]",
           [=](Device d) {
             bag(d, tensor({0, 1, 2}), {}, {});
           }},
          {"3 entries need an offset at least",
           [=](Device d) {
             bag(d, tensor({0, 1, 2}), zeros({0}, {i64, cpu_device}), {});
           }},
          {"per_sample_weights go with the sum alone",
           [=](Device d) {
             bag(d, tensor({0, 1}), tensor({0}), {.per_sample_weights = ones({2}, {f32, d})});
           }},
          {"per_sample_weights must have the index's shape [2]",
           [=](Device d) {
             bag(d, tensor({0, 1}), tensor({0}), {.mode = BagMode::sum, .per_sample_weights = ones({3}, {f32, d})});
           }},
          {"a sparse gradient goes with sum and mean alone", [=](Device d) {
             bag(d, tensor({0, 1}), tensor({0}), {.mode = BagMode::max, .sparse = true});
           }}};
}

Spec of_mode(const char* name, BagMode mode) {
  return {.name = name,
          .run = [mode](const Tensors& in) { return embedding_bag(in[0], in[1], in[2], {.mode = mode}); },
          .inputs = {distinct({"rows", "width"}), index_input("rows", {"count"}), offsets_input("count", {"bags"})},
          .sizes = {{5, 3, 7, 4}, {1, 1, 1, 1}, {100, 33, 500, 30}, {300, 64, 40, 60}, {4, 3, 0, 2}},
          .exact = mode != BagMode::mean,
          .second_gradient = mode != BagMode::max};
}

std::vector<Spec> all() {
  Spec sum = of_mode("sum", BagMode::sum), mean = of_mode("mean", BagMode::mean), max = of_mode("max", BagMode::max);
  mean.errors = errors();
  Spec ties = of_mode("max among equals, whose first gets the gradient", BagMode::max);
  ties.run = [](const Tensors& in) -> Tensors {
    const Tensor table = gt(in[0].detach(), 0).to(in[0].dtype()).requires_grad_();
    const Tensor rows = embedding_bag(table, in[1], in[2], {.mode = BagMode::max});
    return {rows.detach(), grad({rows}, {table}, {full(rows.shape(), 1, {rows.dtype(), rows.device()})})[0]};
  };
  ties.inputs[0] = real({"rows", "width"});
  ties.sizes = {{9, 5, 30, 4}};
  ties.gradient = false;
  Spec matrix = of_mode("mean of a matrix's rows, without padding", BagMode::mean);
  matrix.run = [](const Tensors& in) {
    const Tensor padded = embedding_bag(in[0], in[1], {}, {.padding_idx = 0});
    return padded;
  };
  matrix.inputs = {real({"rows", "width"}), index_input("rows", {"bags", "length"}, i32)};
  matrix.sizes = {{5, 3, 4, 6}, {40, 64, 30, 7}};
  Spec weighted = of_mode("weighted sum", BagMode::sum);
  weighted.run = [](const Tensors& in) {
    return embedding_bag(in[0], in[1], in[2], {.mode = BagMode::sum, .per_sample_weights = in[3]});
  };
  weighted.inputs.push_back(real({"count"}));
  weighted.sizes = {{5, 3, 7, 4}, {60, 33, 200, 20}};
  Spec half_index = of_mode("sum by indices and offsets of 32 bits", BagMode::sum);
  half_index.inputs = {real({"rows", "width"}), index_input("rows", {"count"}, i32),
                       offsets_input("count", {"bags"}, i32)};
  sum.timings = {{.name = "embedding_bag.100kx64.64k", .sizes = {100'000, 64, 65'536, 2048}, .backward = true}};
  return {sum, mean, max, ties, matrix, weighted, half_index};
}

}  // namespace

extern const Specs embedding_bag_specs;
const Specs embedding_bag_specs = all();

}  // namespace percale
