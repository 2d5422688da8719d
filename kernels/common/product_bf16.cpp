// The pieces of a product of bfloat16 on processors that multiply it themselves: our own dot products of pairs, or
// oneDNN where AMX does better.
#include <cstring>

#include "../../core/allocator.h"
#include "../../core/cpu/onednn.h"
#include "../../core/primitives.h"
#include "product.h"
#include "product_bf16_pairs.h"

namespace percale::cpu {
namespace {

/// Pieces have exactly so many rows, the last one by padding: so that oneDNN computes each row in the same way however
/// many there are.
constexpr int64_t piece_rows = bf16_piece_rows;

dnnl::memory::desc layout_of(int64_t rows, int64_t columns, int64_t row_step, int64_t column_step) {
  return {{rows, columns}, dnnl::memory::data_type::bf16, dnnl::memory::dims{row_step, column_step}};
}

std::shared_ptr<const Primitive> primitive_of(const Product& product, int64_t columns, int64_t left_row_step,
                                              int64_t out_row_step) {
  PrimitiveKey key("product_bf16");
  key.add(columns).add(product.depth).add(left_row_step).add(product.left_depth_step).add(product.right_depth_step);
  key.add(product.right_column_step).add(out_row_step).add(product.bias != nullptr);
  return cached_primitive(key, [&](const dnnl::engine& engine, const dnnl::primitive_attr& attributes) {
    const auto left = layout_of(piece_rows, product.depth, left_row_step, product.left_depth_step);
    const auto right = layout_of(product.depth, columns, product.right_depth_step, product.right_column_step);
    const auto out = layout_of(piece_rows, columns, out_row_step, 1);
    const auto description = product.bias ? dnnl::matmul::desc(left, right, layout_of(1, columns, columns, 1), out)
                                          : dnnl::matmul::desc(left, right, out);
    return make_primitive<dnnl::matmul>(dnnl::matmul::primitive_desc(description, attributes, engine));
  });
}

/// Memory of this call's own, from the pool.
class Scratch {
 public:
  explicit Scratch(int64_t elements)
      : pool_(current_pool(cpu_device)), bytes_(static_cast<size_t>(elements) * sizeof(bfloat16)) {
    if (bytes_) data_ = static_cast<bfloat16*>(pool_->allocate(bytes_));
  }
  ~Scratch() {
    if (data_) pool_->release(data_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  bfloat16* data() const { return data_; }

 private:
  std::shared_ptr<MemoryPool> pool_;
  size_t bytes_;
  bfloat16* data_ = nullptr;
};

}  // namespace

bool multiplies_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") && onednn_computes(bf16);
#else
  return false;
#endif
}

Tensor readable_bf16(const Tensor& tensor) {
  const int64_t row_step = tensor.stride(-2), column_step = tensor.stride(-1);
  const bool by_rows = column_step == 1 && row_step >= tensor.size(-1),
             by_columns = row_step == 1 && column_step >= tensor.size(-2);
  if (by_rows || by_columns) return tensor;
  const Tensor dense = Tensor::empty(tensor.shape(), tensor.options());
  copy(tensor.detach(), dense);
  return dense;
}

void multiply_piece_bf16(const Product& product, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  if (dots_bf16_pairs()) return dot_piece_bf16(product, row, rows, column, columns);
  const OneThreadGuard one_thread;
  const auto* left = static_cast<const bfloat16*>(product.left) + row * product.left_row_step;
  const auto* right = static_cast<const bfloat16*>(product.right) + column * product.right_column_step;
  const auto* bias = product.bias ? static_cast<const bfloat16*>(product.bias) + column : nullptr;
  auto* out = static_cast<bfloat16*>(product.out) + row * product.out_row_step + column;
  const bool whole = rows == piece_rows;
  const Scratch padded_left(whole ? 0 : piece_rows * product.depth), padded_out(whole ? 0 : piece_rows * columns);
  Product one = product;
  if (!whole) {
    for (int64_t r = 0; r < piece_rows; ++r)
      for (int64_t k = 0; k < product.depth; ++k)
        padded_left.data()[r * product.depth + k] =
            r < rows ? left[r * product.left_row_step + k * product.left_depth_step] : bfloat16(0);
    one.left_depth_step = 1;
  }
  const auto primitive =
      primitive_of(one, columns, whole ? product.left_row_step : product.depth, whole ? product.out_row_step : columns);
  primitive->execute({{DNNL_ARG_SRC, primitive->source, whole ? left : padded_left.data()},
                      {DNNL_ARG_WEIGHTS, primitive->weights, right},
                      {DNNL_ARG_BIAS, primitive->bias, bias},
                      {DNNL_ARG_DST, primitive->destination, whole ? out : padded_out.data()}});
  for (int64_t r = 0; r < rows; ++r) {
    bfloat16* to = out + r * product.out_row_step;
    if (!whole) std::memcpy(to, padded_out.data() + r * columns, static_cast<size_t>(columns) * sizeof(bfloat16));
    for (int64_t c = 0; product.activation == Activation::relu && c < columns; ++c)
      if (static_cast<float>(to[c]) < 0) to[c] = bfloat16(0);
  }
}

}  // namespace percale::cpu
