// A convolution on the CPU cut into pieces by size alone: each runs on one thread, so that bytes never depend on how many
// there are, and leaves its result in that thread's cache for what comes next.
#pragma once

#include <memory>
#include <vector>

#include "../../core/convolution_shape.h"
#include "../../core/cpu/onednn.h"
#include "conv2d.h"

namespace percale::cpu {

/// Output rows `row` to `row + rows` of images `image` to `image + images`: whole images, or a band of one.
struct ConvolutionPiece {
  int64_t image, images, row, rows;
};

/// The forward pass, piece by piece: without ReLU, which whoever reads the piece applies while it is in cache.
class ConvolutionForward {
 public:
  /// Bands begin at multiples of `row_step` rows. f32 and bf16 (where oneDNN computes with it).
  ConvolutionForward(const ConvolutionShape& shape, const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t row_step);

  int64_t count() const { return static_cast<int64_t>(pieces_.size()); }
  const ConvolutionPiece& piece(int64_t i) const { return pieces_[static_cast<size_t>(i)].extent; }
  /// Elements of the largest piece's result.
  int64_t largest_piece() const;
  /// Writes piece i, [images, rows, out_width, out_channels], to `out`. May be called from several threads.
  void run(int64_t i, void* out) const;

 private:
  struct Piece {
    ConvolutionPiece extent;
    std::shared_ptr<const Primitive> primitive;
    std::shared_ptr<Storage> weights;
  };
  Piece prepare(const ConvolutionPiece& extent, const Tensor& weight) const;

  ConvolutionShape shape_;
  Tensor x_, bias_;
  std::vector<Piece> pieces_;
};

/// The backward pass over dense gradients by oneDNN. Writes those of `out` that are defined.
void dense_convolution_gradients(const ConvolutionShape& shape, const Tensor& gradient, const Tensor& x, const Tensor& weight,
                                 const Conv2dGradients& out);

}  // namespace percale::cpu
