#include <limits>

#include "../common/spec.h"
#include "../fill/fill.h"
#include "reduction.h"

namespace percale {

extern const Specs reduction_specs;
const Specs reduction_specs = {
    {.name = "sum of all",
     .run = [](const Tensors& in) { return sum(in[0]); },
     .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 5}, {1, 1}, {0, 4}, {33, 65}, {17, 1025}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true},
    {.name = "sum of more than one piece",
     .run = [](const Tensors& in) { return sum(in[0]); },
     .inputs = {constant(real({"count"}))},
     .sizes = {{70001}},
     .dtypes = {f32},
     .gradient = false},
    {.name = "sum of rows",
     .run = [](const Tensors& in) { return sum(in[0], {-1}); },
     .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 5}, {7, 64}, {5, 0}, {0, 5}, {9, 257}, {6, 1028}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true,
     .timings = {{"sum.rows.4096x4096", {4096, 4096}}}},
    {.name = "sum of columns",
     .run = [](const Tensors& in) { return sum(in[0], {0}, true); },
     .inputs = {real({"rows", "columns"})},
     .sizes = {{5, 3}, {64, 10}, {300, 7}, {3, 130}, {300, 33}, {513, 9}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true,
     .timings = {{"sum.columns.50176x32", {50176, 32}}, {"sum.columns.4096x4096", {4096, 4096}}}},
    {.name = "sum of long columns",
     .run = [](const Tensors& in) { return sum(in[0], {0}); },
     .inputs = {constant(real({"rows", "columns"}))},
     .sizes = {{22001, 3}, {1100, 70}},
     .dtypes = {f32},
     .gradient = false},
    {.name = "sum but of channels",
     .run =
         [](const Tensors& in) {
           return sum(in[0], {0, 2, 3});
         },
     .inputs = {real({"n", "c", "h", "w"})},
     .sizes = {{2, 3, 4, 5}, {5, 1, 3, 1}, {3, 10, 7, 9}},
     .second_gradient = true},
    {.name = "sum of the middle",
     .run = [](const Tensors& in) { return sum(in[0], {1}); },
     .inputs = {real({"a", "b", "c"})},
     .sizes = {{2, 3, 4}, {3, 300, 5}, {2, 65, 40}},
     .second_gradient = true},
    {.name = "sum of the outer and the inner",
     .run =
         [](const Tensors& in) {
           return sum(in[0], {0, -1});
         },
     .inputs = {real({"a", "b", "c"})},
     .sizes = {{2, 3, 4}, {9, 5, 65}},
     .second_gradient = true,
     .errors = {{"[sum] dimension 1 is named twice",
                 [](Device device) {
                   sum(zeros({2, 3}, {f32, device}), {1, -1});
                 }},
                {"[sum] dimension 2 is out of range",
                 [](Device device) {
                   sum(zeros({2, 3}, {f32, device}), {2});
                 }}}},
    {.name = "sum of bool",
     .run = [](const Tensors& in) { return sum(in[0], {1}); },
     .inputs = {boolean_input({"rows", "columns"})},
     .sizes = {{3, 5}, {4, 1025}},
     .gradient = false},
    {.name = "mean of all",
     .run = [](const Tensors& in) { return mean(in[0]); },
     .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 5}, {1, 1}, {33, 65}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true,
     .errors = {{"[mean] needs floating-point elements",
                 [](Device device) {
                   mean(zeros({2}, {i64, device}));
                 }}}},
    {.name = "mean of nothing",
     .run = [](const Tensors& in) { return mean(in[0], {0}); },
     .inputs = {constant(real({"rows", "columns"}))},
     .sizes = {{0, 4}, {4, 0}},
     .dtypes = {f32, f64, f16, bf16},
     .gradient = false},
    {.name = "mean of images",
     .run =
         [](const Tensors& in) {
           return mean(in[0], {-1, -2}, true);
         },
     .inputs = {real({"n", "c", "h", "w"})},
     .sizes = {{2, 3, 4, 5}, {2, 5, 7, 9}},
     .second_gradient = true},
    {.name = "max of all",
     .run = [](const Tensors& in) { return max(in[0]); },
     .inputs = {distinct({"rows", "columns"})},
     .sizes = {{3, 5}, {1, 1}, {33, 65}, {70, 301}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true,
     .errors = {{"[max] there is nothing to compare",
                 [](Device device) {
                   max(zeros({0}, {f32, device}));
                 }},
                {"[max] there is nothing to compare",
                 [](Device device) {
                   max(zeros({2, 0}, {f32, device}), {1});
                 }}}},
    {.name = "max of rows",
     .run = [](const Tensors& in) { return max(in[0], {1}); },
     .inputs = {distinct({"rows", "columns"})},
     .sizes = {{3, 5}, {0, 4}, {9, 257}, {3, 1028}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true},
    {.name = "max of columns",
     .run = [](const Tensors& in) { return max(in[0], {0}); },
     .inputs = {distinct({"rows", "columns"})},
     .sizes = {{3, 5}, {65, 19}, {300, 9}},
     .second_gradient = true},
    {.name = "max of integers",
     .run = [](const Tensors& in) { return max(in[0], {0}); },
     .inputs = {index_input("b", {"a", "b"}, i32)},
     .sizes = {{3, 50}, {40, 70}},
     .gradient = false},
    {.name = "max and min beside NaN",
     .run = [](const Tensors& in) -> Tensors {
       Tensor x = in[0].detach().clone();
       x.slice(1, 2, 3).fill_(std::numeric_limits<double>::quiet_NaN());
       return {max(x, {1}), min(x, {1}), max(x, {0}), min(x, {0}), max(x), argmax(x, 1), argmax(x)};
     },
     .inputs = {constant(distinct({"rows", "columns"}))},
     .sizes = {{3, 5}, {70, 130}},
     .dtypes = {f32, f64, f16},
     .gradient = false},
    {.name = "min of images",
     .run =
         [](const Tensors& in) {
           return min(in[0], {0, 2}, true);
         },
     .inputs = {distinct({"a", "b", "c"})},
     .sizes = {{2, 3, 4}, {5, 9, 65}},
     .second_gradient = true},
    {.name = "argmax of rows",
     .run = [](const Tensors& in) { return argmax(in[0], 1); },
     .inputs = {constant(real({"rows", "columns"}))},
     .sizes = {{3, 5}, {1, 1}, {0, 4}, {33, 65}, {3, 2049}},
     .dtypes = {f32, f64, f16, bf16},
     .gradient = false,
     .errors = {{"[argmax] there is no largest element",
                 [](Device device) { argmax(zeros({2, 0}, {f32, device}), 1); }},
                {"[argmax] there is no largest element", [](Device device) { argmax(zeros({0}, {f32, device})); }}}},
    {.name = "argmax of columns",
     .run = [](const Tensors& in) { return argmax(in[0], 0, true); },
     .inputs = {constant(real({"rows", "columns"}))},
     .sizes = {{3, 5}, {40, 9}},
     .gradient = false},
    {.name = "argmax of all",
     .run = [](const Tensors& in) { return argmax(in[0]); },
     .inputs = {constant(real({"rows", "columns"}))},
     .sizes = {{3, 5}, {130, 129}},
     .gradient = false},
};

}  // namespace percale
