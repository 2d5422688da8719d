// core/cuda/blas.h on the CPU: plain loops in the order of the stream.
#include "../../core/cuda/blas.h"

#include <cstring>

#include "../../core/error.h"
#include "../../kernels/common/convert.h"
#include "emulator.h"

namespace percale::cuda {
namespace {

struct Addresses {
  const void *left, *right, *bias;
  void* out;
};

template <class T>
void compute(const MatrixProduct& product, const Addresses& at) {
  const bool biased = has_bias(product.epilogue), relu = has_relu(product.epilogue);
  auto element = [](const T* matrix, const MatrixLayout& layout, int64_t row, int64_t column) {
    const int64_t index = layout.transposed ? column * layout.leading + row : row * layout.leading + column;
    return static_cast<compute_t<T>>(matrix[index]);
  };
  for (int64_t i = 0; i < product.batch; ++i) {
    const T* left = static_cast<const T*>(at.left) + i * product.left.batch_step;
    const T* right = static_cast<const T*>(at.right) + i * product.right.batch_step;
    T* out = static_cast<T*>(at.out) + i * product.rows * product.columns;
    for (int64_t row = 0; row < product.rows; ++row)
      for (int64_t column = 0; column < product.columns; ++column) {
        compute_t<T> sum = 0;
        for (int64_t k = 0; k < product.depth; ++k)
          sum += element(left, product.left, row, k) * element(right, product.right, k, column);
        if (biased) sum += static_cast<compute_t<T>>(static_cast<const T*>(at.bias)[column]);
        out[row * product.columns + column] = convert_to<T>(relu && sum < 0 ? compute_t<T>(0) : sum);
      }
  }
}

}  // namespace

size_t product_workspace() { return 256; }  // overwritten each time, so that a caller who forgets it is found out

Unfinished multiply(const MatrixProduct& asked, const void* left, const void* right, const void* bias, void* out,
                    void* workspace, Stream stream) {
  MatrixProduct product = asked;
  Unfinished rest;
  if (emulator::refuses_fusion()) {
    rest = {has_bias(product.epilogue), has_relu(product.epilogue)};
    product.epilogue = ProductEpilogue::none;
  }
  require(product.rows > 0 && product.columns > 0 && product.depth > 0 && product.batch > 0, "emulator",
          "cuBLASLt takes no empty products");
  require(product.epilogue == ProductEpilogue::none || (product.batch == 1 && product.dtype != f64), "emulator",
          "an epilogue is for one product, and not for f64");
  const Addresses addresses{left, right, bias, out};
  emulator::enqueue_work(stream, [=] {
    std::memset(workspace, 0xff, product_workspace());
    visit_floating("matmul", product.dtype, [&]<class T>() { compute<T>(product, addresses); });
  });
  return rest;
}

std::string cublas_version() { return "emulated"; }

}  // namespace percale::cuda
