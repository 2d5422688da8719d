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

/// The forward pass, piece by piece.
class ConvolutionForward {
 public:
  /// Bands begin at multiples of `row_step` rows. f32 and bf16 (where oneDNN computes with it).
  ConvolutionForward(const ConvolutionShape& shape, const Tensor& x, const Tensor& weight, const Tensor& bias,
                     int64_t row_step);

  int64_t count() const { return static_cast<int64_t>(pieces_.size()); }
  const ConvolutionPiece& piece(int64_t i) const { return pieces_[static_cast<size_t>(i)].extent; }
  /// Elements of the largest piece's result.
  int64_t largest_piece() const;
  /// Writes piece i, [images, rows, out_width, out_channels], through ReLU if asked, to `out`. May be called from
  /// several threads.
  void run(int64_t i, bool relu, void* out) const;
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
  void pack_own(const Tensor& weight);
  void run_onednn(const Piece& piece, void* out) const;
  /// Calls `body(padded extent, padded values, image of the piece)` for each image of a piece.
  template <class Body>
  void for_padded(const Piece& piece, Body body) const;

  ConvolutionShape shape_;
  Tensor x_, bias_;
  std::vector<Piece> pieces_;
  std::optional<FewChannels> few_;
  bool wide_;                             ///< has_wide_windows
  std::shared_ptr<Storage> own_weights_;  ///< of our own loops
  Tensor own_bias_;
};

/// ReLU in place; NaN stays. On the caller's thread.
void rectify(DType dtype, void* values, int64_t count);

/// Images whose gradients one thread adds up: a partial sum of the weights' gradient each.
int64_t images_per_group(const ConvolutionShape& shape);

/// The backward pass by oneDNN, group after group of images. Writes those of `out` that are defined.
class DenseGradients {
 public:
  DenseGradients(const ConvolutionShape& shape, const Tensor& x, const Tensor& weight, const Conv2dGradients& out);

  int64_t groups() const { return groups_; }
  /// The share of a group, of whose results `gradient` is the gradient. May be called from several threads.
  void run(int64_t group, const void* gradient) const;
  /// Adds up the weights' gradient, when all groups have run.
  void finish() const;

 private:
  /// oneDNN's primitives of one group of images.
  struct Primitives {
    std::shared_ptr<const Primitive> by_input, by_weight;
  };
  /// `partial`: the layout of the weight gradient, empty for oneDNN's choice.
  Primitives prepare(int64_t images, const dnnl::memory::desc& partial) const;

  ConvolutionShape shape_;
  Tensor x_;
  Conv2dGradients out_;
  int64_t images_, groups_;
  Primitives full_, last_;
  std::shared_ptr<Storage> packed_;
  int64_t stride_ = 0;  ///< of the weights' partial gradients
  Tensor partials_;
};

}  // namespace percale::cpu
