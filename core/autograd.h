// The tape: what operations record, and how gradients travel back along it.
#pragma once

#include <concepts>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "tensor.h"

namespace percale {

/// True while this thread's operations record history.
bool grad_enabled();

/// While it lives, this thread's operations record nothing.
class NoGradGuard {
 public:
  NoGradGuard() : NoGradGuard(false) {}
  ~NoGradGuard();
  NoGradGuard(const NoGradGuard&) = delete;

 protected:
  explicit NoGradGuard(bool enabled);

 private:
  bool previous_;
};

/// While it lives, this thread's operations record again (inside a NoGradGuard).
class EnableGradGuard : public NoGradGuard {
 public:
  EnableGradGuard() : NoGradGuard(true) {}
};

/// Tensors by reference, for the length of one call: `{a, b}` or a whole vector.
class TensorReferences {
 public:
  struct Reference {
    const Tensor* tensor;
    Reference(const Tensor& value) : tensor(&value) {}
  };
  TensorReferences() = default;
  TensorReferences(std::initializer_list<Reference> references) {
    for (const Reference& reference : references) pointers_.push_back(reference.tensor);
  }
  TensorReferences(const Tensors& tensors) {
    for (const Tensor& tensor : tensors) pointers_.push_back(&tensor);
  }
  auto begin() const { return pointers_.begin(); }
  auto end() const { return pointers_.end(); }
  size_t size() const { return pointers_.size(); }

 private:
  std::vector<const Tensor*> pointers_;
};

/// What backward needs of the forward pass: `saved(input, output)`.
template <std::same_as<Tensor>... T>
TensorReferences saved(const T&... tensors) {
  return TensorReferences{TensorReferences::Reference(tensors)...};
}
inline TensorReferences saved(const Tensors& tensors) { return tensors; }

/// The tensors that an operation saved, handed to its gradient. Reading one that was written since is an error that
/// names both operations.
class Saved {
 public:
  explicit Saved(const Node& node) : node_(node) {}
  /// The i-th tensor of `saved(...)`; undefined if an undefined one was saved.
  Tensor operator[](int i) const;
  /// True if somebody wants the gradient of the operation's i-th input.
  bool needs(int input) const;
  int size() const;

 private:
  const Node& node_;
};

/// From the gradients of an operation's outputs (an undefined one is zero) to those of its inputs, in order; undefined
/// where there is none or `saved.needs(i)` is false. Must capture plain values only: tensors go through `saved`.
using Backward = std::function<Tensors(const Tensors& gradients, const Saved& saved)>;

/// True if history is recorded now and one of `inputs` wants a gradient.
bool should_record(const TensorReferences& inputs);
void record_node(const char* name, std::span<Tensor> outputs, const TensorReferences& inputs,
                 const TensorReferences& saved, Backward backward);

/// Gives `output` its history: `name` is its grad_fn, `backward` its gradient. Without anybody who wants one, nothing
/// is kept. `output` must be fresh: made by this operation.
template <class Gradient>
Tensor record(const char* name, Tensor output, const TensorReferences& inputs, const TensorReferences& saved,
              Gradient&& backward) {
  if (should_record(inputs)) record_node(name, {&output, 1}, inputs, saved, std::forward<Gradient>(backward));
  return output;
}

/// As `record`, for an operation with several outputs.
template <class Gradient>
Tensors record_all(const char* name, Tensors outputs, const TensorReferences& inputs, const TensorReferences& saved,
                   Gradient&& backward) {
  if (should_record(inputs)) record_node(name, outputs, inputs, saved, std::forward<Gradient>(backward));
  return outputs;
}

/// What a table's rows gain in one backward pass: row `index[i]` gains `rows[i]`, and a row may come several times.
/// Negative positions stand for nothing.
struct RowGradient {
  Tensor index;  ///< i64 or i32, [count]
  Tensor rows;   ///< [count, width]
};

/// As `record` for `rows of table`, but the table - a leaf - keeps its gradient as the rows that were used
/// (`row_gradients`), and its `grad()` stays as it is. `backward` returns those rows, one for each entry of `index`.
/// Errors: a table that is the output of an operation; `grad` with respect to it.
Tensor record_rows(const char* name, Tensor output, const Tensor& table, const Tensor& index,
                   const TensorReferences& saved, Backward backward);

/// What `record_rows` has gathered for this leaf since `clear_row_gradients`, in the order of the backward passes.
const std::vector<RowGradient>& row_gradients(const Tensor& table);
void clear_row_gradients(const Tensor& table);

/// Before an operation writes into `target` in place: an error for a leaf that requires its gradient or a view with
/// history while history is recorded. `gains_history`: what is written has a history that `target` will share, which a
/// view could not pass on to what it views.
void require_writable(const char* operation, const Tensor& target, bool gains_history = false);

/// Gradients of the sum of `outputs` with respect to `inputs`, without touching any `grad()`.
/// @param gradients of `outputs`, or empty: ones (then each output has one element).
/// @param allow_unused an input that does not contribute gives an undefined tensor instead of an error.
Tensors grad(const Tensors& outputs, const Tensors& inputs, const Tensors& gradients = {}, bool retain_graph = false,
             bool create_graph = false, bool allow_unused = false);

/// `backward` over several outputs at once.
void backward(const Tensors& outputs, const Tensors& gradients = {}, bool retain_graph = false,
              bool create_graph = false);

/// Nodes alive now; what a test for leaks counts.
int64_t live_nodes();

}  // namespace percale
