#include "../common/spec.h"
#include "../fill/fill.h"
#include "reduction.h"

namespace percale {

extern const Specs reduction_specs;
const Specs reduction_specs = {
    {.name = "sum of all", .run = [](const Tensors& in) { return sum(in[0]); }, .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 5}, {1, 1}, {0, 4}, {33, 65}, {129, 1025}, {1, 70001}}, .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true},
    {.name = "sum of rows", .run = [](const Tensors& in) { return sum(in[0], {-1}); }, .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 5}, {7, 64}, {5, 0}, {0, 5}, {33, 257}, {3, 70001}, {40, 1028}}, .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true, .timings = {{"sum.rows.4096x4096", {4096, 4096}}}},
    {.name = "sum of columns", .run = [](const Tensors& in) { return sum(in[0], {0}, true); },
     .inputs = {real({"rows", "columns"})}, .sizes = {{5, 3}, {64, 10}, {300, 7}, {3, 130}, {2000, 33}, {70001, 1}, {1025, 96}},
     .dtypes = {f32, f64, f16, bf16}, .second_gradient = true,
     .timings = {{"sum.columns.50176x32", {50176, 32}}, {"sum.columns.4096x4096", {4096, 4096}}}},
    {.name = "sum but of channels", .run = [](const Tensors& in) { return sum(in[0], {0, 2, 3}); },
     .inputs = {real({"n", "c", "h", "w"})}, .sizes = {{2, 3, 4, 5}, {5, 1, 3, 1}, {3, 20, 17, 19}}, .second_gradient = true},
    {.name = "sum of the middle", .run = [](const Tensors& in) { return sum(in[0], {1}); }, .inputs = {real({"a", "b", "c"})},
     .sizes = {{2, 3, 4}, {3, 300, 5}, {7, 65, 40}, {2, 3000, 9}}, .second_gradient = true},
    {.name = "sum of the outer and the inner", .run = [](const Tensors& in) { return sum(in[0], {0, -1}); },
     .inputs = {real({"a", "b", "c"})}, .sizes = {{2, 3, 4}, {30, 7, 65}}, .second_gradient = true,
     .errors = {{"[sum] dimension 1 is named twice", [](Device device) { sum(zeros({2, 3}, {f32, device}), {1, -1}); }},
                {"[sum] dimension 2 is out of range", [](Device device) { sum(zeros({2, 3}, {f32, device}), {2}); }}}},
    {.name = "sum of bool", .run = [](const Tensors& in) { return sum(in[0], {1}); }, .inputs = {boolean_input({"rows", "columns"})},
     .sizes = {{3, 5}, {4, 1025}}, .gradient = false},
    {.name = "argmax of rows", .run = [](const Tensors& in) { return argmax(in[0], 1); },
     .inputs = {constant(real({"rows", "columns"}))}, .sizes = {{3, 5}, {1, 1}, {0, 4}, {33, 65}, {3, 2049}},
     .dtypes = {f32, f64, f16, bf16}, .gradient = false,
     .errors = {{"[argmax] there is no largest element", [](Device device) { argmax(zeros({2, 0}, {f32, device}), 1); }},
                {"[argmax] there is no largest element", [](Device device) { argmax(zeros({0}, {f32, device})); }}}},
    {.name = "argmax of columns", .run = [](const Tensors& in) { return argmax(in[0], 0, true); },
     .inputs = {constant(real({"rows", "columns"}))}, .sizes = {{3, 5}, {40, 9}}, .gradient = false},
    {.name = "argmax of all", .run = [](const Tensors& in) { return argmax(in[0]); },
     .inputs = {constant(real({"rows", "columns"}))}, .sizes = {{3, 5}, {130, 129}}, .gradient = false},
};

}  // namespace percale
