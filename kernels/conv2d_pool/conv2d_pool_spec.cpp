#include "../common/spec.h"
#include "../pooling/pooling.h"
#include "conv2d_pool.h"

namespace percale {
namespace {

const std::vector<SpecInput> operands = {real({"batch", "channels", "height", "width"}),
                                         real({"filters", "channels", "kernel height", "kernel width"}),
                                         real({"filters"})};

Tensor images(Shape shape, Device device) { return Tensor::empty(shape, {f32, device}); }

constexpr double first = 2.0 * 64 * 784 * 32 * 9, second = 2.0 * 64 * 196 * 64 * 288;

}  // namespace

extern const Specs conv2d_pool_specs;
const Specs conv2d_pool_specs = {
    {.name = "conv2d_relu_max_pool2d",
     .run =
         [](const Tensors& in) {
           return conv2d_relu_max_pool2d(in[0], in[1], in[2], {.padding = {1, 1}}, 2);
         },
     .inputs = operands,
     .sizes = {{1, 2, 4, 5, 3, 3, 3},
               {2, 1, 4, 4, 3, 3, 3},
               {7, 1, 28, 28, 32, 3, 3},
               {9, 3, 17, 15, 20, 3, 3},
               {6, 32, 14, 14, 64, 3, 3},
               {3, 40, 9, 6, 17, 2, 3},
               {0, 2, 4, 4, 3, 3, 3}},
     .second_gradient = true,
     .errors = {{"does not fit images [3, 3]",
                 [](Device d) {
                   conv2d_relu_max_pool2d(images({1, 1, 3, 3}, d), images({2, 1, 1, 1}, d), {}, {}, 4);
                 }},
                {"to have 3 channels, but got 4 channels instead",
                 [](Device d) {
                   conv2d_relu_max_pool2d(images({1, 4, 8, 8}, d), images({2, 3, 3, 3}, d), {}, {}, 2);
                 }}}},
    // Rounding makes equals of what in f64 is not: so gradients may go another way, and are left to f32.
    {.name = "conv2d_relu_max_pool2d in 16 bits",
     .run =
         [](const Tensors& in) {
           return conv2d_relu_max_pool2d(in[0], in[1], in[2], {.padding = {1, 1}}, 2);
         },
     .inputs = operands,
     .sizes = {{2, 1, 6, 9, 3, 3, 3}, {5, 32, 14, 14, 64, 3, 3}},
     .dtypes = {f16, bf16},
     .gradient = false},
    {.name = "conv2d_relu_max_pool2d of an image, strided, without bias",
     .run =
         [](const Tensors& in) {
           return conv2d_relu_max_pool2d(in[0], in[1], {}, {.stride = {2, 1}, .padding = {0, 1}, .dilation = {2, 1}},
                                         2);
         },
     .inputs = {real({"channels", "height", "width"}), real({"filters", "channels", "kernel height", "kernel width"})},
     .sizes = {{2, 8, 4, 3, 2, 3}, {1, 20, 11, 5, 3, 3}, {35, 30, 12, 20, 3, 3}}},
    {.name = "conv2d_relu_max_pool2d with other windows",
     .run =
         [](const Tensors& in) {
           return conv2d_relu_max_pool2d(in[0], in[1], in[2], {}, Shape{3, 1});
         },
     .inputs = operands,
     .sizes = {{1, 2, 5, 4, 3, 3, 2}, {5, 17, 12, 9, 33, 3, 3}}},
    {.name = "conv2d_relu_max_pool2d in groups",
     .run = [](const Tensors& in) { return conv2d_relu_max_pool2d(in[0], in[1], in[2], {.groups = 2}, 2); },
     .inputs = {real({"batch", "four", "height", "width"}), real({"filters", "two", "kernel height", "kernel width"}),
                real({"filters"})},
     .sizes = {{1, 4, 4, 4, 4, 2, 2, 2}, {5, 32, 9, 9, 48, 16, 3, 3}}},
    {.name = "conv2d_relu_max_pool2d of constant images",
     .run =
         [](const Tensors& in) {
           return conv2d_relu_max_pool2d(in[0], in[1], in[2], {.padding = {1, 1}}, 2);
         },
     .inputs = {constant(operands[0]), operands[1], operands[2]},
     .sizes = {{2, 1, 4, 4, 3, 3, 3}},
     .timings = {{.name = "conv2d_relu_max_pool2d.64x1x28x28.32",
                  .sizes = {64, 1, 28, 28, 32, 3, 3},
                  .operations = first},
                 {.name = "conv2d_relu_max_pool2d.64x1x28x28.32.backward",
                  .sizes = {64, 1, 28, 28, 32, 3, 3},
                  .operations = 2 * first,
                  .backward = true}}},
    {.name = "conv2d_relu_max_pool2d, the CNN's second",
     .run =
         [](const Tensors& in) {
           return conv2d_relu_max_pool2d(in[0], in[1], in[2], {.padding = {1, 1}}, 2);
         },
     .inputs = operands,
     .sizes = {{2, 2, 4, 4, 3, 3, 3}},
     .timings = {{.name = "conv2d_relu_max_pool2d.64x32x14x14.64",
                  .sizes = {64, 32, 14, 14, 64, 3, 3},
                  .operations = second},
                 {.name = "conv2d_relu_max_pool2d.64x32x14x14.64.backward",
                  .sizes = {64, 32, 14, 14, 64, 3, 3},
                  .operations = 3 * second,
                  .backward = true}}},
};

}  // namespace percale
