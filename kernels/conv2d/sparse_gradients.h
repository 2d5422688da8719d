// Gradients of a convolution from a gradient that is mostly zero, as it is behind a max pool or a ReLU: each channel's
// non-zero elements are listed, and only they are multiplied, each by whole rows of a window.
#pragma once

#include "../../core/convolution_shape.h"
#include "../../core/tensor.h"
#include "output_gradient.h"
#include "padded_image.h"
#include "wide_windows.h"

namespace percale::cpu {

/// Whether a window is made of rows that lie in one piece in memory, and of more values than wide_windows.h's.
inline bool has_window_rows(const ConvolutionShape& s) {
  return s.groups == 1 && s.dilation_width == 1 && !has_wide_windows(s);
}

/// How weights and sums of their gradients lie here: [block of channels][output channel][window row][pitch], zeros
/// behind a row's end. A block has as many channels as make a window fit the registers of AVX-512.
struct WindowRows {
  int64_t block, blocks;        ///< as PaddedImage's
  int64_t rows, length, pitch;  ///< of a window in one block

  explicit WindowRows(const ConvolutionShape& s)
      : block(std::min(16 * std::clamp<int64_t>(18 / (s.kernel_height * s.kernel_width), 1, 6), s.in_channels)),
        blocks((s.in_channels + block - 1) / block),
        rows(s.kernel_height),
        length(s.kernel_width * block),
        pitch((length + 15) / 16 * 16) {}
  int64_t block_numel(const ConvolutionShape& s) const { return s.out_channels * rows * pitch; }
  int64_t numel(const ConvolutionShape& s) const { return blocks * block_numel(s); }
  /// Where the weight of output channel o for input channel i at row v and column u of the window lies.
  int64_t place(const ConvolutionShape& s, int64_t o, int64_t v, int64_t u, int64_t i) const {
    return i / block * block_numel(s) + (o * rows + v) * pitch + u * block + i % block;
  }
};
void pack_window_rows(const ConvolutionShape& s, const Tensor& weight, float* packed);

/// A value of a channel's gradient that is not zero, and where its window begins in the padded image.
struct GradientEntry {
  int32_t offset;
  float value;
};

/// One channel's entries, and the steps from one row of a window to the next in the image and in weights or sums.
struct GradientList {
  const GradientEntry* entries;
  int64_t count;
  int64_t row_step, pitch;
};

/// One image's gradients, from a list a channel of what is not zero. One thread's.
class SparseGradient {
 public:
  explicit SparseGradient(const ConvolutionShape& shape);
  const PaddedImage& padded() const { return padded_; }

  /// Adds the image's share to `sums`, laid out as WindowRows, from its padded form (null: not wanted), and writes the
  /// padded image's gradient (null: not wanted).
  void run(const OutputGradient& gradient, const float* padded_in, float* sums, const float* packed_weights,
           float* padded_gradient);

 private:
  void list(const OutputGradient& gradient, int64_t first_row, int64_t rows);

  ConvolutionShape shape_;
  WindowRows window_;
  PaddedImage padded_;
  int64_t tile_rows_;        ///< listed at a time
  Tensor entries_, starts_;  ///< channel o's list: from starts[o] to starts[o + 1]
};

}  // namespace percale::cpu
