// The walk back along the tape: gradients summed node by node, in reverse order of recording.
#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "autograd_node.h"
#include "primitives.h"
#include "trace.h"

namespace percale {
namespace {

/// a + b, recorded so that a second derivative sees it.
Tensor sum_of(const Tensor& a, const Tensor& b) {
  Tensor total = a.clone().detach();
  add_into(total, b);
  return record("AddBackward0", total, {a, b}, {}, [](const Tensors& gradients, const Saved&) -> Tensors {
    return {gradients[0], gradients[0]};
  });
}

/// The gradient that has arrived for one output of a node; summed in place once it is our own.
struct Arrived {
  Tensor sum;
  bool own = false;

  void add(const Tensor& gradient, bool create_graph) {
    if (!sum.defined()) {
      sum = gradient;
    } else if (create_graph) {
      sum = sum_of(sum, gradient);
    } else {
      if (!own) sum = sum.clone();
      add_into(sum, gradient);
      own = true;
    }
  }
};

class Walk {
 public:
  Walk(bool retain_graph, bool create_graph) : retain_(retain_graph || create_graph), create_(create_graph) {}

  /// The gradient of `output` enters the walk.
  void enter(const Tensor& output, Tensor gradient) {
    require(output.requires_grad(), "backward", "the tensor does not require a gradient and has no grad_fn");
    if (!gradient.defined()) {
      require(output.numel() == 1, "backward",
              "without a gradient given, the output must have one element, got shape {}", output.shape());
      gradient = Tensor::empty_like(output);
      fill(gradient, 1);
    }
    require(gradient.shape() == output.shape(), "backward", "the gradient's shape is {}, the output's {}",
            gradient.shape(), output.shape());
    const Edge edge = edge_of(output);
    arrive(edge, gradient);
    roots_.push_back(edge.node);
  }

  /// Restricts the walk to what leads to these edges, whose gradients are kept instead of summed into `grad()`.
  void keep(const std::vector<Edge>& targets) {
    kept_.resize(targets.size());
    for (size_t i = 0; i < targets.size(); ++i) targets_[targets[i].node.get()].push_back({targets[i].output, i});
    restrict_ = true;
    std::unordered_map<Node*, bool> leads;
    for (const auto& root : roots_) mark(root.get(), leads);
    for (auto& [node, useful] : leads) {
      if (!useful) continue;
      node->wanted.assign(node->edges.size(), 0);
      for (size_t i = 0; i < node->edges.size(); ++i)
        node->wanted[i] = node->edges[i].node && leads[node->edges[i].node.get()];
      restricted_.push_back(node->shared_from_this());
    }
  }

  void run() {
    const Restore restore{*this};
    while (!queue_.empty()) {
      std::shared_ptr<Node> node = queue_.top();
      queue_.pop();
      auto arrived = std::move(arrived_[node.get()]);
      arrived_.erase(node.get());
      Tensors gradients(arrived.size());
      for (size_t i = 0; i < arrived.size(); ++i) gradients[i] = hooked(*node, i, std::move(arrived[i].sum));
      if (auto found = targets_.find(node.get()); found != targets_.end())
        for (auto [output, slot] : found->second) kept_[slot] = gradients[static_cast<size_t>(output)];
      if (node->leaf.defined())
        accumulate(*node, std::move(gradients[0]));
      else
        step(*node, gradients);
    }
  }

  Tensors& kept() { return kept_; }

 private:
  struct Later {
    bool operator()(const std::shared_ptr<Node>& a, const std::shared_ptr<Node>& b) const {
      return a->sequence < b->sequence;
    }
  };
  struct Restore {
    Walk& walk;
    ~Restore() {
      for (auto& node : walk.restricted_) node->wanted.clear();
    }
  };

  /// Which nodes lead to a target, by a depth-first search with its own stack.
  void mark(Node* root, std::unordered_map<Node*, bool>& leads) {
    std::vector<std::pair<Node*, size_t>> stack{{root, 0}};
    while (!stack.empty()) {
      auto& [node, next] = stack.back();
      if (next == 0) {
        if (leads.contains(node)) {
          stack.pop_back();
          continue;
        }
        leads[node] = targets_.contains(node);
      }
      while (next < node->edges.size() && !node->edges[next].node) ++next;
      if (next < node->edges.size()) {
        Node* child = node->edges[next++].node.get();
        if (!leads.contains(child)) stack.push_back({child, 0});
        continue;
      }
      for (const Edge& edge : node->edges)
        if (edge.node && leads[edge.node.get()]) leads[node] = true;
      stack.pop_back();
    }
  }

  void arrive(const Edge& edge, const Tensor& gradient) {
    auto [entry, fresh] = arrived_.try_emplace(edge.node.get());
    if (fresh) {
      entry->second.resize(edge.node->outputs.size());
      queue_.push(edge.node);
    }
    entry->second[static_cast<size_t>(edge.output)].add(gradient, create_);
  }

  Tensor hooked(const Node& node, size_t output, Tensor gradient) {
    if (!gradient.defined()) return gradient;
    const OutputDescription& description = node.outputs[output];
    for (const GradientHook& hook : description.hooks)
      if (Tensor changed = hook(gradient); changed.defined()) gradient = changed;
    if (auto part = description.retains.lock()) part->grad = gradient;
    return gradient;
  }

  void accumulate(const Node& node, Tensor gradient) {
    AutogradPart& part = AutogradAccess::make_part(node.leaf);
    for (const GradientHook& hook : part.leaf_hooks)
      if (Tensor changed = hook(gradient); changed.defined()) gradient = changed;
    if (restrict_) return;
    if (part.grad.defined()) {
      if (create_)
        part.grad = sum_of(part.grad, gradient);
      else
        add_into(part.grad, gradient);
      return;
    }
    // The gradient gets its parameter's strides, and memory that nobody else writes.
    const bool same_layout = gradient.strides() == node.leaf.strides() || gradient.numel() <= 1;
    if (create_ || (same_layout && AutogradAccess::is_sole(gradient) && gradient.is_dense())) {
      part.grad = create_ ? gradient : gradient.detach();
      return;
    }
    part.grad = Tensor::empty_like(node.leaf);
    copy(gradient, part.grad);
  }

  void step(Node& node, const Tensors& gradients) {
    require(!node.released, node.name,
            "backward a second time through a graph whose saved values are freed; say retain_graph the first time");
    const Operation operation{node.name, node.sequence};
    Tensors results = node.backward(gradients, Saved(node));
    require(results.size() <= node.edges.size(), node.name, "{} gradients for {} inputs", results.size(),
            node.edges.size());
    if (node.row_index.defined())
      keep_rows(node, results[0]);
    else
      pass_on(node, results);
    if (retain_) return;
    node.saved.clear();
    node.backward = nullptr;
    node.released = true;
  }

  void keep_rows(const Node& node, const Tensor& rows) {
    require(!restrict_, node.name,
            "a row-sparse gradient is kept by its table alone: say backward() and row_gradients()");
    AutogradAccess::make_part(node.edges[0].node->leaf).row_gradients.push_back({node.row_index, rows.detach()});
  }

  void pass_on(const Node& node, const Tensors& results) {
    for (size_t i = 0; i < results.size(); ++i) {
      const Edge& edge = node.edges[i];
      if (!results[i].defined() || !edge.node || (!node.wanted.empty() && !node.wanted[i])) continue;
      const OutputDescription& expected = edge.node->outputs[static_cast<size_t>(edge.output)];
      require(results[i].shape() == expected.shape, node.name, "gradient {} has shape {}, its input {}", i,
              results[i].shape(), expected.shape);
      arrive(edge, results[i].dtype() == expected.options.dtype ? results[i] : results[i].to(expected.options.dtype));
    }
  }

  bool retain_, create_, restrict_ = false;
  std::vector<std::shared_ptr<Node>> roots_, restricted_;
  std::unordered_map<Node*, std::vector<Arrived>> arrived_;
  std::priority_queue<std::shared_ptr<Node>, std::vector<std::shared_ptr<Node>>, Later> queue_;
  std::unordered_map<Node*, std::vector<std::pair<int, size_t>>> targets_;
  Tensors kept_;
};

void enter_all(Walk& walk, const Tensors& outputs, const Tensors& gradients) {
  require(gradients.empty() || gradients.size() == outputs.size(), "backward", "{} gradients for {} outputs",
          gradients.size(), outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) walk.enter(outputs[i], gradients.empty() ? Tensor() : gradients[i]);
}

struct GradMode : NoGradGuard {
  explicit GradMode(bool enabled) : NoGradGuard(enabled) {}
};

}  // namespace

void backward(const Tensors& outputs, const Tensors& gradients, bool retain_graph, bool create_graph) {
  const Operation operation{"backward"};
  const GradMode mode(create_graph);
  Walk walk(retain_graph, create_graph);
  enter_all(walk, outputs, gradients);
  walk.run();
}

Tensors grad(const Tensors& outputs, const Tensors& inputs, const Tensors& gradients, bool retain_graph,
             bool create_graph, bool allow_unused) {
  const Operation operation{"grad"};
  const GradMode mode(create_graph);
  Walk walk(retain_graph, create_graph);
  std::vector<Edge> targets;
  for (const Tensor& input : inputs) {
    require(input.requires_grad(), "grad", "an input of shape {} does not require its gradient", input.shape());
    targets.push_back(edge_of(input));
  }
  enter_all(walk, outputs, gradients);
  walk.keep(targets);
  walk.run();
  for (size_t i = 0; i < inputs.size(); ++i)
    require(allow_unused || walk.kept()[i].defined(), "grad", "input {} was not used to compute the outputs", i);
  return std::move(walk.kept());
}

}  // namespace percale
