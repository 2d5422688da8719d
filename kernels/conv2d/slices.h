// A convolution on the CPU cut into pieces by size alone: each runs on one thread, so that bytes never depend on how
// many there are, and leaves its result in that thread's cache for what comes next.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "../../core/convolution_shape.h"
#include "../../core/cpu/onednn.h"
#include "conv2d.h"
#include "few_channels.h"

namespace percale::cpu {

/// Output rows `row` to `row + rows` of images `image` to `image + images`: whole images, or a band of one.
struct ConvolutionPiece {
  int64_t image, images, row, rows;
};

/// The forward pass, piece by piece: without ReLU, which whoever reads the piece applies while it is in cache.
class ConvolutionForward {
 public:
  /// Bands begin at multiples of `row_step` rows. f32 and bf16 (where oneDNN computes with it).
  ConvolutionForward(const ConvolutionShape& shape, const Tensor& x, const Tensor& weight, const Tensor& bias,
                     int64_t row_step);

  int64_t count() const { return static_cast<int64_t>(pieces_.size()); }
  const ConvolutionPiece& piece(int64_t i) const { return pieces_[static_cast<size_t>(i)].extent; }
  /// Elements of the largest piece's result.
  int64_t largest_piece() const;
  /// Writes piece i, [images, rows, out_width, out_channels], to `out`. May be called from several threads.
  void run(int64_t i, void* out) const;
  /// Whether the piece can go through ReLU and a 2 x 2 pool (bands then begin at even rows) while it is in registers.
  bool pools() const { return few_.has_value(); }
  /// Writes the pooled values of piece i and the windows' positions.
  void run_pooled(int64_t i, float* pooled, uint8_t* positions) const;

 private:
  struct Piece {
    ConvolutionPiece extent;
    std::shared_ptr<const Primitive> primitive;
    std::shared_ptr<Storage> weights;
  };
  Piece prepare(const ConvolutionPiece& extent, const Tensor& weight) const;
  void prepare_few(const Tensor& weight);
  /// Calls `body(padded extent, padded values, image of the piece)` for each image of a piece.
  template <class Body>
  void for_padded(const Piece& piece, Body body) const;

  ConvolutionShape shape_;
  Tensor x_, bias_;
  std::vector<Piece> pieces_;
  std::optional<FewChannels> few_;
  std::shared_ptr<Storage> few_weights_;
  Tensor few_bias_;
};

/// Images whose gradients one thread adds up: a partial sum of the weights' gradient each.
int64_t images_per_group(const ConvolutionShape& shape);

/// The backward pass over dense gradients by oneDNN. Writes those of `out` that are defined.
void dense_convolution_gradients(const ConvolutionShape& shape, const Tensor& gradient, const Tensor& x,
                                 const Tensor& weight, const Conv2dGradients& out);

}  // namespace percale::cpu
