#include "../../core/primitives.h"
#include "matmul_layout.h"
#include "matmul_twins.h"

namespace percale::cuda {

void matmul(const Tensor& a, const Tensor& b, const Tensor& out) {
  MatrixProduct product;
  product.rows = a.size(-2);
  product.columns = b.size(-1);
  product.depth = a.size(-1);
  product.dtype = a.dtype();
  product.precision = current_precision();
  if (product.depth == 0) return fill(out, 0);
  product.batch = out.numel() / (product.rows * product.columns);
  const Tensor left = readable(a, product.left), right = readable(b, product.right);
  const Tensor workspace = product_workspace_tensor();
  multiply(product, left.data(), right.data(), nullptr, out.data(), workspace.data(), current_stream());
}

}  // namespace percale::cuda
