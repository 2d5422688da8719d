#include "../common/spec.h"
#include "../fill/fill.h"
#include "cat.h"

namespace percale {
namespace {

const std::vector<DType> floating = {f32, f64, f16, bf16};

}  // namespace

extern const Specs cat_specs;
const Specs cat_specs = {
    {.name = "cat of rows",
     .run =
         [](const Tensors& in) {
           return cat({in[0], in[1]});
         },
     .inputs = {real({"a", "columns"}), real({"b", "columns"})},
     .sizes = {{2, 3, 4}, {0, 3, 2}, {1, 1, 1}, {40, 33, 1}, {3, 0, 5}},
     .dtypes = floating,
     .second_gradient = true,
     .errors = {{"expected at least one tensor", [](Device) { cat({}); }},
                {"tensor 1 of shape [2, 4] does not fit [2, 3] but in dimension 0",
                 [](Device d) {
                   cat({ones({2, 3}, {f32, d}), ones({2, 4}, {f32, d})});
                 }},
                {"tensor 1 of shape [3] does not fit",
                 [](Device d) {
                   cat({ones({2, 3}, {f32, d}), ones({3}, {f32, d})});
                 }},
                {"see stack()",
                 [](Device d) {
                   cat({ones({}, {f32, d})});
                 }},
                {"dimension 2 is out of range",
                 [](Device d) {
                   cat({ones({2, 3}, {f32, d})}, 2);
                 }}},
     .timings = {{.name = "cat.4096x256.rows", .sizes = {4096, 256, 4096}}}},
    {.name = "cat of columns",
     .run =
         [](const Tensors& in) {
           return cat({in[0], in[1], in[0]}, -1);
         },
     .inputs = {real({"rows", "a"}), real({"rows", "b"})},
     .sizes = {{2, 3, 4}, {3, 1, 0}, {33, 16, 8}, {17, 5, 1}},
     .dtypes = floating,
     .second_gradient = true,
     .timings = {{.name = "cat.4096x256.columns", .sizes = {4096, 256, 256}}}},
    {.name = "cat of channels",
     .run =
         [](const Tensors& in) {
           return cat({in[0].channels_last(), in[1]}, 1);
         },
     .inputs = {real({"n", "a", "h", "w"}), real({"n", "b", "h", "w"})},
     .sizes = {{2, 3, 2, 3, 1}, {1, 16, 3, 3, 4}}},
    {.name = "cat of dtypes",
     .run =
         [](const Tensors& in) {
           return cat({in[0].to(f16), zeros({0}, {f16, in[0].device()}), in[0], in[1]});
         },
     .inputs = {real({"a"}), constant(index_input("bound", {"b"}))},
     .sizes = {{3, 2, 7}},
     .gradient = false},
    {.name = "stack",
     .run =
         [](const Tensors& in) {
           return stack({in[0], in[1]}, 1);
         },
     .inputs = {real({"rows", "columns"}), real({"rows", "columns"})},
     .sizes = {{2, 3}, {1, 1}, {0, 4}, {33, 16}},
     .dtypes = floating,
     .second_gradient = true,
     .errors = {{"tensor 1 has shape [3], the first one [2]",
                 [](Device d) {
                   stack({ones({2}, {f32, d}), ones({3}, {f32, d})});
                 }},
                {"expected at least one tensor", [](Device) { stack({}); }}}},
    {.name = "stack of numbers",
     .run =
         [](const Tensors& in) {
           return stack({in[0].select(0, 0), in[0].select(0, 1)}, -1);
         },
     .inputs = {real({"two"})},
     .sizes = {{2}}},
};

}  // namespace percale
