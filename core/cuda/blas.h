// What Percale asks of cuBLASLt, in plain types: products of row-major matrices, in batches, with bias and ReLU.
// Two bodies: core/cuda/blas_cuda.cpp opens cuBLASLt on first use, tests/emulator/blas.cpp computes on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "../dtype.h"
#include "../precision.h"
#include "runtime.h"
#include "unfinished.h"

namespace percale::cuda {

/// How an operand lies in memory: rows of neighbours, `leading` elements apart. `transposed`: what is multiplied is the
/// transpose of what lies there. `batch_step`: from one matrix of a batch to the next, 0 to use one for all.
struct MatrixLayout {
  bool transposed = false;
  int64_t leading = 0;
  int64_t batch_step = 0;
};

/// What is done to a finished product.
enum class ProductEpilogue {
  none,
  bias,       ///< + bias[columns]
  relu,       ///< max(x, 0): what becomes of NaN is cuBLASLt's to say
  bias_relu,  ///< + bias[columns], then ReLU
};

inline bool has_bias(ProductEpilogue epilogue) {
  return epilogue == ProductEpilogue::bias || epilogue == ProductEpilogue::bias_relu;
}
inline bool has_relu(ProductEpilogue epilogue) {
  return epilogue == ProductEpilogue::relu || epilogue == ProductEpilogue::bias_relu;
}

/// out[rows, columns] = left[rows, depth] right[depth, columns], `batch` times; `out` is dense. All of one dtype (f32,
/// f64, f16, bf16), sums in f32 (f64 in f64). Epilogues are for a batch of 1 and not for f64.
struct MatrixProduct {
  int64_t rows = 0, columns = 0, depth = 0, batch = 1;  ///< all at least 1
  MatrixLayout left, right;
  DType dtype = f32;
  Precision precision = Precision::fp32;  ///< tells f32 from tf32
  ProductEpilogue epilogue = ProductEpilogue::none;
};

/// Bytes of device memory that a product may use beside its operands, aligned to 256: the same for all.
size_t product_workspace();
/// Returns what of the epilogue is not in `out`. The algorithm is chosen by cuBLASLt's own table when a product of
/// these extents, layouts and alignments is first asked for, never by timing and never one that adds up parts of the
/// depth in any order; then kept.
Unfinished multiply(const MatrixProduct& product, const void* left, const void* right, const void* bias, void* out,
                    void* workspace, Stream stream);

/// `13.1.0`, or why cuBLASLt can't be had.
std::string cublas_version();

}  // namespace percale::cuda
