// Sums over all pixels of each channel on CUDA, in two steps whose order depends on the sizes alone. What is summed is
// a functor's: so a gradient that comes through a pool gives the same bytes as one that is read from memory.
#pragma once

#include <algorithm>

#include "../../core/tensor.h"
#include "../common/convert.h"
#include "../common/device.h"

namespace percale::cuda {

inline constexpr int pixel_rows = 8;  // threads that share a channel

template <class Sum, int vector>
struct PixelSums {
  Sum of[pixel_rows][warp_size * vector];
};

/// `load.template operator()<vector>(pixel, channel)` gives `vector` neighbouring channels of a pixel as a Vector.
template <int vector, class Sum, class Load>
__global__ void sum_pixels_kernel(Load load, int64_t pixels, int64_t channels, int64_t pixels_per_block,
                                  Sum* partials) {
  auto& shared = dynamic_shared<PixelSums<Sum, vector>>();
  const int64_t channel = (static_cast<int64_t>(blockIdx.x) * warp_size + threadIdx.x) * vector;
  const int64_t begin = blockIdx.y * pixels_per_block;
  const int64_t end = begin + pixels_per_block < pixels ? begin + pixels_per_block : pixels;
  Sum sums[vector] = {};
  if (channel < channels) {
    for (int64_t pixel = begin + threadIdx.y; pixel < end; pixel += pixel_rows) {
      const auto values = load.template operator()<vector>(pixel, channel);
      for (int k = 0; k < vector; ++k) sums[k] += static_cast<Sum>(values[k]);
    }
  }
  for (int k = 0; k < vector; ++k) shared.of[threadIdx.y][threadIdx.x * vector + k] = sums[k];
  __syncthreads();
  if (threadIdx.y != 0 || channel >= channels) return;
  for (int k = 0; k < vector; ++k) {
    Sum total{};
    for (int row = 0; row < pixel_rows; ++row) total += shared.of[row][threadIdx.x * vector + k];
    partials[blockIdx.y * channels + channel + k] = total;
  }
}

/// Adds up what the blocks found, in their order.
template <class Sum, class To>
__global__ void sum_blocks_kernel(const Sum* partials, int64_t blocks, int64_t channels, To* target) {
  for (index_t channel : grid_stride(channels)) {
    Sum total{};
    for (int64_t block = 0; block < blocks; ++block) total += partials[block * channels + channel];
    target[channel] = percale::convert_to<To>(total);
  }
}

/// target[channel] = sum over pixels of load(pixel, channel), which may also write what it loads elsewhere: each is
/// asked for once. `vector` divides `channels`.
template <int vector, class Sum, class Load>
void sum_pixels(const Load& load, int64_t pixels, int64_t channels, const Tensor& target) {
  const int64_t pixels_per_block = std::max<int64_t>((pixels + 255) / 256, 64);
  const int64_t blocks = (pixels + pixels_per_block - 1) / pixels_per_block;
  const int64_t columns = (channels / vector + warp_size - 1) / warp_size;
  const Tensor partials = Tensor::empty({blocks, channels}, {dtype_of<Sum>, cuda_device});
  launch(sum_pixels_kernel<vector, Sum, Load>, dim3(Extents::fitting(columns), static_cast<unsigned>(blocks)),
         dim3(warp_size, pixel_rows), sizeof(PixelSums<Sum, vector>), current_stream(), load, pixels, channels,
         pixels_per_block, partials.data<Sum>());
  visit_floating("conv2d", target.dtype(), [&]<class To>() {
    launch(sum_blocks_kernel<Sum, To>, blocks_for(channels, 128), 128, 0, current_stream(), partials.data<Sum>(),
           blocks, channels, target.data<To>());
  });
}

}  // namespace percale::cuda
