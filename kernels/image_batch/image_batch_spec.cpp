#include "../../core/primitives.h"
#include "../common/spec.h"
#include "../fill/fill.h"
#include "image_batch.h"

namespace percale {
namespace {

/// Every byte's value occurs.
Tensor bytes(const Shape& shape, Device device) {
  Tensor result = Tensor::empty(shape, {u8, cpu_device});
  for (int64_t i = 0; i < result.numel(); ++i) result.data<uint8_t>()[i] = static_cast<uint8_t>(i * 37 + i / 256);
  return result.to(device);
}

Tensors batch(const Tensors& in, int64_t channels, int64_t height, int64_t width) {
  const Tensor images = bytes({in[1].numel(), channels, height, width}, in[0].device());
  return {image_batch(images, in[0], {0.1307}, {0.3081}), image_batch(images, in[0])};
}

std::vector<SpecError> errors() {
  auto take = [](Device d, const Tensor& rows) {
    return image_batch(zeros({5, 1, 2, 2}, {u8, d}), rows).to(cpu_device);
  };
  return {{"row 5 at position 1 is out of range for 5 images",
           [=](Device d) {
             take(d, tensor({0, 5, 7}, d));
           }},
          {"row -1 at position 2 is out of range for 5 images",
           [=](Device d) {
             take(d, tensor({0, 4, -1}, d));
           }},
          {"rows must be [batch] of i64 or i32, got [1] of f32",
           [=](Device d) {
             take(d, ones({1}, {f32, d}));
           }},
          {"images must be contiguous u8",
           [](Device d) {
             image_batch(zeros({5, 1, 2, 2}, {f32, d}), tensor({0}, d));
           }},
          {"2 means or deviations for 1 channels",
           [](Device d) {
             image_batch(zeros({5, 1, 2, 2}, {u8, d}), tensor({0}, d), {0, 1}, {1});
           }},
          {"the deviation of channel 0 is zero",
           [](Device d) {
             image_batch(zeros({5, 1, 2, 2}, {u8, d}), tensor({0}, d), {0}, {0});
           }},
          {"takes at most 64 channels, got 65",
           [](Device d) {
             image_batch(zeros({1, 65, 1, 1}, {u8, d}), tensor({0}, d));
           }},
          {"there are no images", [](Device d) {
             image_batch(zeros({0, 1, 2, 2}, {u8, d}), tensor({0}, d));
           }}};
}

Spec image_spec(std::string name, int64_t channels, int64_t height, int64_t width, DType index) {
  // The images are made of the number of positions: inputs of a spec are real or indices.
  return {.name = "image_batch " + name,
          .run = [=](const Tensors& in) { return batch(in, channels, height, width); },
          .inputs = {index_input("count", {"batch"}, index), constant(real({"count"}))},
          .sizes = {{3, 5}, {1, 1}, {0, 2}, {17, 3}},
          .gradient = false,
          .graph = false};
}

}  // namespace

extern const Specs image_batch_specs;
const Specs image_batch_specs = [] {
  Specs specs = {image_spec("28x28", 1, 28, 28, i64), image_spec("3x5x7", 3, 5, 7, i64),
                 image_spec("4x6x6", 4, 6, 6, i32), image_spec("1x9x11", 1, 9, 11, i32)};
  specs[0].errors = errors();
  return specs;
}();

}  // namespace percale
