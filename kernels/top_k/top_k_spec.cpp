#include "../common/spec.h"
#include "../fill/fill.h"
#include "top_k.h"

namespace percale {
namespace {

template <int64_t k, int64_t dim, bool largest>
Tensors choose(const Tensors& in) {
  const auto [values, index] = top_k(in[0], k, dim, largest);
  return {values, index};
}

template <int64_t k, int64_t dim, bool largest>
Tensor values(const Tensors& in) {
  return top_k(in[0], k, dim, largest).first;
}

std::vector<SpecError> errors() {
  return {{"k must be 0 to the extent of the dimension, 4, got 5",
           [](Device d) {
             top_k(zeros({3, 4}, {f32, d}), 5);
           }},
          {"k must be 0 to the extent of the dimension, 3, got -1",
           [](Device d) {
             top_k(zeros({3, 4}, {f32, d}), -1, 0);
           }},
          {"needs numbers to compare, got bool",
           [](Device d) {
             top_k(zeros({3}, {boolean, d}), 1);
           }},
          {"dimension 2 is out of range",
           [](Device d) {
             top_k(zeros({3, 4}, {f32, d}), 1, 2);
           }},
          {"without dimensions", [](Device d) {
             top_k(zeros({}, {f32, d}), 1);
           }}};
}

}  // namespace

extern const Specs top_k_specs;
const Specs top_k_specs = {
    {.name = "largest values",
     .run = values<3, -1, true>,
     .inputs = {distinct({"rows", "columns"})},
     .sizes = {{4, 7}, {1, 3}, {0, 5}, {3, 70}, {2, 300}, {30, 1000}, {700, 40}},
     .second_gradient = true,
     .errors = errors(),
     .timings = {{.name = "top_k.1kx10k.3", .sizes = {1000, 10'000}},
                 {.name = "top_k.10x1M.3", .sizes = {10, 1'000'000}}}},
    {.name = "smallest values of columns",
     .run = values<2, 0, false>,
     .inputs = {distinct({"rows", "columns"})},
     .sizes = {{4, 7}, {2, 1}, {300, 70}},
     .second_gradient = true},
    {.name = "largest of many equals",
     .run = choose<4, 1, true>,
     .inputs = {real({"a", "b", "c"})},
     .sizes = {{1, 9, 2}, {30, 500, 2}},
     .dtypes = {f16, f32},
     .half_tolerance = 0,
     .gradient = false},
    {.name = "a large part of a row",
     .run = choose<40, -1, true>,
     .inputs = {distinct({"rows", "columns"})},
     .sizes = {{3, 50}, {1, 40}, {0, 45}, {20, 1000}},
     .timings = {{.name = "top_k.1kx10k.40", .sizes = {1000, 10'000}}}},
    {.name = "a large part of many equals",
     .run = choose<100, 0, false>,
     .inputs = {real({"rows", "columns"})},
     .sizes = {{130, 3}, {100, 70}},
     .dtypes = {f16, bf16, f32},
     .half_tolerance = 0,
     .gradient = false},
    {.name = "a large part in double precision",
     .run = choose<40, -1, true>,
     .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 50}, {20, 1000}},
     .dtypes = {f64},
     .gradient = false},
    {.name = "of whole numbers",
     .run = choose<5, -1, false>,
     .inputs = {index_input("bound", {"rows", "bound"}, i32)},
     .sizes = {{3, 8}, {4, 300}},
     .gradient = false},
    {.name = "of indices",
     .run = choose<5, -1, true>,
     .inputs = {index_input("bound", {"rows", "bound"})},
     .sizes = {{3, 8}, {4, 300}},
     .gradient = false},
};

}  // namespace percale
