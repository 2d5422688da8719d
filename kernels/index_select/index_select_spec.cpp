#include "../common/spec.h"
#include "../fill/fill.h"
#include "index_select.h"

namespace percale {
namespace {

std::vector<SpecError> errors() {
  auto select = [](Device d, const Tensor& index) {
    return index_select(zeros({3, 4}, {f32, d}), 1, index).to(cpu_device);
  };
  return {{"index 4 at position 2 is out of range for a dimension of 4",
           [=](Device d) {
             select(d, tensor({0, 3, 4, -1, 9}, d));
           }},
          {"index -1 at position 0 is out of range for a dimension of 4",
           [=](Device d) { select(d, tensor({-1}, d).to(i32)); }},
          {"index must be [count] of i64 or i32, got [1] of f32",
           [=](Device d) {
             select(d, ones({1}, {f32, d}));
           }},
          {"index must be [count] of i64 or i32, got [1, 1] of i64",
           [=](Device d) {
             select(d, zeros({1, 1}, {i64, d}));
           }},
          {"dimension 2 is out of range",
           [](Device d) {
             index_select(zeros({3, 4}, {f32, d}), 2, tensor({0}, d));
           }},
          {"without dimensions",
           [](Device d) {
             index_select(zeros({}, {f32, d}), 0, tensor({0}, d));
           }},
          {"a dimension of 0", [](Device d) {
             index_select(zeros({0, 4}, {f32, d}), 0, tensor({0}, d));
           }}};
}

}  // namespace

extern const Specs index_select_specs;
const Specs index_select_specs = {
    {.name = "index_select of rows",
     .run = [](const Tensors& in) { return index_select(in[0], 0, in[1]); },
     .inputs = {real({"rows", "columns"}), index_input("rows", {"count"})},
     .sizes = {{4, 3, 5}, {1, 1, 1}, {3, 4, 0}, {5, 0, 2}, {2, 8, 70}, {37, 133, 40}, {9, 16, 33}},
     .dtypes = {f32, f64, f16, bf16},
     .half_tolerance = 2e-2,
     .second_gradient = true,
     .errors = errors(),
     .timings = {{.name = "index_select.60kx784.64", .sizes = {60'000, 784, 64}, .bytes = 2.0 * 64 * 784 * 4}}},
    {.name = "index_select of columns",
     .run = [](const Tensors& in) { return index_select(in[0], -1, in[1]); },
     .inputs = {real({"rows", "columns"}), index_input("columns", {"count"}, i32)},
     .sizes = {{4, 3, 5}, {17, 5, 70}},
     .second_gradient = true},
    {.name = "index_select of channels",
     .run = [](const Tensors& in) { return index_select(in[0].channels_last(), 1, in[1]); },
     .inputs = {real({"n", "c", "h", "w"}), index_input("c", {"count"})},
     .sizes = {{2, 3, 2, 3, 4}, {1, 5, 3, 1, 2}},
     .second_gradient = true},
    {.name = "index_select of labels",
     .run = [](const Tensors& in) { return index_select(in[0], 0, in[1]); },
     .inputs = {index_input("classes", {"rows"}), index_input("rows", {"count"}), constant(real({"classes"}))},
     .sizes = {{7, 9, 10}, {100, 64, 10}},
     .gradient = false},
};

}  // namespace percale
