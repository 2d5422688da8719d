#include "../common/spec.h"
#include "../elementwise/elementwise.h"
#include "conv2d.h"

namespace percale {
namespace {

const std::vector<SpecInput> operands = {real({"batch", "channels", "height", "width"}),
                                         real({"filters", "channels", "kernel height", "kernel width"}),
                                         real({"filters"})};
const std::vector<SpecInput> depthwise = {real({"batch", "channels", "height", "width"}),
                                          real({"channels", "one", "kernel height", "kernel width"}),
                                          real({"channels"})};

const std::vector<SpecInput> grouped = {real({"batch", "four", "height", "width"}),
                                        real({"filters", "two", "kernel height", "kernel width"}), real({"filters"})};

Tensor images(Shape shape, Device device, DType dtype = f32) { return Tensor::empty(shape, {dtype, device}); }

const std::vector<SpecError> errors = {
    {"expected images [N, C, H, W]",
     [](Device d) {
       conv2d(images({3, 4}, d), images({1, 1, 1, 1}, d));
     }},
    {"expected a weight [O, C / groups, height, width]",
     [](Device d) {
       conv2d(images({1, 3, 4, 4}, d), images({3, 1, 1}, d));
     }},
    {"to have 3 channels, but got 4 channels instead",
     [](Device d) {
       conv2d(images({1, 4, 8, 8}, d), images({2, 3, 3, 3}, d));
     }},
    {"can't be larger than the padded input",
     [](Device d) {
       conv2d(images({1, 3, 2, 8}, d), images({2, 3, 5, 3}, d), {}, {.padding = {1, 1}});
     }},
    {"expected bias to be 1-dimensional with 2 elements, but got bias of size [3]",
     [](Device d) {
       conv2d(images({1, 3, 8, 8}, d), images({2, 3, 3, 3}, d), images({3}, d));
     }},
    {"should have one dtype",
     [](Device d) {
       conv2d(images({1, 3, 8, 8}, d), images({2, 3, 3, 3}, d, f64));
     }},
    {"expected floating-point images",
     [](Device d) {
       conv2d(images({1, 3, 8, 8}, d, i64), images({2, 3, 3, 3}, d, i64));
     }},
    {"stride must be two numbers of at least 1",
     [](Device d) {
       conv2d(images({1, 3, 8, 8}, d), images({2, 3, 3, 3}, d), {}, {.stride = {0, 1}});
     }},
    {"padding must be two numbers of at least 0",
     [](Device d) {
       conv2d(images({1, 3, 8, 8}, d), images({2, 3, 3, 3}, d), {}, {.padding = {-1, 1}});
     }},
    {"cannot be shared out evenly", [](Device d) {
       conv2d(images({1, 4, 8, 8}, d), images({3, 2, 3, 3}, d), {}, {.groups = 2});
     }}};

const Spec mostly_zero = {
    .name = "conv2d_gradients of a gradient that is mostly zero",
    .run = [](const Tensors& in) -> Tensors {
      const auto by =
          conv2d_gradients(relu(in[2] - 1), in[0], in[1], {.stride = {1, 2}, .padding = {1, 0}, .dilation = {2, 1}});
      return {by.input, by.weight, by.bias};
    },
    .inputs = {operands[0], operands[1], constant(real({"batch", "filters", "out height", "out width"}))},
    .sizes = {{1, 2, 4, 4, 3, 2, 2, 4, 2},
              {1, 20, 6, 9, 5, 2, 3, 6, 4},
              {9, 35, 16, 11, 24, 3, 3, 14, 5},
              {3, 100, 7, 5, 40, 1, 1, 9, 3},
              {2, 16, 40, 41, 32, 5, 5, 34, 19}}};

}  // namespace

extern const Specs conv2d_specs;
const Specs conv2d_specs = {
    {.name = "conv2d",
     .run = [](const Tensors& in) { return conv2d(in[0], in[1], in[2]); },
     .inputs = operands,
     .sizes = {{2, 3, 5, 4, 4, 3, 2},
               {1, 1, 1, 1, 1, 1, 1},
               {1, 2, 4, 5, 3, 2, 3},
               {3, 17, 9, 7, 5, 1, 1},
               {5, 20, 6, 11, 33, 3, 5},
               {0, 2, 4, 4, 3, 3, 3}},
     .dtypes = {f32, f64, f16, bf16},
     .second_gradient = true,
     .errors = errors},
    {.name = "conv2d of one image without bias",
     .run =
         [](const Tensors& in) {
           return conv2d(in[0], in[1], {}, {.padding = {1, 1}});
         },
     .inputs = {real({"channels", "height", "width"}), real({"filters", "channels", "kernel height", "kernel width"})},
     .sizes = {{2, 4, 4, 2, 3, 3}, {32, 14, 14, 64, 3, 3}}},
    {.name = "conv2d with stride, padding and dilation",
     .run =
         [](const Tensors& in) {
           return conv2d(in[0], in[1], in[2], {.stride = {2, 1}, .padding = {2, 1}, .dilation = {1, 2}});
         },
     .inputs = operands,
     .sizes = {{1, 2, 5, 6, 3, 3, 2}, {2, 1, 7, 9, 2, 3, 3}, {9, 16, 13, 8, 32, 3, 3}},
     .second_gradient = true},
    {.name = "conv2d of few channels by wide windows",
     .run =
         [](const Tensors& in) {
           return conv2d_relu(in[0], in[1], in[2], {.stride = {3, 2}, .padding = {2, 3}});
         },
     .inputs = operands,
     .sizes = {{1, 3, 7, 6, 2, 4, 3},
               {2, 1, 9, 17, 3, 6, 6},
               {2, 4, 13, 20, 18, 5, 5},
               {1, 3, 6, 2, 33, 7, 7},
               {2, 2, 14, 36, 5, 9, 11}}},
    {.name = "conv2d in groups",
     .run =
         [](const Tensors& in) {
           return conv2d(in[0], in[1], in[2], {.stride = {1, 2}, .padding = {1, 0}, .groups = 2});
         },
     .inputs = grouped,
     .sizes = {{1, 4, 3, 4, 4, 2, 3, 2}, {2, 4, 8, 7, 6, 2, 1, 3}, {5, 32, 9, 9, 48, 16, 3, 3}},
     .second_gradient = true},
    {.name = "conv2d in f64",  // alone, since the emulator leaves f64 out where there are other dtypes
     .run =
         [](const Tensors& in) {
           return conv2d_relu(in[0], in[1], in[2],
                              {.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 2});
         },
     .inputs = grouped,
     .sizes = {{2, 4, 6, 7, 6, 2, 3, 2}, {1, 2, 4, 3, 2, 1, 2, 3}},
     .dtypes = {f64}},
    {.name = "depthwise conv2d",
     .run =
         [](const Tensors& in) {
           return conv2d(in[0], in[1], in[2], {.padding = {1, 1}, .groups = in[0].size(1)});
         },
     .inputs = depthwise,
     .sizes = {{1, 3, 4, 4, 1, 3, 3}, {5, 33, 7, 9, 1, 3, 2}}},
    {.name = "conv2d_relu",
     .run =
         [](const Tensors& in) {
           return conv2d_relu(in[0], in[1], in[2], {.padding = {1, 1}});
         },
     .inputs = operands,
     .sizes = {{2, 1, 4, 3, 3, 3, 3},
               {1, 3, 3, 4, 2, 2, 3},
               {7, 1, 12, 14, 20, 3, 3},
               {9, 3, 17, 15, 16, 3, 3},
               {6, 32, 14, 14, 64, 3, 3}},
     .dtypes = {f32, f64, f16, bf16}},
    {.name = "conv2d_relu without bias",
     .run = [](const Tensors& in) { return conv2d_relu(in[0], in[1]); },
     .inputs = {operands[0], operands[1]},
     .sizes = {{2, 2, 4, 3, 3, 2, 2}, {3, 5, 7, 9, 40, 3, 3}}},
    mostly_zero,
    {.name = "conv2d, the CNN's first",
     .run =
         [](const Tensors& in) {
           return conv2d_relu(in[0], in[1], in[2], {.padding = {1, 1}});
         },
     .inputs = {constant(operands[0]), operands[1], operands[2]},
     .sizes = {{2, 1, 4, 4, 3, 3, 3}},
     .timings = {{.name = "conv2d_relu.64x1x28x28.32",
                  .sizes = {64, 1, 28, 28, 32, 3, 3},
                  .operations = 2.0 * 64 * 784 * 32 * 9},
                 {.name = "conv2d_relu.64x1x28x28.32.backward",
                  .sizes = {64, 1, 28, 28, 32, 3, 3},
                  .operations = 4.0 * 64 * 784 * 32 * 9,
                  .backward = true}}},
    {.name = "conv2d, an encoder's first",
     .run =
         [](const Tensors& in) {
           return conv2d_relu(in[0], in[1], in[2], {.stride = {4, 4}, .padding = {2, 2}});
         },
     .inputs = {constant(operands[0]), operands[1], operands[2]},
     .sizes = {{2, 3, 9, 13, 3, 5, 5}},
     .timings = {{.name = "conv2d_relu.8x3x600x800.16",
                  .sizes = {8, 3, 600, 800, 16, 5, 5},
                  .operations = 2.0 * 8 * 150 * 200 * 16 * 75},
                 {.name = "conv2d_relu.8x3x600x800.16.backward",
                  .sizes = {8, 3, 600, 800, 16, 5, 5},
                  .operations = 2.0 * 8 * 150 * 200 * 16 * 75,
                  .backward = true}}},
    {.name = "conv2d, the CNN's second",
     .run =
         [](const Tensors& in) {
           return conv2d_relu(in[0], in[1], in[2], {.padding = {1, 1}});
         },
     .inputs = operands,
     .sizes = {{2, 2, 4, 4, 3, 3, 3}},
     .timings = {{.name = "conv2d_relu.64x32x14x14.64",
                  .sizes = {64, 32, 14, 14, 64, 3, 3},
                  .operations = 2.0 * 64 * 196 * 64 * 288},
                 {.name = "conv2d_relu.64x32x14x14.64.backward",
                  .sizes = {64, 32, 14, 14, 64, 3, 3},
                  .operations = 6.0 * 64 * 196 * 64 * 288,
                  .backward = true}}},
};

}  // namespace percale
