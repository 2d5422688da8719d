#include "embedding_norm.h"

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "../common/dense.h"
#include "../elementwise/elementwise.h"
#include "../embedding/embedding.h"
#include "../layer_norm/layer_norm_twins.h"
#include "embedding_norm_twins.h"

namespace percale {
namespace {

constexpr const char* operation_name = "embedding_layer_norm";

struct Part {
  const char* table_name;
  const char* index_name;
  const Tensor& table;
  const Tensor& index;
};

void check(std::initializer_list<Part> parts, const Tensor& weight, const Tensor& bias, double eps) {
  const Part& first = *parts.begin();
  for (const Part& part : parts) {
    require(part.table.rank() == 2 && is_floating(part.table.dtype()), operation_name,
            "the {} must be [rows, width] of a floating dtype, got {} of {}", part.table_name, part.table.shape(),
            part.table.dtype());
    require(part.table.size(1) == first.table.size(1) && part.table.dtype() == first.table.dtype(), operation_name,
            "the {} must be [rows, {}] of {} as the {}, got {} of {}", part.table_name, first.table.size(1),
            first.table.dtype(), first.table_name, part.table.shape(), part.table.dtype());
    require(is_index(part.index.dtype()) && part.index.shape() == first.index.shape(), operation_name,
            "{} must be {} of i64 or i32, got {} of {}", part.index_name, first.index.shape(), part.index.shape(),
            part.index.dtype());
    require(part.table.size(0) > 0 || part.index.numel() == 0, operation_name,
            "{} entries cannot name rows of an empty {}", part.index.numel(), part.table_name);
    require_same_device(operation_name, {&first.table, &part.table, &part.index});
  }
  require(first.index.rank() < Shape::max_rank, operation_name, "ids have {} dimensions, {} is the most",
          first.index.rank(), Shape::max_rank - 1);
  const int64_t width = first.table.size(1);
  for (const auto& [name, parameter] : {std::pair("weight", &weight), std::pair("bias", &bias)}) {
    if (!parameter->defined()) continue;
    require(parameter->rank() == 1 && parameter->size(0) == width && parameter->dtype() == first.table.dtype(),
            operation_name, "{} must be [{}] of {} as the tables, got {} of {}", name, width, first.table.dtype(),
            parameter->shape(), parameter->dtype());
    require_same_device(operation_name, {&first.table, parameter});
  }
  require(eps >= 0, operation_name, "eps cannot be negative, got {}", eps);
}

Tensor vector_of(const Tensor& x, DType dtype) { return x.defined() ? x.detach().to(dtype).contiguous() : x; }

/// All as they are, or all i64.
std::array<Tensor, embedding_norm_tables> indices_of(const Tensor& ids, const Tensor& positions, const Tensor& types) {
  const bool narrow = ids.dtype() == i32 && positions.dtype() == i32 && types.dtype() == i32;
  const DType dtype = narrow ? i32 : i64;
  return {ids.to(dtype).contiguous(), positions.to(dtype).contiguous(), types.to(dtype).contiguous()};
}

}  // namespace

Tensor embedding_layer_norm(const Tensor& word_table, const Tensor& position_table, const Tensor& type_table,
                            const Tensor& ids, const Tensor& positions, const Tensor& types, const Tensor& weight,
                            const Tensor& bias, double eps) {
  const Operation operation{operation_name};
  check({{"word table", "ids", word_table, ids},
         {"position table", "positions", position_table, positions},
         {"type table", "types", type_table, types}},
        weight, bias, eps);
  const DType dtype = word_table.dtype(), compute = compute_dtype(dtype);
  const int64_t width = word_table.size(1), count = ids.numel();
  Shape shape = ids.shape();
  shape.push_back(width);
  const Tensor result = Tensor::empty(shape, word_table.options());
  Tensor sum, statistics;
  if (should_record({word_table, position_table, type_table, weight, bias})) {
    sum = Tensor::empty(shape, {compute, word_table.device()});
    statistics = Tensor::empty({count, 3}, {compute, word_table.device()});
  }
  const auto indices = indices_of(ids, positions, types);
  if (result.numel()) {
    const auto rows = [&](const Tensor& x) { return x.defined() ? x.view({count, width}) : x; };
    on<cpu::embedding_norm, cuda::embedding_norm>(
        word_table.device(), EmbeddingNorm{{word_table.detach().contiguous(), position_table.detach().contiguous(),
                                            type_table.detach().contiguous()},
                                           indices,
                                           vector_of(weight, compute),
                                           vector_of(bias, compute),
                                           rows(sum),
                                           rows(result),
                                           statistics,
                                           eps});
  }
  return record(
      "NativeLayerNormBackward0", result, {word_table, position_table, type_table, weight, bias},
      saved(word_table, position_table, type_table, weight, indices[0], indices[1], indices[2], sum, statistics),
      [dtype, compute, eps](const Tensors& gradients, const Saved& saved) -> Tensors {
        // Who differentiates again needs a sum that has a history.
        const auto rows = [&](int i) { return embedding(saved[i], saved[4 + i]).to(compute); };
        const Tensor sum = grad_enabled() ? rows(0) + rows(1) + rows(2) : saved[7];
        const LayerNormWanted wanted{saved.needs(0) || saved.needs(1) || saved.needs(2), false, saved.needs(3),
                                     saved.needs(4)};
        const Tensors found = layer_norm_gradient(gradients[0], sum, {}, saved[3], saved[8], wanted, dtype, eps);
        const auto of_table = [&](int i) {
          return saved.needs(i) ? embedding_gradient(found[0], saved[4 + i], saved[i].size(0)).to(dtype) : Tensor();
        };
        return {of_table(0), of_table(1), of_table(2), found[2], found[3]};
      });
}

}  // namespace percale
