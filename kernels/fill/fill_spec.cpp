#include "../common/spec.h"
#include "fill.h"

namespace percale {

extern const Specs fill_specs;
const Specs fill_specs = {
    {.name = "zeros_like",
     .run = [](const Tensors& in) { return zeros_like(in[0]); },
     .inputs = {constant(real({"rows", "columns"}))},
     .sizes = {{3, 5}, {1, 1}, {0, 4}, {129, 33}},
     .dtypes = {f32, f64, f16, bf16},
     .gradient = false},
    {.name = "full",
     .run = [](const Tensors& in) { return full(in[0].shape(), 2.5, in[0].options()); },
     .inputs = {constant(real({"count"}))},
     .sizes = {{7}, {0}, {70001}},
     .dtypes = {f32, f64, f16, bf16},
     .gradient = false,
     .errors = {{"extents cannot be negative",
                 [](Device device) {
                   zeros({2, -1}, {f32, device});
                 }},
                {"too large",
                 [](Device device) {
                   zeros({int64_t{1} << 40, int64_t{1} << 40}, {f32, device});
                 }}}},
    {.name = "fill of a slice",
     .run =
         [](const Tensors& in) {
           const Tensor whole = in[0].detach().clone();
           whole.slice(1, 1, -1, 2).fill_(2.5);
           return whole;
         },
     .inputs = {constant(real({"rows", "columns"}))},
     .sizes = {{3, 7}, {40, 129}},
     .dtypes = {f32, f64, f16, bf16},
     .gradient = false},
    {.name = "clone",
     .run = [](const Tensors& in) { return in[0].clone(); },
     .inputs = {real({"a", "b", "c"})},
     .sizes = {{2, 3, 4}, {1, 1, 1}, {5, 0, 2}, {33, 65, 17}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true},
    {.name = "contiguous of a permutation",
     .run =
         [](const Tensors& in) {
           return in[0].permute({2, 0, 1}).contiguous();
         },
     .inputs = {real({"a", "b", "c"})},
     .sizes = {{2, 3, 4}, {1, 5, 1}, {65, 9, 33}}},
    {.name = "cast to f64 and back",
     .run = [](const Tensors& in) { return in[0].to(f64).to(in[0].dtype()); },
     .inputs = {real({"count"})},
     .sizes = {{11}, {24}, {4096}, {4097}},
     .dtypes = {f32, f64, f16, bf16}},
    {.name = "cast to bf16",
     .run = [](const Tensors& in) { return in[0].to(bf16); },
     .inputs = {constant(real({"count"}))},
     .sizes = {{9}, {16}, {4097}},
     .tolerance = 1e-2,
     .gradient = false},
    {.name = "slice",
     .run = [](const Tensors& in) { return in[0].slice(1, 1, -1, 2); },
     .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 7}, {2, 4}, {40, 129}},
     .second_gradient = true},
    {.name = "select",
     .run = [](const Tensors& in) { return in[0].select(-1, -2); },
     .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 7}, {40, 129}},
     .second_gradient = true,
     .errors = {{"position 5 is out of range for dimension 0 of [5]",
                 [](Device device) {
                   zeros({5}, {f32, device}).select(0, 5);
                 }}}},
    {.name = "expand",
     .run =
         [](const Tensors& in) {
           return in[0].expand({4, -1, 3}).clone();
         },
     .inputs = {real({"rows", "one"})},
     .sizes = {{5, 1}},
     .second_gradient = true,
     .errors = {{"cannot be expanded",
                 [](Device device) {
                   zeros({5, 2}, {f32, device}).expand({5, 3});
                 }}}},
    {.name = "reshape of a transpose",
     .run = [](const Tensors& in) { return in[0].transpose(0, 1).reshape({-1}); },
     .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 4}, {1, 6}, {64, 33}},
     .second_gradient = true,
     .errors = {{"reshape() copies",
                 [](Device device) {
                   zeros({2, 3}, {f32, device}).t().view({6});
                 }},
                {"does not hold",
                 [](Device device) {
                   zeros({2, 3}, {f32, device}).reshape({4, -1});
                 }}}},
};

}  // namespace percale
