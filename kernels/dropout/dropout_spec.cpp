#include "../common/spec.h"
#include "../common/spec_random.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "dropout.h"

namespace percale {

extern const Specs dropout_specs;
const Specs dropout_specs = {
    {.name = "dropout",
     .run = [](const Tensors& in) { return dropout(in[0], 0.5); },
     .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 5}, {1, 1}, {0, 4}, {9, 231}, {1, 20003}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true,
     .errors = {{"the probability must be between 0 and 1, got 1.5",
                 [](Device device) {
                   dropout(zeros({2}, {f32, device}), 1.5);
                 }},
                {"needs a floating-point tensor, got i64",
                 [](Device device) {
                   dropout(zeros({2}, {i64, device}));
                 }}},
     .timings = {{.name = "dropout.64x4096", .sizes = {64, 4096}}}},
    {.name = "dropout of a tenth, twice",
     .run = [](const Tensors& in) { return dropout(dropout(in[0], 0.1), 0.1); },
     .inputs = {real({"rows", "columns"})},
     .sizes = {{4, 6}, {7, 129}},
     .dtypes = {f32, f64, f16, bf16},
     .exact = false},
    {.name = "dropout of all",
     .run = [](const Tensors& in) { return dropout(in[0], 1); },
     .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 5}}},
    {.name = "dropout of none",
     .run =
         [](const Tensors& in) {
           return Tensors{dropout(in[0], 0).clone(), dropout(in[0], 0.5, false) * 1.0};
         },
     .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 5}}},
    {.name = "dropout that just keeps its first element",
     .run = [](const Tensors& in) { return dropout(in[0], chance_just_kept()); },
     .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 5}, {1, 1}},
     .exact = false,
     .graph = false},
    {.name = "dropout of channels-last images",
     .run = [](const Tensors& in) { return dropout(in[0].channels_last(), 0.5); },
     .inputs = {real({"n", "c", "h", "w"})},
     .sizes = {{2, 3, 4, 5}, {3, 17, 5, 7}},
     .dtypes = {f32, f64}},
};

}  // namespace percale
