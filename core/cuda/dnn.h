// What Percale asks of cuDNN, in plain types: convolution and its gradients on channels-last images.
// Two bodies: core/cuda/dnn_cuda.cpp opens cuDNN on first use, tests/emulator/dnn.cpp computes on the CPU.
#pragma once

#include <cstddef>
#include <string>

#include "../convolution_shape.h"
#include "../dtype.h"
#include "../precision.h"
#include "runtime.h"
#include "unfinished.h"

namespace percale::cuda {

/// Images and weights are of `dtype` (f32, f16, bf16); sums are f32. `precision` tells f32 from tf32.
struct Convolution {
  ConvolutionShape shape;
  DType dtype;
  Precision precision;
};

enum class ConvolutionPass { forward, by_input, by_weight };

/// Bytes of device memory that the pass needs beside its operands. The algorithm is chosen here by cuDNN's own table,
/// never by timing, among those that give the same bytes each time; and kept for the shape.
size_t convolution_workspace(const Convolution& convolution, ConvolutionPass pass);

/// out = convolution(in, weight) + bias, then ReLU (in which NaN stays) if asked, but for what is returned. Without a
/// bias there is no ReLU either.
Unfinished convolution_forward(const Convolution& convolution, const void* in, const void* weight, const void* bias,
                               bool relu, void* out, void* workspace, Stream stream);
/// The gradient by the images, from that of the result.
void convolution_by_input(const Convolution& convolution, const void* gradient, const void* weight, void* in_gradient,
                          void* workspace, Stream stream);
/// The gradient by the weights, from that of the result.
void convolution_by_weight(const Convolution& convolution, const void* in, const void* gradient, void* weight_gradient,
                           void* workspace, Stream stream);

/// `9.19.0`, or why cuDNN can't be had.
std::string cudnn_version();

}  // namespace percale::cuda
