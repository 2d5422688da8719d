#include "../common/spec.h"
#include "../fill/fill.h"
#include "embedding_norm.h"

namespace percale {
namespace {

/// Of tables with 3, 4 and 2 rows.
std::function<void(Device)> with(const Tensor& ids, const Tensor& positions, const Tensor& types, Shape word = {3, 5},
                                 Shape weight = {5}, double eps = 1e-12) {
  return [=](Device d) {
    const Tensor parameter = zeros(weight, {f32, d});
    embedding_layer_norm(zeros(word, {f32, d}), zeros({4, 5}, {f32, d}), zeros({2, 5}, {f32, d}), ids.to(d),
                         positions.to(d), types.to(d), parameter, zeros({5}, {f32, d}), eps)
        .to(cpu_device);
  };
}

std::vector<SpecError> errors() {
  const Tensor none = tensor({0, 0, 0});
  const Tensor matrix = tensor({0, 0, 0, 0}).view({2, 2});
  return {{"[embedding_layer_norm] index 3 at position 1 is out of range for a word table of 3 rows",
           with(tensor({0, 3, -1}), none, none)},
          {"[embedding_layer_norm] index -1 at position 2 is out of range for a position table of 4 rows",
           with(none, tensor({0, 3, -1}), tensor({5, 0, 0}))},
          {"[embedding_layer_norm] index 2 at position (1, 0) is out of range for a type table of 2 rows",
           with(matrix, matrix.to(i32), tensor({0, 1, 2, 3}).view({2, 2}))},
          {"[embedding_layer_norm] index 7 at position 0 is out of range for a word table of 3 rows",
           with(tensor({7, 0, 0}).to(i32), tensor({9, 0, 0}).to(i32), none.to(i32))},
          {"positions must be [3] of i64 or i32, got [2] of i64", with(none, tensor({0, 0}), none)},
          {"types must be [3] of i64 or i32, got [3] of f32", with(none, none, zeros({3}))},
          {"the position table must be [rows, 4] of f32 as the word table, got [4, 5] of f32",
           with(none, none, none, {3, 4})},
          {"the word table must be [rows, width] of a floating dtype, got [5] of f32", with(none, none, none, {5})},
          {"3 entries cannot name rows of an empty word table", with(none, none, none, {0, 5})},
          {"weight must be [5] of f32 as the tables, got [6] of f32", with(none, none, none, {3, 5}, {6})},
          {"eps cannot be negative", with(none, none, none, {3, 5}, {5}, -1)}};
}

std::vector<SpecInput> inputs(DType dtype, std::vector<std::string> shape) {
  return {real({"words", "width"}),
          real({"positions", "width"}),
          real({"types", "width"}),
          index_input("words", shape, dtype),
          index_input("positions", shape, dtype),
          index_input("types", shape, dtype),
          real({"width"}),
          real({"width"})};
}

Tensor run(const Tensors& in) { return embedding_layer_norm(in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]); }

/// BERT's tables, `count` tokens. Forward: a row of the words' and the result (the others stay in the cache).
SpecTiming timing(const char* name, int64_t count, bool backward) {
  const double area = 4.0 * 768 * static_cast<double>(count), tables = 4.0 * 768 * (30'522 + 512 + 2);
  return {.name = name,
          .sizes = {30'522, 768, 512, 2, count},
          .bytes = backward ? 7 * area + tables : 2 * area,
          .backward = backward};
}

}  // namespace

extern const Specs embedding_norm_specs;
const Specs embedding_norm_specs = {
    {.name = "embedding_layer_norm",
     .run = run,
     .inputs = inputs(i64, {"count"}),
     .sizes = {{4, 5, 3, 2, 6},
               {1, 2, 1, 1, 1},
               {3, 4, 2, 2, 0},
               {20, 64, 9, 2, 33},
               {7, 130, 5, 3, 20},
               {5, 1100, 4, 2, 7}},
     .dtypes = {f32, f64, f16, bf16},
     .tolerance = 2e-5,
     .half_tolerance = 3e-2,
     .exact = false,
     .second_gradient = true,
     .errors = errors(),
     .timings = {timing("embedding_layer_norm.30522x768.1024.both", 1024, true)}},
    {.name = "embedding_layer_norm of a matrix of i32",
     .run = run,
     .inputs = inputs(i32, {"sentences", "tokens"}),
     .sizes = {{4, 5, 3, 2, 2, 3}, {20, 64, 9, 2, 4, 9}},
     .exact = false},
    {.name = "embedding_layer_norm, inference",
     .run = [](const Tensors& in) { return run(in); },
     .inputs = inputs(i64, {"count"}),
     .sizes = {{4, 5, 3, 2, 6}, {20, 64, 9, 2, 33}},
     .exact = false,
     .gradient = false,
     .timings = {timing("embedding_layer_norm.30522x768.1024", 1024, false)}},
    {.name = "embedding_layer_norm without weight and bias",
     .run =
         [](const Tensors& in) {
           return embedding_layer_norm(in[0], in[1], in[2], in[3], in[4].to(i32), in[5], {}, {}, 0.1);
         },
     .inputs = inputs(i64, {"count"}),
     .sizes = {{4, 5, 3, 2, 6}},
     .exact = false,
     .gradient = false},
};

}  // namespace percale
