#include <limits>

#include "../common/spec.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "embedding.h"

namespace percale {
namespace {

std::vector<SpecError> errors() {
  auto pick = [](Device d, const Tensor& index) {
    return embedding(zeros({3, 4}, {f32, d}), index.to(d)).to(cpu_device);
  };
  auto pad = [](Device d, int64_t row) {
    return embedding(zeros({3, 4}, {f32, d}), tensor({0}, d), {.padding_idx = row});
  };
  return {{"[embedding] index 3 at position 2 is out of range for a table of 3 rows",
           [=](Device d) {
             pick(d, tensor({0, 2, 3, -1}));
           }},
          {"[embedding] index -1 at position (1, 2) is out of range for a table of 3 rows",
           [=](Device d) {
             pick(d, tensor({0, 1, 2, 2, 1, -1}).view({2, 3}));
           }},
          {"[embedding] index -2 at position 1 is out of range",
           [=](Device d) {
             pick(d, tensor({1, -2}).to(i32));
           }},
          {"the index must be of i64 or i32, got f32", [=](Device d) { pick(d, ones({2})); }},
          {"the table must be [rows, width] of a floating dtype, got [4] of f32",
           [](Device d) {
             embedding(zeros({4}, {f32, d}), tensor({0}, d));
           }},
          {"the table must be [rows, width] of a floating dtype, got [4, 1] of i64",
           [](Device d) {
             embedding(zeros({4, 1}, {i64, d}), tensor({0}, d));
           }},
          {"1 entries cannot name rows of an empty table",
           [](Device d) {
             embedding(zeros({0, 4}, {f32, d}), tensor({0}, d));
           }},
          {"padding_idx 3 is out of range for a table of 3 rows", [=](Device d) { pad(d, 3); }},
          {"padding_idx -4 is out of range for a table of 3 rows", [=](Device d) { pad(d, -4); }},
          {"a row-sparse gradient needs a table that is a leaf, this is the output of MulBackward0",
           [](Device d) {
             embedding(mul(zeros({3, 4}, {f32, d}).requires_grad_(), 2), tensor({0}, d), {.sparse = true});
           }},
          {"a sparse gradient needs a table of f32 or f64, got f16",
           [](Device d) {
             embedding(zeros({3, 4}, {f16, d}), tensor({0}, d), {.sparse = true});
           }},
          {"max_norm cannot be negative", [](Device d) {
             embedding(zeros({3, 4}, {f32, d}), tensor({0}, d), {.max_norm = -1});
           }}};
}

/// Both ways: the table's rows in, the gathered rows and the table's gradient out.
SpecTiming both_ways(const char* name, int64_t rows, int64_t width) {
  const int64_t count = 65'536;
  const double bytes =
      4.0 * static_cast<double>(width) * static_cast<double>(3 * count + rows) + 8.0 * static_cast<double>(count);
  return {.name = name, .sizes = {rows, width, count}, .bytes = bytes, .backward = true};
}

/// With rows shrunk to a norm of 1/2. Row 0 has just that in its first element, and must stay as it is.
Spec shrunk(std::string name, double type) {
  return {.name = std::move(name),
          .run = [type](const Tensors& in) -> Tensors {
            const Tensor table = in[0].detach().contiguous().clone();
            table.slice(0, 0, 1).fill_(0);
            table.slice(0, 0, 1).slice(1, 0, 1).fill_(0.5);
            const Tensor rows = embedding(table, in[1], {.max_norm = 0.5, .norm_type = type});
            return {rows, table, eq(table.slice(0, 0, 1).slice(1, 0, 1), 0.5)};
          },
          .inputs = {constant(real({"rows", "width"})), index_input("rows", {"count"})},
          .sizes = {{5, 3, 17}, {1, 1, 1}, {40, 70, 30}, {20, 64, 9}},
          .dtypes = {f32, f64},
          .exact = false,
          .gradient = false};
}

}  // namespace

extern const Specs embedding_specs;
const Specs embedding_specs = {
    {.name = "embedding",
     .run = [](const Tensors& in) { return embedding(in[0], in[1]); },
     .inputs = {real({"rows", "width"}), index_input("rows", {"count"})},
     .sizes = {{5, 3, 7}, {1, 1, 1}, {3, 4, 0}, {5, 0, 2}, {100, 33, 1000}, {700, 8, 300}, {7, 64, 320}, {300, 260, 5}},
     .dtypes = {f32, f64, f16, bf16},
     .half_tolerance = 2e-2,
     .second_gradient = true,
     .errors = errors(),
     .timings = {both_ways("embedding.100kx64.64k", 100'000, 64),
                 both_ways("embedding.100kx256.64k", 100'000, 256),
                 {.name = "gather.100kx256.64k", .sizes = {100'000, 256, 65'536}, .bytes = 2.0 * 4 * 256 * 65'536},
                 {.name = "gather.100kx768.64k", .sizes = {100'000, 768, 65'536}, .bytes = 2.0 * 4 * 768 * 65'536}}},
    {.name = "embedding of a matrix of i32",
     .run = [](const Tensors& in) { return embedding(in[0], in[1]); },
     .inputs = {real({"rows", "width"}), index_input("rows", {"sentences", "words"}, i32)},
     .sizes = {{5, 3, 2, 4}, {40, 16, 7, 9}},
     .second_gradient = true},
    {.name = "embedding with a padding row",
     .run = [](const Tensors& in) { return embedding(in[0], in[1], {.padding_idx = -2}); },
     .inputs = {real({"rows", "width"}), index_input("rows", {"count"})},
     .sizes = {{5, 3, 17}, {2, 20, 9}},
     .gradient = false},
    shrunk("embedding of rows of a largest norm", 2),
    shrunk("embedding of rows of a largest sum", 1),
    shrunk("embedding of rows of a largest element", std::numeric_limits<double>::infinity()),
    {.name = "embedding of one row",
     .run = [](const Tensors& in) { return embedding(in[0], mul(in[1], 0)); },
     .inputs = {real({"rows", "width"}), index_input("rows", {"count"})},
     .sizes = {{6, 5, 700}, {1, 130, 70}}},
};

}  // namespace percale
