// An image with its padding written out, so that every window of a convolution is whole and has the same offsets; its
// channels in blocks, each of which stays in a core's first cache.
#pragma once

#include <algorithm>
#include <cstring>

#include "../../core/convolution_shape.h"

namespace percale::cpu {

/// The part of a padded image that some output rows' windows cover: [block][row][column][channel of the block]. Behind
/// its end lie `slack` floats that may be read. Only whole vectors of a block's channels make sense to one who uses
/// several.
struct PaddedImage {
  static constexpr int64_t slack = 64;

  int64_t first_row, height, width;  ///< of the padded image, in which row 0 is padding if there is any
  int64_t block, blocks;             ///< channels of a block (all, if they are one) and how many there are
  int64_t row_step, block_step;      ///< floats from one row or block to the next

  PaddedImage(const ConvolutionShape& s, int64_t row, int64_t rows, int64_t block_channels)
      : first_row(row * s.stride_height),
        height((rows - 1) * s.stride_height + (s.kernel_height - 1) * s.dilation_height + 1),
        width((s.out_width - 1) * s.stride_width + (s.kernel_width - 1) * s.dilation_width + 1),
        block(std::min(block_channels, s.in_channels)),
        blocks((s.in_channels + block - 1) / block),
        row_step(spread(width * block, s)),
        block_step(height * row_step) {}

  int64_t numel() const { return blocks * block_step + slack; }

 private:
  /// A processor takes addresses that are a multiple of 4 KiB apart for the same until it has looked closer, and lets a
  /// load wait for a store that has nothing to do with it: a window's rows keep clear of each other.
  int64_t spread(int64_t row, const ConvolutionShape& s) const {
    constexpr int64_t period = 1024;
    const int64_t window = s.kernel_width * block + 16;
    if (window * s.kernel_height > period) return row;
    const auto meets = [&](int64_t step) {
      for (int64_t i = 1; i < s.kernel_height; ++i) {
        const int64_t apart = i * s.dilation_height * step % period;
        if (apart < window || period - apart < window) return true;
      }
      return false;
    };
    const int64_t unit = row % 16 == 0 ? 16 : 1;
    for (int64_t step = row; step < row + period; step += unit)
      if (!meets(step)) return step;
    return row;
  }
};

/// Copies what `padded` covers of `image` [in_height, in_width, channels] to `target`, zeros in the padding.
inline void pad(const ConvolutionShape& s, const PaddedImage& padded, const float* image, float* target) {
  const int64_t block = padded.block, left = std::min(s.padding_width, padded.width);
  const int64_t copied = std::clamp<int64_t>(padded.width - left, 0, s.in_width);
  std::fill_n(target, padded.numel(), 0.0f);
  for (int64_t b = 0; b < padded.blocks; ++b) {
    const int64_t channels = std::min(block, s.in_channels - b * block);
    for (int64_t y = 0; y < padded.height; ++y) {
      const int64_t in_y = padded.first_row + y - s.padding_height;
      if (in_y < 0 || in_y >= s.in_height) continue;
      const float* from = image + in_y * s.in_width * s.in_channels + b * block;
      float* to = target + b * padded.block_step + y * padded.row_step + left * block;
      if (padded.blocks == 1)
        std::copy_n(from, copied * block, to);
      else if (channels == 16)
        for (int64_t x = 0; x < copied; ++x) std::memcpy(to + x * block, from + x * s.in_channels, 16 * sizeof(float));
      else
        for (int64_t x = 0; x < copied; ++x) std::copy_n(from + x * s.in_channels, channels, to + x * block);
    }
  }
}

/// The other way: what lies in the padding is dropped, what no window covers is zero. For the whole image.
inline void unpad(const ConvolutionShape& s, const PaddedImage& padded, const float* source, float* image) {
  const int64_t block = padded.block, left = s.padding_width;
  const int64_t copied = std::clamp<int64_t>(padded.width - left, 0, s.in_width);
  if (copied < s.in_width || padded.height < s.in_height + s.padding_height)
    std::fill_n(image, s.in_height * s.in_width * s.in_channels, 0.0f);
  for (int64_t b = 0; b < padded.blocks; ++b) {
    const int64_t channels = std::min(block, s.in_channels - b * block);
    for (int64_t y = 0; y < s.in_height && y + s.padding_height < padded.height; ++y) {
      const float* from = source + b * padded.block_step + (y + s.padding_height) * padded.row_step + left * block;
      float* to = image + y * s.in_width * s.in_channels + b * block;
      if (padded.blocks == 1)
        std::copy_n(from, copied * block, to);
      else if (channels == 16)
        for (int64_t x = 0; x < copied; ++x) std::memcpy(to + x * s.in_channels, from + x * block, 16 * sizeof(float));
      else
        for (int64_t x = 0; x < copied; ++x) std::copy_n(from + x * block, channels, to + x * s.in_channels);
    }
  }
}

}  // namespace percale::cpu
