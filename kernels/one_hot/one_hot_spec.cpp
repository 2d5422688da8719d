#include "../common/spec.h"
#include "../fill/fill.h"
#include "one_hot.h"

namespace percale {
namespace {

std::vector<SpecError> errors() {
  auto hot = [](Device d, const Tensor& index, int64_t classes) { one_hot(index.to(d), classes).to(cpu_device); };
  return {{"[one_hot] index 3 at position 2 is out of range for 3 classes",
           [=](Device d) {
             hot(d, tensor({0, 2, 3, -1}), 3);
           }},
          {"[one_hot] index -1 at position (1, 0) is out of range for 3 classes",
           [=](Device d) {
             hot(d, tensor({0, 1, -1, 2}).view({2, 2}), 3);
           }},
          {"[one_hot] index -4 at position 1 is out of range",
           [=](Device d) {
             hot(d, tensor({1, -4}).to(i32), -1);
           }},
          {"the number of classes must be positive, or -1, got 0", [=](Device d) { hot(d, tensor({0}), 0); }},
          {"the number of classes must be positive, or -1, got -2", [=](Device d) { hot(d, tensor({0}), -2); }},
          {"an empty index does not tell the number of classes",
           [=](Device d) {
             hot(d, zeros({0}, {i64, cpu_device}), -1);
           }},
          {"the index must be of i64 or i32, got f32", [=](Device d) { hot(d, ones({2}), 3); }}};
}

Spec of_dtype(const char* name, DType dtype) {
  return {.name = name,
          .run = [dtype](const Tensors& in) { return one_hot(in[1], in[0].size(0), dtype); },
          .inputs = {constant(real({"classes"})), index_input("classes", {"count"})},
          .sizes = {{5, 7}, {1, 1}, {16, 0}, {8, 33}, {32, 5}, {1000, 700}},
          .dtypes = {f32},
          .gradient = false};
}

std::vector<Spec> all() {
  Spec plain = of_dtype("one_hot", i64), bytes = of_dtype("one_hot of u8", u8);
  plain.errors = errors();
  plain.timings = {{.name = "one_hot.64kx1000", .sizes = {1000, 65'536}, .bytes = 65'536.0 * 1000 * 8}};
  bytes.timings = {{.name = "one_hot.64kx1000.u8", .sizes = {1000, 65'536}, .bytes = 65'536.0 * 1000}};
  Spec matrix = of_dtype("one_hot of a matrix of i32, as bf16", bf16);
  matrix.inputs[1] = index_input("classes", {"rows", "columns"}, i32);
  matrix.sizes = {{5, 7, 3}, {8, 2, 9}};
  return {plain, bytes, of_dtype("one_hot of f32", f32), of_dtype("one_hot of bool", boolean), matrix};
}

}  // namespace

extern const Specs one_hot_specs;
const Specs one_hot_specs = all();

}  // namespace percale
