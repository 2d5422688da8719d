#include <limits>

#include "../common/spec.h"
#include "../fill/fill.h"
#include "softmax.h"

namespace percale {

extern const Specs softmax_specs;
const Specs softmax_specs = {
    {.name = "softmax of rows",
     .run = [](const Tensors& in) { return softmax(in[0], -1); },
     .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 5}, {1, 1}, {0, 4}, {4, 0}, {33, 10}, {9, 64}, {5, 257}, {3, 1028}, {2, 9001}},
     .dtypes = {f32, f64, f16, bf16},
     .exact = false,
     .second_gradient = true,
     .errors = {{"[softmax] needs floating-point elements",
                 [](Device device) {
                   softmax(zeros({2}, {i64, device}), 0);
                 }},
                {"[softmax] dimension 2 is out of range",
                 [](Device device) {
                   softmax(zeros({2, 3}, {f32, device}), 2);
                 }}},
     .timings = {{"softmax.4096x1024", {4096, 1024}}}},
    {.name = "softmax of columns",
     .run = [](const Tensors& in) { return softmax(in[0], 1); },
     .inputs = {real({"n", "c", "h"})},
     .sizes = {{2, 3, 4}, {3, 1, 2}, {2, 10, 67}, {1, 300, 17}},
     .exact = false,
     .second_gradient = true},
    {.name = "log_softmax of rows",
     .run = [](const Tensors& in) { return log_softmax(in[0], 1); },
     .inputs = {real({"rows", "columns"})},
     .sizes = {{3, 5}, {1, 1}, {0, 4}, {33, 10}, {9, 64}, {5, 257}, {3, 1028}, {2, 9001}},
     .dtypes = {f32, f64, f16, bf16},
     .exact = false,
     .second_gradient = true,
     .errors = {{"[log_softmax] needs floating-point elements",
                 [](Device device) {
                   log_softmax(zeros({2}, {boolean, device}), 0);
                 }}}},
    {.name = "log_softmax of columns",
     .run = [](const Tensors& in) { return log_softmax(in[0], 0); },
     .inputs = {real({"c", "h", "w"})},
     .sizes = {{3, 4, 2}, {1, 2, 3}, {10, 67, 2}, {300, 17, 1}},
     .exact = false,
     .second_gradient = true},
    {.name = "softmax of large numbers",
     .run = [](const Tensors& in) { return softmax(full(in[0].shape(), 1e30, in[0].options()), 1); },
     .inputs = {constant(real({"rows", "columns"}))},
     .sizes = {{2, 4}, {3, 80}},
     .dtypes = {f32, f64},
     .gradient = false},
    {.name = "softmax without a largest",
     .run =
         [](const Tensors& in) {
           const double infinity = std::numeric_limits<double>::infinity();
           Tensors results;
           for (const double value : {infinity, -infinity, infinity - infinity}) {
             Tensor x = zeros(in[0].shape(), in[0].options());
             x.slice(1, 1, 2).fill_(value);
             results.push_back(softmax(x, 1));
             results.push_back(log_softmax(x, 1));
             results.push_back(softmax(x, 0));
             results.push_back(log_softmax(x, 0));
           }
           return results;
         },
     .inputs = {constant(real({"rows", "columns"}))},
     .sizes = {{2, 2}, {33, 70}},
     .gradient = false},
};

}  // namespace percale
