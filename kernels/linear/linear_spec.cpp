#include "../common/spec.h"
#include "../fill/fill.h"
#include "linear.h"

namespace percale {
namespace {

const std::vector<SpecError> errors = {
    {"x [2, 3] does not fit weight [5, 4]: 3 inputs, 4 expected",
     [](Device device) {
       linear(zeros({2, 3}, {f32, device}), zeros({5, 4}, {f32, device}));
     }},
    {"bias must be [5], got [4]",
     [](Device device) {
       linear(zeros({2, 4}, {f32, device}), zeros({5, 4}, {f32, device}), zeros({4}, {f32, device}));
     }},
    {"weight must be [out, in], got [4]",
     [](Device device) {
       linear(zeros({2, 4}, {f32, device}), zeros({4}, {f32, device}));
     }},
    {"the same floating-point dtype, got f32 and f64", [](Device device) {
       linear(zeros({2, 4}, {f32, device}), zeros({5, 4}, {f64, device}));
     }}};

}  // namespace

extern const Specs linear_specs;
const Specs linear_specs = {
    {.name = "linear",
     .run = [](const Tensors& in) { return linear(in[0], in[1], in[2]); },
     .inputs = {real({"rows", "in"}), real({"out", "in"}), real({"out"})},
     .sizes = {{3, 5, 4},
               {1, 1, 1},
               {0, 4, 3},
               {3, 0, 2},
               {1, 300, 70},
               {9, 257, 33},
               {64, 128, 10},
               {130, 6, 5},
               {1100, 20, 3}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true,
     .errors = errors},
    {.name = "linear without bias",
     .run = [](const Tensors& in) { return linear(in[0], in[1]); },
     .inputs = {real({"rows", "in"}), real({"out", "in"})},
     .sizes = {{3, 5, 4}, {2, 65, 33}},
     .second_gradient = true},
    {.name = "linear of a batch",
     .run = [](const Tensors& in) { return linear(in[0], in[1], in[2]); },
     .inputs = {real({"batch", "rows", "in"}), real({"out", "in"}), real({"out"})},
     .sizes = {{2, 3, 5, 4}, {3, 7, 20, 65}},
     .second_gradient = true},
    {.name = "linear of one row",
     .run = [](const Tensors& in) { return linear(in[0], in[1], in[2]); },
     .inputs = {real({"in"}), real({"out", "in"}), real({"out"})},
     .sizes = {{5, 4}, {129, 70}},
     .second_gradient = true},
    {.name = "linear_relu",
     .run = [](const Tensors& in) { return linear_relu(in[0], in[1], in[2]); },
     .inputs = {real({"rows", "in"}), real({"out", "in"}), real({"out"})},
     .sizes = {{3, 5, 4},
               {1, 1, 1},
               {0, 4, 3},
               {3, 0, 2},
               {1, 300, 70},
               {9, 257, 33},
               {64, 784, 128},
               {130, 6, 5},
               {1100, 20, 3}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true,
     .errors = {{"[linear_relu] x [2, 3] does not fit",
                 [](Device device) {
                   linear_relu(zeros({2, 3}, {f32, device}), zeros({5, 4}, {f32, device}));
                 }}},
     .timings = {
    {.name = "linear_relu.1x4096x4096", .sizes = {1, 4096, 4096}, .operations = 2.0 * 4096 * 4096},
    {.name = "linear_relu.16x4096x4096", .sizes = {16, 4096, 4096}, .operations = 2.0 * 16 * 4096 * 4096},
    {.name = "linear_relu.64x4096x4096", .sizes = {64, 4096, 4096}, .operations = 2.0 * 64 * 4096 * 4096},
    {.name = "linear_relu.128x4096x4096", .sizes = {128, 4096, 4096}, .operations = 2.0 * 128 * 4096 * 4096},
    {.name = "linear_relu.64x784x128", .sizes = {64, 784, 128}, .operations = 2.0 * 64 * 784 * 128},
    {.name = "linear_relu.64x3136x128", .sizes = {64, 3136, 128}, .operations = 2.0 * 64 * 3136 * 128},
    {.name = "linear_relu.64x3136x128.backward",
     .sizes = {64, 3136, 128},
     .operations = 6.0 * 64 * 3136 * 128,
     .backward = true}}},
    {.name = "linear_relu in f64",
     .run = [](const Tensors& in) { return linear_relu(in[0], in[1], in[2]); },  // for the emulator
     .inputs = {real({"rows", "in"}), real({"out", "in"}), real({"out"})},
     .sizes = {{3, 5, 4}, {70, 9, 3}},
     .dtypes = {f64}},
    {.name = "linear_gelu",
     .run = [](const Tensors& in) { return linear_gelu(in[0], in[1], in[2]); },
     .inputs = {real({"rows", "in"}), real({"out", "in"}), real({"out"})},
     .sizes = {{3, 5, 4}, {1, 1, 1}, {0, 4, 3}, {3, 0, 2}, {1, 300, 70}, {9, 257, 33}, {64, 784, 128}},
     .dtypes = {f32, f64, f16, bf16},
     .exact = false,
     .second_gradient = true,
     .errors = {{"[linear_gelu] x [2, 3] does not fit",
                 [](Device device) {
                   linear_gelu(zeros({2, 3}, {f32, device}), zeros({5, 4}, {f32, device}), zeros({5}, {f32, device}));
                 }}}},
    {.name = "linear_gelu, inference",
     .run = [](const Tensors& in) { return linear_gelu(in[0], in[1], in[2]); },
     .inputs = {constant(real({"batch", "rows", "in"})), constant(real({"out", "in"})), constant(real({"out"}))},
     .sizes = {{2, 3, 5, 4}, {1, 1, 1, 1}, {0, 3, 4, 3}, {2, 3, 0, 2}, {3, 9, 64, 33}, {1, 64, 784, 130}},
     .dtypes = {f32, bf16},
     .exact = false,
     .gradient = false},
    {.name = "linear_relu without bias",
     .run = [](const Tensors& in) { return linear_relu(in[0], in[1]); },
     .inputs = {real({"batch", "rows", "in"}), real({"out", "in"})},
     .sizes = {{2, 3, 5, 4}, {1, 70, 9, 33}},
     .second_gradient = true},
};

}  // namespace percale
