#include "../common/spec.h"
#include "../fill/fill.h"
#include "nearest_neighbours.h"

namespace percale {
namespace {

template <Similarity kind, int64_t k>
Tensors nearest(const Tensors& in) {
  const auto [similarity, index] = nearest_neighbours(in[0], in[1], k, kind);
  return {similarity, index};
}

std::vector<SpecError> errors() {
  auto find = [](Device d, const Shape& queries, const Shape& rows, int64_t k, DType dtype = f32) {
    nearest_neighbours(zeros(queries, {f32, d}), zeros(rows, {dtype, d}), k);
  };
  return {{"queries must be [count, width] and rows [n, width], got [3] and [4, 3]",
           [=](Device d) {
             find(d, {3}, {4, 3}, 1);
           }},
          {"queries must be [count, width] and rows [n, width], got [2, 3] and [4, 2]",
           [=](Device d) {
             find(d, {2, 3}, {4, 2}, 1);
           }},
          {"of one dtype, got f32 and f64",
           [=](Device d) {
             find(d, {2, 3}, {4, 3}, 1, f64);
           }},
          {"k must be 1 to the number of rows, 4, got 5",
           [=](Device d) {
             find(d, {2, 3}, {4, 3}, 5);
           }},
          {"k must be 1 to the number of rows, 4, got 0",
           [=](Device d) {
             find(d, {2, 3}, {4, 3}, 0);
           }},
          {"k must be 1 to the number of rows, 0, got 1", [=](Device d) {
             find(d, {2, 3}, {0, 3}, 1);
           }}};
}

}  // namespace

extern const Specs nearest_neighbours_specs = {
    {.name = "nearest by dot",
     .run = nearest<Similarity::dot, 3>,
     .inputs = {real({"queries", "width"}), real({"rows", "width"})},
     .sizes = {{2, 3, 9},
               {1, 16, 3},
               {0, 3, 12},
               {2, 0, 11},
               {2, 3, 700},
               {1, 1, 16500},
               {9, 33, 650},
               {300, 40, 1500},
               {3, 20, 9000}},
     .dtypes = {f32, f64, bf16},
     .gradient = false,
     .errors = errors()},
    {.name = "ten nearest by dot",
     .run = nearest<Similarity::dot, 10>,
     .inputs = {real({"queries", "width"}), real({"rows", "width"})},
     .sizes = {{1, 3, 12}},
     .gradient = false,
     .timings = {{.name = "nearest_neighbours.10kx100kx128.top10",
                  .sizes = {10'000, 128, 100'000},
                  .operations = 2.0 * 10'000 * 100'000 * 128}}},
    {.name = "nearest by cosine",
     .run = nearest<Similarity::cosine, 3>,
     .inputs = {real({"queries", "width"}), real({"rows", "width"})},
     .sizes = {{3, 3, 20}, {1, 16, 3}, {2, 0, 11}, {7, 40, 700}, {3, 20, 9000}},
     .exact = false,
     .gradient = false},
    {.name = "nearest by distance",
     .run = nearest<Similarity::euclidean, 4>,
     .inputs = {real({"queries", "width"}), real({"rows", "width"})},
     .sizes = {{3, 3, 20}, {1, 16, 4}, {7, 40, 700}, {3, 20, 9000}},
     .exact = false,
     .gradient = false},
};

}  // namespace percale
