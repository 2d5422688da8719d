// What a transformer begins with: the rows of three tables added up, and layer normalisation of the sum.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// layer_norm(word_table[ids] + position_table[positions] + type_table[types]) in one pass: the embeddings of Devlin et
/// al., "BERT", 2018.
///
/// The tables are [rows, width], `weight` and `bias` [width] (undefined: ones, zeros), all of one dtype: f32, f64, f16
/// or bf16, the 16-bit ones computed in f32. `ids`, `positions` and `types` have one shape and are i64 or i32. Returns
/// ids.shape + [width], of the tables' dtype. A row's bytes depend on that row alone, and are those of `layer_norm` of
/// the sum. Gradients of the tables are dense and deterministic as `embedding`'s, those of weight and bias as
/// `layer_norm`'s. Differentiable twice.
/// Errors: an index out of range, with its position and which table it is of (on CUDA at the next synchronising call;
/// row 0 is read in its place and no lasting state is written); shapes and dtypes that do not fit; a negative eps.
Tensor embedding_layer_norm(const Tensor& word_table, const Tensor& position_table, const Tensor& type_table,
                            const Tensor& ids, const Tensor& positions, const Tensor& types, const Tensor& weight,
                            const Tensor& bias, double eps = 1e-12);

}  // namespace percale
