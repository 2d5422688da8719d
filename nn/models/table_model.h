// A model of rows of a table: categories represented in one of three ways, numbers beside them, and one or two layers.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../layers/embedding.h"
#include "../layers/linear.h"

namespace percale::models {

/// What a category is to a model: its number, a vector of one 1 and else 0, or a vector that is learnt.
enum class Representation { index, one_hot, embedding };

struct TableModelOptions {
  std::vector<int64_t> categories = {};  ///< n of each column of categories
  int64_t numbers = 0;                   ///< columns of numbers
  int64_t outputs = 1;
  Representation representation = Representation::embedding;
  int64_t dim = 0;     ///< of each embedding; 0: min(50, (n + 1) / 2)
  int64_t hidden = 0;  ///< units of a ReLU layer before the head; 0: none
};

/// Codes i64 [N, categories], n for what is missing or unseen, and numbers f32 [N, numbers] to {output [N, outputs],
/// features [N, features]}: the representations of all columns side by side, with the numbers behind them.
///
/// As an index, code c is 2 c / n - 1. A one-hot vector is n wide, and all 0 for n. An embedding has a row more, for n,
/// which begins as zeros and is learnt where something is missing; the others begin as small normal numbers.
class TableModel : public nn::ModuleOf<TableModel> {
 public:
  explicit TableModel(const TableModelOptions& options);

  std::pair<Tensor, Tensor> forward(const Tensor& codes, const Tensor& numbers) const;
  /// How many numbers a row becomes before the first layer.
  int64_t features() const { return features_; }
  /// The embedding of a column of categories: [n + 1, dim]. An error if they are not embedded.
  Tensor vectors(size_t column) const;
  const TableModelOptions& options() const { return options_; }

 private:
  Tensor represent(const Tensor& code, size_t column) const;

  TableModelOptions options_;
  int64_t features_ = 0;
  std::vector<nn::Embedding> embeddings_;
  std::optional<nn::Linear> hidden_, output_;
};

/// One-hot vectors [N, n] of codes i64 [N]; the code n is a vector of zeros.
Tensor one_hot_or_zeros(const Tensor& codes, int64_t n, DType dtype = i64);

/// `index`, `one-hot`, `embedding`; an error for any other name.
Representation representation_named(const std::string& name);
std::string name_of(Representation representation);

}  // namespace percale::models
