// A padded batch through BERT: packed by its mask, and what comes out put back where the mask has it.
#include <algorithm>

#include "../../kernels/cat/cat.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/index_select/index_select.h"
#include "bert.h"

namespace percale::models {
namespace {

/// Where the elements of a padded batch lie among the packed ones.
class Unpacking {
 public:
  Unpacking(const PackedTokens& tokens, const Shape& shape)
      : rows_(shape[0]), length_(shape[1]), count_(tokens.tokens()), offsets_(tokens.offsets.to(cpu_device)) {
    const Tensor positions = tokens.positions.to(cpu_device);
    places_ = Tensor::empty({rows_ * length_}, {i64, cpu_device});
    const auto places = places_.span<int64_t>();
    std::fill(places.begin(), places.end(), count_);  // the row of zeros behind the last token
    for (int64_t row = 0; row < rows_; ++row)
      for (int64_t at = begin(row); at < begin(row + 1); ++at)
        places[static_cast<size_t>(row * length_ + positions.data<int64_t>()[at])] = at;
    device_places_ = places_.to(tokens.ids.device());
  }

  /// [tokens, width] to [batch, length, width].
  Tensor states(const Tensor& packed) const {
    const Tensor rows = count_ == rows_ * length_ ? packed : with_zeros(packed, 0, device_places_);
    return rows.reshape({rows_, length_, packed.size(1)});
  }

  /// A layer's [heads, n, n] of each sequence to [batch, heads, length, length].
  Tensor shares(const Tensor* sequences) const {
    Tensors rows;
    for (int64_t row = 0; row < rows_; ++row) {
      const Tensor& own = sequences[row];
      const int64_t first = begin(row), n = begin(row + 1) - first;
      if (n == length_) {
        rows.push_back(own);
        continue;
      }
      const Tensor places = Tensor::empty({length_}, {i64, cpu_device});
      for (int64_t i = 0; i < length_; ++i) {
        const int64_t place = places_.data<int64_t>()[row * length_ + i];
        places.data<int64_t>()[i] = place == count_ ? n : place - first;
      }
      const Tensor on_device = places.to(own.device());
      rows.push_back(with_zeros(with_zeros(own, 1, on_device), 2, on_device));
    }
    return stack(rows);
  }

 private:
  int64_t begin(int64_t row) const { return offsets_.data<int64_t>()[row]; }

  /// `places` of x along `dim`, with zeros at a place beyond its last.
  static Tensor with_zeros(const Tensor& x, int64_t dim, const Tensor& places) {
    Shape shape = x.shape();
    shape[static_cast<int>(dim)] = 1;
    return index_select(cat({x, zeros(shape, x.options())}, dim), dim, places);
  }

  int64_t rows_, length_, count_;
  Tensor offsets_, places_, device_places_;
};

}  // namespace

BertResult Bert::forward(const Tensor& ids, const Tensor& mask, const Tensor& types,
                         const BertForwardOptions& options) const {
  const PackedTokens tokens = PackedTokens::from_padded(ids, mask, types);
  require(ids.size(1) <= config_.max_position_embeddings, "Bert",
          "a batch of {} tokens a row is longer than the model's {} positions", ids.size(1),
          config_.max_position_embeddings);
  const BertResult packed = forward(tokens, options);
  const Unpacking unpacking(tokens, ids.shape());
  BertResult result{unpacking.states(packed.last_hidden_state), packed.pooler_output, {}, {}};
  for (const Tensor& states : packed.hidden_states) result.hidden_states.push_back(unpacking.states(states));
  for (size_t i = 0; i < packed.attentions.size(); i += static_cast<size_t>(ids.size(0)))
    result.attentions.push_back(unpacking.shares(&packed.attentions[i]));
  return result;
}

}  // namespace percale::models
