#include "../common/spec.h"
#include "../fill/fill.h"
#include "matmul.h"

namespace percale {

extern const Specs matmul_specs;
const Specs matmul_specs = {
    {.name = "matmul",
     .run = [](const Tensors& in) { return matmul(in[0], in[1]); },
     .inputs = {real({"m", "k"}), real({"k", "n"})},
     .sizes = {{3, 5, 4}, {1, 1, 1}, {7, 0, 3}, {0, 3, 2}, {1, 67, 35}, {9, 300, 33}, {300, 65, 47}, {64, 96, 130}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true,
     .errors = {{"inner extents differ: [2, 3] and [2, 3]",
                 [](Device device) {
                   matmul(zeros({2, 3}, {f32, device}), zeros({2, 3}, {f32, device}));
                 }},
                {"at least one dimension",
                 [](Device device) {
                   matmul(zeros({}, {f32, device}), zeros({2}, {f32, device}));
                 }},
                {"same dtype, got f32 and f64",
                 [](Device device) {
                   matmul(zeros({2}, {f32, device}), zeros({2}, {f64, device}));
                 }},
                {"must be floating-point",
                 [](Device device) {
                   matmul(zeros({2}, {i64, device}), zeros({2}, {i64, device}));
                 }}},
     .timings = {{.name = "matmul.512x512x512", .sizes = {512, 512, 512}, .operations = 2.0 * 512 * 512 * 512},
                 {.name = "matmul.64x3136x128", .sizes = {64, 3136, 128}, .operations = 2.0 * 64 * 3136 * 128}}},
    {.name = "matmul of transposes",
     .run = [](const Tensors& in) { return matmul(in[0].t(), in[1].t()); },
     .inputs = {real({"k", "m"}), real({"n", "k"})},
     .sizes = {{5, 3, 4}, {1, 1, 1}, {70, 33, 40}, {130, 1, 70}, {64, 128, 96}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true},
    {.name = "matmul of vectors",
     .run = [](const Tensors& in) { return matmul(in[0], in[1]); },
     .inputs = {real({"k"}), real({"k"})},
     .sizes = {{5}, {1}, {0}, {1000}},
     .second_gradient = true},
    {.name = "matmul matrix by vector",
     .run = [](const Tensors& in) { return matmul(in[0], in[1]); },
     .inputs = {real({"m", "k"}), real({"k"})},
     .sizes = {{3, 5}, {130, 67}},
     .second_gradient = true},
    {.name = "matmul vector by matrix",
     .run = [](const Tensors& in) { return matmul(in[0], in[1]); },
     .inputs = {real({"k"}), real({"k", "n"})},
     .sizes = {{5, 3}, {67, 130}},
     .second_gradient = true},
    {.name = "matmul of batches",
     .run = [](const Tensors& in) { return matmul(in[0], in[1]); },
     .inputs = {real({"batch", "m", "k"}), real({"batch", "k", "n"})},
     .sizes = {{2, 3, 5, 4}, {0, 2, 3, 1}, {5, 17, 33, 40}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true,
     .errors = {{"do not broadcast",
                 [](Device device) {
                   matmul(zeros({2, 2, 3}, {f32, device}), zeros({3, 3, 2}, {f32, device}));
                 }}},
     .timings = {{.name = "matmul.96x128x64x128",
                  .sizes = {96, 128, 64, 128},
                  .operations = 2.0 * 96 * 128 * 64 * 128}}},
    {.name = "matmul of batches that broadcast",
     .run = [](const Tensors& in) { return matmul(in[0], in[1]); },
     .inputs = {real({"a", "one", "m", "k"}), real({"b", "k", "n"})},
     .sizes = {{2, 1, 3, 5, 4, 2}, {3, 1, 17, 9, 2, 33}},
     .second_gradient = true},
    {.name = "matmul batch by matrix",
     .run = [](const Tensors& in) { return matmul(in[0], in[1]); },
     .inputs = {real({"batch", "m", "k"}), real({"k", "n"})},
     .sizes = {{2, 3, 5, 4}, {0, 2, 3, 1}, {4, 20, 33, 70}},
     .second_gradient = true},
    {.name = "matmul matrix by batch",
     .run = [](const Tensors& in) { return matmul(in[0], in[1]); },
     .inputs = {real({"m", "k"}), real({"batch", "k", "n"})},
     .sizes = {{3, 5, 2, 4}, {20, 33, 4, 70}},
     .second_gradient = true},
};

}  // namespace percale
