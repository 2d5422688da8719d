#include "../../core/autograd.h"
#include "../common/spec.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "pooling.h"

namespace percale {
namespace {

const std::vector<std::string> nchw = {"images", "channels", "rows", "columns"};
const std::vector<DType> floating = {f32, f64, f16, bf16};

Spec max_spec(std::string name, Pool2dOptions options, std::vector<std::vector<int64_t>> sizes) {
  return {.name = "max_pool2d " + name,
          .run = [options](const Tensors& in) { return max_pool2d(in[0], options); },
          .inputs = {distinct(nchw)},
          .sizes = std::move(sizes),
          .dtypes = floating,
          .second_gradient = true};
}

Spec mean_spec(std::string name, Pool2dOptions options, std::vector<std::vector<int64_t>> sizes) {
  return {.name = "avg_pool2d " + name,
          .run = [options](const Tensors& in) { return avg_pool2d(in[0], options); },
          .inputs = {real(nchw)},
          .sizes = std::move(sizes),
          .dtypes = floating,
          .exact = false,
          .second_gradient = true};
}

Spec adaptive_spec(Shape size, std::vector<std::vector<int64_t>> sizes) {
  return {.name = "adaptive_avg_pool2d " + text(size),
          .run = [size](const Tensors& in) { return adaptive_avg_pool2d(in[0], size); },
          .inputs = {real(nchw)},
          .sizes = std::move(sizes),
          .dtypes = floating,
          .exact = false,
          .second_gradient = true};
}

/// Among equal pixels the first is the largest, and gets the gradient: of pixels that are 0 and 1.
Tensors max_of_equals(const Tensors& in) {
  const Tensor pixels = gt(in[0].detach(), 0).to(in[0].dtype()).requires_grad_(), largest = max_pool2d(pixels, 3);
  return {largest.detach(),
          grad({largest}, {pixels}, {full(largest.shape(), 1, {pixels.dtype(), pixels.device()})})[0]};
}

std::vector<SpecError> max_errors() {
  auto images = [](Device d) { return ones({1, 1, 4, 4}, {f32, d}); };
  return {{"expected images [N, C, H, W], got [3, 4]",
           [](Device d) {
             max_pool2d(ones({3, 4}, {f32, d}), 2);
           }},
          {"expected floating-point images, got i64",
           [](Device d) {
             max_pool2d(ones({1, 1, 4, 4}, {i64, d}), 2);
           }},
          {"have no pixels",
           [](Device d) {
             max_pool2d(ones({1, 1, 0, 4}, {f32, d}), 2);
           }},
          {"must be positive, got 0", [=](Device d) { max_pool2d(images(d), 0); }},
          {"kernel must be one number or two, got []", [=](Device d) { max_pool2d(images(d), Pool2dOptions{}); }},
          {"more than half of the kernel 2", [=](Device d) { max_pool2d(images(d), {.kernel = {2}, .padding = {2}}); }},
          {"does not fit images [1, 1, 4, 4]", [=](Device d) { max_pool2d(images(d), 5); }}};
}

}  // namespace

extern const Specs pooling_specs;
const Specs pooling_specs = [] {
  Specs specs = {
      max_spec("2x2", {.kernel = {2}},
               {{2, 3, 6, 6}, {1, 2, 7, 5}, {0, 3, 4, 4}, {3, 0, 4, 4}, {2, 37, 9, 6}, {2, 64, 8, 8}}),
      max_spec("3x3 by 2", {.kernel = {3}, .stride = {2}, .padding = {1}}, {{1, 2, 7, 7}, {1, 1, 1, 1}, {2, 19, 8, 9}}),
      max_spec("3x3 by 2, up", {.kernel = {3}, .stride = {2}, .ceil_mode = true}, {{1, 2, 7, 8}, {2, 16, 8, 6}}),
      max_spec("2x2 up", {.kernel = {2}, .ceil_mode = true}, {{1, 2, 5, 7}, {2, 17, 3, 3}}),
      max_spec("dilated", {.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0}, .dilation = {2, 3}},
               {{1, 2, 8, 9}, {2, 18, 7, 6}}),
      max_spec("gaps", {.kernel = {2, 1}, .stride = {3, 2}}, {{1, 2, 8, 9}, {2, 18, 7, 6}}),
      max_spec("17x17", {.kernel = {17}, .stride = {1}, .padding = {8}}, {{1, 1, 3, 5}, {1, 2, 20, 3}}),
      {.name = "max_pool2d of equals",
       .run = max_of_equals,
       .inputs = {real(nchw)},
       .sizes = {{1, 2, 7, 9}, {2, 16, 6, 6}},
       .dtypes = floating,
       .gradient = false},
      mean_spec("2x2", {.kernel = {2}}, {{2, 3, 6, 6}, {1, 2, 7, 5}, {0, 3, 4, 4}, {2, 37, 9, 6}, {2, 64, 8, 8}}),
      mean_spec("3x3 by 2", {.kernel = {3}, .stride = {2}, .padding = {1}},
                {{1, 2, 7, 7}, {1, 1, 1, 1}, {2, 19, 8, 9}}),
      mean_spec("3x3 by 2, up",
                {.kernel = {3}, .stride = {2}, .padding = {1}, .ceil_mode = true, .count_include_pad = false},
                {{1, 2, 8, 8}, {2, 17, 6, 7}}),
      mean_spec("oblong", {.kernel = {2, 3}, .stride = {2, 1}, .padding = {0, 1}}, {{1, 2, 6, 7}, {2, 20, 5, 5}}),
      mean_spec("divided by 3", {.kernel = {2}, .divisor_override = 3}, {{1, 2, 4, 4}}),
      adaptive_spec({1}, {{2, 3, 6, 6}, {1, 40, 3, 5}}),
      adaptive_spec({3, 2}, {{1, 2, 7, 5}, {2, 33, 6, 6}, {1, 1, 2, 1}}),
      adaptive_spec({6, 0}, {{1, 2, 4, 4}}),
      adaptive_spec({6}, {{1, 2, 4, 4}, {2, 16, 12, 6}}),
  };
  for (Spec& spec : specs)
    if (spec.name.ends_with(" 2x2")) spec.exact = true;
  specs[0].errors = max_errors();
  specs[0].timings = {{.name = "max_pool2d.64x32x28x28", .sizes = {64, 32, 28, 28}},
                      {.name = "max_pool2d.64x32x28x28.backward", .sizes = {64, 32, 28, 28}, .backward = true},
                      {.name = "max_pool2d.64x64x14x14", .sizes = {64, 64, 14, 14}}};
  specs[8].errors = {{"has no dilation",
                      [](Device d) {
                        avg_pool2d(ones({1, 1, 4, 4}, {f32, d}), {.kernel = {2}, .dilation = {2}});
                      }},
                     {"the divisor must be positive", [](Device d) {
                        avg_pool2d(ones({1, 1, 4, 4}, {f32, d}), {.kernel = {2}, .divisor_override = -1});
                      }}};
  specs[8].timings = {{.name = "avg_pool2d.64x32x28x28", .sizes = {64, 32, 28, 28}}};
  specs[13].errors = {{"sizes cannot be negative", [](Device d) {
                         adaptive_avg_pool2d(ones({1, 1, 4, 4}, {f32, d}), -1);
                       }}};
  return specs;
}();

}  // namespace percale
