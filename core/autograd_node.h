// The inside of the tape: nodes, edges and a tensor's autograd part. For core only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "autograd.h"

namespace percale {

using GradientHook = std::function<Tensor(const Tensor&)>;

/// Where the gradient of an operation's input goes: an output of another node, or nowhere.
struct Edge {
  std::shared_ptr<Node> node;
  int output = 0;
};

struct SavedTensor {
  Tensor tensor;    ///< without its node if it is an output of the same operation
  int output = -1;  ///< which output it is, or -1
  uint64_t version = 0;
};

struct OutputDescription {
  Shape shape;
  TensorOptions options;
  std::vector<GradientHook> hooks;
  std::weak_ptr<AutogradPart> retains;  ///< who keeps this output's gradient
};

/// One recorded operation, or the place where a leaf's gradient is summed up (`leaf` defined).
class Node : public std::enable_shared_from_this<Node> {
 public:
  Node(const char* name, uint64_t sequence);
  ~Node();

  const char* name;
  uint64_t sequence;  ///< order of recording; leaves have 0, so that they come last
  std::vector<Edge> edges;
  std::vector<SavedTensor> saved;
  std::vector<OutputDescription> outputs;
  Backward backward;
  Tensor leaf;
  Tensor row_index;  ///< of record_rows: its gradient goes to the leaf as rows
  bool released = false;
  std::vector<char> wanted;  ///< during a walk: which inputs' gradients somebody wants; empty: all that have an edge
};

struct AutogradPart {
  bool requires_grad = false;
  Tensor grad;
  std::vector<RowGradient> row_gradients;
  std::shared_ptr<Node> node;
  int output = 0;
  std::vector<GradientHook> leaf_hooks;
  std::weak_ptr<Node> accumulator;
};

struct AutogradAccess {
  static std::shared_ptr<AutogradPart>& part(const Tensor& tensor) { return tensor.impl_->autograd; }
  static AutogradPart& make_part(const Tensor& tensor) {
    if (!tensor.impl_->autograd) tensor.impl_->autograd = std::make_shared<AutogradPart>();
    return *tensor.impl_->autograd;
  }
  static bool is_view(const Tensor& tensor) { return tensor.impl_->is_view; }
  /// True if this is the only reference to its memory.
  static bool is_sole(const Tensor& tensor) {
    return tensor.impl_.use_count() == 1 && tensor.impl_->storage.use_count() == 1;
  }
  static void mark_view(const Tensor& tensor) { tensor.impl_->is_view = true; }
};

/// Where the gradient of `tensor` goes; an edge to nowhere if it wants none.
Edge edge_of(const Tensor& tensor);

}  // namespace percale
