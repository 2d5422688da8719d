#include <algorithm>

#include "../cat/cat.h"
#include "../common/spec.h"
#include "../common/spec_random.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "attention.h"

namespace percale {
namespace {

/// Made on the device by fills, so that it can be captured.
Tensor offsets_of(const std::vector<int64_t>& bounds, TensorOptions options) {
  Tensors each;
  for (const int64_t bound : bounds) each.push_back(full({1}, static_cast<double>(bound), options));
  return cat(each, 0);
}

/// Sequences of 0, step, 2 step, ... tokens, and a last one of what is left.
Tensor growing(const Tensors& in, int64_t step, const AttentionOptions& options, DType dtype = i64) {
  std::vector<int64_t> bounds = {0};
  const int64_t tokens = in[0].size(0);
  int64_t longest = 0;
  for (int64_t length = 0; bounds.back() < tokens; length += step) {
    bounds.push_back(std::min(bounds.back() + length, tokens));
    longest = length;
  }
  return attention(in[0], in[1], in[2], offsets_of(bounds, {dtype, in[0].device()}), longest, options);
}

void call(Device device, const std::vector<int64_t>& offsets, int64_t longest, const AttentionOptions& options = {},
          const Shape& shape = {4, 6}, DType dtype = f32) {
  const Tensor x = zeros(shape, {dtype, device});
  Tensor given = Tensor::empty({static_cast<int64_t>(offsets.size())}, {i64, cpu_device});
  std::copy(offsets.begin(), offsets.end(), given.data<int64_t>());
  attention(x, x, x, given.to(device), longest, options).to(cpu_device);
}

const std::vector<SpecError> errors = {
    {"[attention] offset 1 at position 0 is out of place: offsets begin at 0, do not fall, and end at 4 tokens",
     [](Device d) {
       call(d, {1, 4}, 4);
     }},
    {"[attention] offset 2 at position 2 is out of place",
     [](Device d) {
       call(d, {0, 3, 2, 4}, 4);
     }},
    {"[attention] offset 5 at position 1 is out of place",
     [](Device d) {
       call(d, {0, 5, 4}, 5);
     }},
    {"[attention] offset 3 at position 1 is out of place",
     [](Device d) {
       call(d, {0, 3}, 4);
     }},
    {"[attention] offset -1 at position 1 is out of place",
     [](Device d) {
       call(d, {0, -1, 4}, 4);
     }},
    {"[attention] offset 0 at position 0 is out of place", [](Device d) { call(d, {0}, 4); }},
    {"[attention] 3 tokens of the sequence at position 1 are more than the longest has, 2",
     [](Device d) {
       call(d, {0, 1, 4}, 2);
     }},
    {"6 columns cannot be shared by 4 heads",
     [](Device d) {
       call(d, {0, 4}, 4, {.heads = 4});
     }},
    {"a head must have 1 to 128 columns, got 129",
     [](Device d) {
       call(d, {0, 4}, 4, {}, {4, 129});
     }},
    {"the dropout must be at least 0 and below 1, got 1",
     [](Device d) {
       call(d, {0, 4}, 4, {.dropout = 1});
     }},
    {"the scale must not be negative",
     [](Device d) {
       call(d, {0, 4}, 4, {.scale = -1});
     }},
    {"query must be of f32, f64 or bf16, got i64",
     [](Device d) {
       call(d, {0, 4}, 4, {}, {4, 6}, i64);
     }},
    {"the longest sequence must have 0 to 2147483647 tokens, got -1",
     [](Device d) {
       call(d, {0, 4}, -1);
     }},
    {"query, key and value must all be [tokens, heads * width], got [4, 6], [4, 5] and [4, 6]",
     [](Device d) {
       const Tensor x = zeros({4, 6}, {f32, d}), y = zeros({4, 5}, {f32, d});
       attention(x, y, x, zeros({1}, {i64, d}), 4);
     }},
    {"query, key and value must have the same dtype, got f32, f64 and f32",
     [](Device d) {
       const Tensor x = zeros({4, 6}, {f32, d}), y = zeros({4, 6}, {f64, d});
       attention(x, y, x, zeros({1}, {i64, d}), 4);
     }},
    {"offsets must be [sequences + 1] of i64 or i32, got [1] of f32", [](Device d) {
       const Tensor x = zeros({4, 6}, {f32, d});
       attention(x, x, x, zeros({1}, {f32, d}), 4);
     }}};

/// [sequences, length, columns], 12 heads.
Tensor equal_sequences(const Tensors& in) {
  const int64_t sequences = in[0].size(0), length = in[0].size(1), columns = in[0].size(2);
  std::vector<int64_t> bounds;
  for (int64_t i = 0; i <= sequences; ++i) bounds.push_back(i * length);
  const Tensor offsets = offsets_of(bounds, {i64, in[0].device()});
  const auto packed = [&](const Tensor& x) { return x.reshape({-1, columns}); };
  return attention(packed(in[0]), packed(in[1]), packed(in[2]), offsets, length, {.heads = 12});
}

constexpr double products(double sequences, double length, double columns) {
  return 2 * sequences * length * length * columns;
}

}  // namespace

extern const Specs attention_specs;
const Specs attention_specs = {
    {.name = "attention",
     .run = [](const Tensors& in) { return growing(in, 1, {}); },
     .inputs = {real({"tokens", "columns"}), real({"tokens", "columns"}), real({"tokens", "columns"})},
     .sizes = {{6, 5}, {1, 1}, {0, 4}, {21, 32}, {37, 64}, {19, 128}, {11, 100}, {700, 17}},
     .dtypes = {f32, f64, bf16},
     .exact = false,
     .errors = errors},
    {.name = "attention of long sequences",
     .run = [](const Tensors& in) { return growing(in, 37, {.heads = 4}); },
     .inputs = {real({"tokens", "columns"}), real({"tokens", "columns"}), real({"tokens", "columns"})},
     .sizes = {{5, 8}, {90, 20}, {120, 4}, {230, 128}, {1200, 256}, {450, 400}},
     .dtypes = {f32, f64, bf16},
     .exact = false},
    {.name = "attention with a scale and i32 offsets",
     .run = [](const Tensors& in) { return growing(in, 3, {.heads = 2, .scale = 0.25}, i32); },
     .inputs = {real({"tokens", "columns"}), constant(real({"tokens", "columns"})), real({"tokens", "columns"})},
     .sizes = {{7, 6}, {50, 12}},
     .exact = false},
    {.name = "attention with dropout",
     .run = [](const Tensors& in) { return growing(in, 5, {.heads = 2, .dropout = 0.3}); },
     .inputs = {real({"tokens", "columns"}), real({"tokens", "columns"}), real({"tokens", "columns"})},
     .sizes = {{8, 6}, {60, 64}, {300, 20}},
     .dtypes = {f32, f64, bf16},
     .exact = false},
    {.name = "attention with dropout that just keeps its first weight",
     .run = [](const Tensors& in) { return growing(in, 3, {.dropout = chance_just_kept()}); },
     .inputs = {real({"tokens", "columns"}), real({"tokens", "columns"}), real({"tokens", "columns"})},
     .sizes = {{7, 6}},
     .exact = false,
     .graph = false},
    // Products of about -110: what exp makes of less, of a key of zeros behind the last one, is infinite in f32.
    {.name = "attention of opposed keys",
     .run =
         [](const Tensors& in) {
           return growing({sub(in[0], 30), in[1], in[2]}, 1, {});
         },
     .inputs = {real({"tokens", "columns"}), positive({"tokens", "columns"}), real({"tokens", "columns"})},
     .sizes = {{7, 6}},
     .tolerance = 1e-4,
     .exact = false},
    {.name = "attention of slices",
     .run =
         [](const Tensors& in) {
           const int64_t columns = in[0].size(1) / 3;
           Tensors three;
           for (int64_t i = 0; i < 3; ++i) three.push_back(in[0].slice(1, i * columns, (i + 1) * columns));
           return growing(three, 4, {.heads = 2});
         },
     .inputs = {real({"tokens", "columns"})},
     .sizes = {{9, 12}, {40, 96}},
     .dtypes = {f32, f64, bf16},
     .exact = false},
    {.name = "attention of equal sequences",
     .run = equal_sequences,
     .inputs = {real({"sequences", "length", "columns"}), real({"sequences", "length", "columns"}),
                real({"sequences", "length", "columns"})},
     .sizes = {{2, 3, 12}, {3, 9, 60}},
     .exact = false,
     .timings = {{.name = "attention.8x128x12x64", .sizes = {8, 128, 768}, .operations = 2 * products(8, 128, 768)},
                 {.name = "attention.8x128x12x64.backward",
                  .sizes = {8, 128, 768},
                  .operations = 7 * products(8, 128, 768),
                  .backward = true},
                 {.name = "attention.32x18x12x32", .sizes = {32, 18, 384}, .operations = 2 * products(32, 18, 384)},
                 {.name = "attention.32x18x12x32.backward",
                  .sizes = {32, 18, 384},
                  .operations = 7 * products(32, 18, 384),
                  .backward = true}}},
};

}  // namespace percale
