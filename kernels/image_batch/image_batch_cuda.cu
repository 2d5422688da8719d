#include "../common/device.h"
#include "image_batch_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256, per_thread = 4;  // four floats are one store of 16 bytes

/// Block (image, piece): elements of the output in memory order, pixel by pixel, `width` a thread.
template <int width, class Index>
__global__ void image_batch_kernel(const uint8_t* images, const Index* rows, index_t count, index_t channels,
                                   index_t pixels, ImageNormalization normalization, float* batch,
                                   ErrorReporter reporter) {
  const index_t image = blockIdx.x, length = channels * pixels;
  index_t row = static_cast<index_t>(rows[image]);
  if (row < 0 || row >= count) {
    if (blockIdx.y == 0 && threadIdx.x == 0) report_bad_index(reporter, image, row, count);
    row = 0;
  }
  const uint8_t* from = images + row * length;
  float* to = batch + image * length;
  const index_t step = static_cast<index_t>(gridDim.y) * threads * width;
  for (index_t i = (static_cast<index_t>(blockIdx.y) * threads + threadIdx.x) * width; i < length; i += step) {
    Vector<float, width> values;
    if (channels == 1) {
      const auto bytes = load_vector<width>(from + i);
#pragma unroll
      for (int k = 0; k < width; ++k) values[k] = normalization.value(bytes[k], 0);
    } else {
#pragma unroll
      for (int k = 0; k < width; ++k) {
        const index_t pixel = (i + k) / channels, channel = (i + k) % channels;
        values[k] = normalization.value(from[channel * pixels + pixel], channel);
      }
    }
    store_vector(to + i, values);
  }
}

template <class Index>
void run(const Tensor& images, const Tensor& rows, const ImageNormalization& normalization, const Tensor& batch) {
  const int64_t channels = images.size(1), pixels = images.size(2) * images.size(3), length = channels * pixels;
  const auto* bytes = images.data<uint8_t>();
  float* out = batch.data<float>();
  const bool is_wide = length % per_thread == 0 && is_aligned<per_thread>(bytes) && is_aligned<per_thread>(out);
  const int64_t pieces = (length + threads * per_thread - 1) / (threads * per_thread);
  const dim3 grid(static_cast<unsigned>(rows.numel()), static_cast<unsigned>(std::min<int64_t>(pieces, 64)));
  launch(is_wide ? image_batch_kernel<per_thread, Index> : image_batch_kernel<1, Index>, grid, threads, 0,
         current_stream(), bytes, rows.data<Index>(), images.size(0), channels, pixels, normalization, out,
         error_reporter("image_batch", rows.shape(), current_stream(), image_row_message));
}

}  // namespace

void image_batch(const Tensor& images, const Tensor& rows, const ImageNormalization& normalization,
                 const Tensor& batch) {
  if (rows.dtype() == i64)
    run<int64_t>(images, rows, normalization, batch);
  else
    run<int32_t>(images, rows, normalization, batch);
}

}  // namespace percale::cuda
