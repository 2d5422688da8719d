#include "../common/spec.h"
#include "../fill/fill.h"
#include "mse.h"

namespace percale {

extern const Specs mse_specs;
const Specs mse_specs = {
    {.name = "mean",
     .run = [](const Tensors& in) { return mse_loss(in[0], in[1]); },
     .inputs = {real({"rows", "columns"}), real({"rows", "columns"})},
     .sizes = {{3, 5}, {1, 1}, {0, 4}, {64, 16}, {33, 513}},
     .dtypes = {f32, f64, f16, bf16},
     .exact = false,
     .second_gradient = true,
     .errors = {{"[mse_loss] input [2, 3] and target [3] differ in shape",
                 [](Device device) {
                   mse_loss(zeros({2, 3}, {f32, device}), zeros({3}, {f32, device}));
                 }},
                {"[mse_loss] needs floating-point numbers of one dtype",
                 [](Device device) {
                   mse_loss(zeros({3}, {f32, device}), zeros({3}, {f64, device}));
                 }}},
     .timings = {{.name = "mse_loss.64x784", .sizes = {64, 784}, .backward = true}}},
    {.name = "sum",
     .run = [](const Tensors& in) { return mse_loss(in[0], in[1], Reduction::sum); },
     .inputs = {real({"rows", "columns"}), real({"rows", "columns"})},
     .sizes = {{3, 5}, {0, 4}, {9, 513}},
     .second_gradient = true},
    {.name = "none",
     .run = [](const Tensors& in) { return mse_loss(in[0], in[1], Reduction::none); },
     .inputs = {real({"rows", "columns"}), real({"rows", "columns"})},
     .sizes = {{3, 5}, {0, 4}, {9, 513}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true},
    {.name = "mean with a fixed target",
     .run = [](const Tensors& in) { return mse_loss(in[0], in[1]); },
     .inputs = {real({"count"}), constant(real({"count"}))},
     .sizes = {{7}, {20001}},
     .exact = false},
};

}  // namespace percale
