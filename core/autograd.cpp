// Recording: how an operation's output gets its history.
#include "autograd.h"

#include <atomic>

#include "autograd_node.h"
#include "primitives.h"

namespace percale {
namespace {

thread_local bool recording = true;
std::atomic<uint64_t> next_sequence{1};
std::atomic<int64_t> node_count{0};

}  // namespace

Node::Node(const char* name, uint64_t sequence) : name(name), sequence(sequence) { ++node_count; }

/// A long chain is taken apart in a loop: recursion would overflow the stack.
Node::~Node() {
  --node_count;
  std::vector<std::shared_ptr<Node>> pending;
  auto take = [&pending](Node& node) {
    for (Edge& edge : node.edges)
      if (edge.node) pending.push_back(std::move(edge.node));
    node.edges.clear();
  };
  take(*this);
  while (!pending.empty()) {
    std::shared_ptr<Node> node = std::move(pending.back());
    pending.pop_back();
    if (node.use_count() == 1) {
      node->saved.clear();
      take(*node);
    }
  }
}

int64_t live_nodes() { return node_count; }

bool grad_enabled() { return recording; }
NoGradGuard::NoGradGuard(bool enabled) : previous_(recording) { recording = enabled; }
NoGradGuard::~NoGradGuard() { recording = previous_; }

bool should_record(const TensorReferences& inputs) {
  if (!recording) return false;
  for (const Tensor* input : inputs)
    if (input->defined() && input->requires_grad()) return true;
  return false;
}

Edge edge_of(const Tensor& tensor) {
  if (!tensor.defined() || !tensor.requires_grad()) return {};
  AutogradPart& part = AutogradAccess::make_part(tensor);
  if (part.node) return {part.node, part.output};
  std::shared_ptr<Node> accumulator = part.accumulator.lock();
  if (!accumulator) {
    accumulator = std::make_shared<Node>("AccumulateGrad", 0);
    accumulator->leaf = tensor;
    accumulator->outputs.push_back({tensor.shape(), tensor.options(), {}, {}});
    part.accumulator = accumulator;
  }
  return {accumulator, 0};
}

void record_node(const char* name, std::span<Tensor> outputs, const TensorReferences& inputs,
                 const TensorReferences& saved, Backward backward) {
  auto node = std::make_shared<Node>(name, next_sequence++);
  node->backward = std::move(backward);
  for (const Tensor* input : inputs) node->edges.push_back(edge_of(*input));
  for (const Tensor* tensor : saved) {
    SavedTensor entry;
    if (tensor->defined()) {
      for (size_t i = 0; i < outputs.size(); ++i)
        if (tensor->is_same(outputs[i])) entry.output = static_cast<int>(i);
      entry.tensor = entry.output >= 0 ? tensor->detach() : *tensor;
      entry.version = tensor->version();
    }
    node->saved.push_back(std::move(entry));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined()) {
      node->outputs.emplace_back();
      continue;
    }
    node->outputs.push_back({outputs[i].shape(), outputs[i].options(), {}, {}});
    if (!is_floating(outputs[i].dtype())) continue;
    AutogradPart& part = AutogradAccess::make_part(outputs[i]);
    part.requires_grad = true;
    part.node = node;
    part.output = static_cast<int>(i);
  }
}

Tensor record_rows(const char* name, Tensor output, const Tensor& table, const Tensor& index,
                   const TensorReferences& saved, Backward backward) {
  if (!should_record({table})) return output;
  require(table.is_leaf(), name, "a row-sparse gradient needs a table that is a leaf, this is the output of {}",
          table.grad_fn());
  record_node(name, {&output, 1}, {table}, saved, std::move(backward));
  AutogradAccess::part(output)->node->row_index = index;
  return output;
}

const std::vector<RowGradient>& row_gradients(const Tensor& table) {
  static const std::vector<RowGradient> none;
  const auto& part = AutogradAccess::part(table);
  return part ? part->row_gradients : none;
}

void clear_row_gradients(const Tensor& table) {
  if (const auto& part = AutogradAccess::part(table)) part->row_gradients.clear();
}

void require_writable(const char* operation, const Tensor& target, bool gains_history) {
  require(!gains_history || !AutogradAccess::is_view(target), operation,
          "a view cannot be given a history in place; write its base, or use a NoGradGuard");
  if (!recording || !target.requires_grad()) return;
  require(!target.is_leaf(), operation,
          "a leaf that requires its gradient cannot be written in place; use a NoGradGuard");
  require(!AutogradAccess::is_view(target), operation, "a view with history cannot be written in place");
}

Tensor Saved::operator[](int i) const {
  const SavedTensor& entry = node_.saved[static_cast<size_t>(i)];
  if (!entry.tensor.defined()) return {};
  if (entry.tensor.version() != entry.version) {
    const char* writer = entry.tensor.storage()->writer();
    fail(node_.name, "a tensor of shape {} that this operation saved for its gradient has been written since by {}",
         {text(entry.tensor.shape()), writer ? writer : "another operation"});
  }
  if (entry.output < 0) return entry.tensor;
  Tensor output = entry.tensor.detach();
  if (is_floating(output.dtype())) {
    AutogradPart& part = AutogradAccess::make_part(output);
    part.requires_grad = true;
    part.node = const_cast<Node&>(node_).shared_from_this();
    part.output = entry.output;
  }
  return output;
}

bool Saved::needs(int input) const {
  const auto position = static_cast<size_t>(input);
  if (!node_.edges[position].node) return false;
  return node_.wanted.empty() || node_.wanted[position];
}

int Saved::size() const { return static_cast<int>(node_.saved.size()); }

// --- the autograd part of Tensor -------------------------------------------------------------------------------------

Tensor Tensor::detach() const { return from_storage(storage(), shape(), strides(), offset(), dtype()); }

bool Tensor::requires_grad() const { return impl_->autograd && impl_->autograd->requires_grad; }

const Tensor& Tensor::requires_grad_(bool value) const {
  require(is_floating(dtype()) || !value, "requires_grad_", "only floating-point tensors have gradients, this is {}",
          dtype());
  require(is_leaf(), "requires_grad_", "only a leaf can be told; this is the output of {}; see detach()", grad_fn());
  if (value || impl_->autograd) AutogradAccess::make_part(*this).requires_grad = value;
  return *this;
}

bool Tensor::is_leaf() const { return !impl_->autograd || !impl_->autograd->node; }

Tensor Tensor::grad() const { return impl_->autograd ? impl_->autograd->grad : Tensor(); }

void Tensor::set_grad(const Tensor& gradient) const {
  require(!gradient.defined() || gradient.shape() == shape(), "set_grad", "expected shape {}, got {}", shape(),
          gradient.defined() ? gradient.shape() : Shape());
  AutogradAccess::make_part(*this).grad = gradient;
}

void Tensor::retain_grad() const {
  require(requires_grad(), "retain_grad", "this tensor does not require its gradient");
  if (is_leaf()) return;
  const AutogradPart& part = *impl_->autograd;
  part.node->outputs[static_cast<size_t>(part.output)].retains = impl_->autograd;
}

void Tensor::register_hook(std::function<Tensor(const Tensor&)> hook) const {
  require(requires_grad(), "register_hook", "this tensor does not require its gradient");
  AutogradPart& part = *impl_->autograd;
  auto& hooks = part.node ? part.node->outputs[static_cast<size_t>(part.output)].hooks : part.leaf_hooks;
  hooks.push_back(std::move(hook));
}

std::string Tensor::grad_fn() const { return is_leaf() ? std::string() : impl_->autograd->node->name; }

void Tensor::backward() const { backward(Tensor()); }

void Tensor::backward(const Tensor& gradient, bool retain_graph, bool create_graph) const {
  percale::backward({*this}, {gradient}, retain_graph, create_graph);
}

}  // namespace percale
