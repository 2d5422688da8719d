// Sequences of tokens behind one another, without padding.
#pragma once

#include <cstdint>
#include <vector>

#include "../../core/tensor.h"

namespace percale::models {

/// What an encoder reads. All but `longest` lie on the model's device.
struct PackedTokens {
  Tensor ids;           ///< i64 [tokens]
  Tensor types;         ///< i64 [tokens], which of two texts
  Tensor positions;     ///< i64 [tokens], from 0 in each sequence
  Tensor offsets;       ///< i64 [sequences + 1]: sequence i has the tokens offsets[i] to offsets[i + 1]
  int64_t longest = 0;  ///< tokens of the longest sequence

  /// From `ids` and `offsets` on the CPU (as language::PackedEncoding has them). `types` may be undefined: all 0.
  /// Errors: offsets that do not begin with 0, descend or do not end with the number of tokens.
  static PackedTokens from(const Tensor& ids, const Tensor& offsets, const Tensor& types = {});
  /// From a padded batch, ids [batch, length], those where `mask` is not 0. On the CPU and back: this waits for the
  /// device.
  static PackedTokens from_padded(const Tensor& ids, const Tensor& mask, const Tensor& types = {});

  int64_t tokens() const { return ids.size(0); }
  int64_t sequences() const { return offsets.size(0) - 1; }
  PackedTokens to(Device device) const;
};

}  // namespace percale::models
