// After torchinfo 1.8 (Tyler Yep, MIT licence): its columns, its counting rules, its text.
#include "summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "../core/autograd.h"

namespace percale::nn {
namespace {

constexpr size_t column_width = 25, narrowest_name = 40, name_step = 5, last_depth = 3;

/// One row: a call of a module, or a container whose forward was not called but whose parts' were.
struct Row {
  Module module;
  int64_t depth;
  std::shared_ptr<Row> parent;
  bool recursive = false;
  int64_t index = 0;  ///< among the rows of its depth
  std::vector<Row*> inside = {};
  Shape output = {};
  int64_t parameters = 0, trainable = 0, parameter_bytes = 0, output_bytes = 0, mult_adds = 0;

  bool is_leaf() const { return module.named_children().empty(); }
  /// Parameters that none of the rows inside has.
  int64_t left_over(int64_t Row::*count) const {
    int64_t rest = this->*count;
    for (const Row* row : inside)
      if (!row->recursive) rest -= row->is_leaf() ? row->*count : row->left_over(count);
    return rest;
  }
};
using Rows = std::vector<std::shared_ptr<Row>>;

/// 1234567 -> 1,234,567
std::string grouped(int64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

void count_parameters(Row& row) {
  row.parameters = row.trainable = row.parameter_bytes = 0;
  for (const auto& [name, parameter] : row.module.named_parameters()) {
    row.parameters += parameter.numel();
    row.parameter_bytes += parameter.numel() * static_cast<int64_t>(size_of(parameter.dtype()));
    if (parameter.requires_grad()) row.trainable += parameter.numel();
  }
}

/// Each weight is used once an example, those of a convolution once a position.
void count_mult_adds(Row& row) {
  if (row.output.empty()) return;
  const bool convolution = row.module.type().find("Conv") != std::string::npos;
  int64_t uses = row.output[0];
  if (convolution)
    for (int dim = 2; dim < row.output.rank(); ++dim) uses *= row.output[dim];
  for (const auto& [name, parameter] : row.module.named_parameters())
    if (name == "weight" || name == "bias") row.mult_adds += uses * parameter.numel();
}

/// Watches a forward pass by hooks, one row a call.
class Watch {
 public:
  explicit Watch(const Module& root) { enter(root, 0, nullptr); }
  ~Watch() {
    for (Hooked& entry : hooked_) {
      entry.before.remove();
      entry.after.remove();
    }
  }
  Watch(const Watch&) = delete;

  Rows& rows() { return rows_; }

 private:
  struct Hooked {
    Module module;
    HookHandle before, after;
  };

  void enter(const Module& module, int64_t depth, const std::shared_ptr<Row>& parent) {
    auto place = std::make_shared<Row>(Row{.module = module, .depth = depth, .parent = parent});
    auto known =
        std::find_if(hooked_.begin(), hooked_.end(), [&](const auto& entry) { return entry.module.is_same(module); });
    if (known == hooked_.end()) known = hooked_.insert(known, {module, {}, {}});
    known->before.remove();  // of two places, the last counts
    known->after.remove();
    auto open = std::make_shared<Rows>();
    known->before = module.register_forward_pre_hook([this, place, open](const Module& self, const Tensors&) {
      auto row = std::make_shared<Row>(Row{.module = self, .depth = place->depth, .parent = place->parent});
      row->recursive = seen(self);
      count_parameters(*row);
      rows_.push_back(row);
      open->push_back(row);
    });
    known->after = module.register_forward_hook([open](const Module&, const Tensors&, const Tensors& outputs) {
      Row& row = *open->back();
      if (!outputs.empty()) {
        row.output = outputs[0].shape();
        row.output_bytes = outputs[0].numel() * static_cast<int64_t>(size_of(outputs[0].dtype()));
      }
      count_mult_adds(row);
      open->pop_back();
    });
    for (const auto& [name, child] : module.named_children()) enter(child, depth + 1, place);
  }

  bool seen(const Module& module) const {
    return std::any_of(rows_.begin(), rows_.end(), [&](const auto& row) { return row->module.is_same(module); });
  }

  std::vector<Hooked> hooked_;
  Rows rows_;
};

/// Rows for containers that only hold others (a ModuleList): before the first of their parts.
void add_containers(Rows& rows) {
  std::map<int64_t, std::shared_ptr<Row>> current;
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::shared_ptr<Row> row = rows[i];
    std::map<int64_t, std::shared_ptr<Row>> ancestors;
    for (auto parent = row->parent; parent && parent->depth > 0; parent = parent->parent)
      ancestors[parent->depth] = parent;
    for (auto& [depth, ancestor] : ancestors) {
      const auto known = current.find(depth);
      if (known != current.end() && known->second->module.is_same(ancestor->module)) continue;
      if (i > 0 && rows[i - 1] == ancestor) continue;
      count_parameters(*ancestor);
      ancestor->recursive = std::any_of(rows.begin(), rows.end(), [&, &container = ancestor](const auto& other) {
        return other->module.is_same(container->module);
      });
      rows.insert(rows.begin() + static_cast<int64_t>(i++), ancestor);
      current[depth] = ancestor;
    }
    current[row->depth] = row;
    current.erase(current.upper_bound(row->depth), current.end());
  }
}

void set_order(Rows& rows) {
  std::map<int64_t, int64_t> counts;
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i]->index = ++counts[rows[i]->depth];
    for (size_t k = i + 1; k < rows.size() && rows[k]->depth > rows[i]->depth; ++k)
      rows[i]->inside.push_back(rows[k].get());
  }
}

std::string title(const Row& row) {
  if (row.depth == 0) return row.module.type();
  return fmt::format("{}: {}-{}", row.module.type(), row.depth, row.index);
}

std::string branch(int64_t depth) {
  if (depth == 0) return "";
  if (depth == 1) return "├─";
  std::string text;
  for (int64_t i = 1; i < depth; ++i) text += "│    ";
  return text + "└─";
}

std::string parameter_text(const Row& row) {
  if (row.parameters == 0) return "--";
  if (row.recursive) return "(recursive)";
  if (row.depth == static_cast<int64_t>(last_depth) || row.is_leaf())
    return row.trainable ? grouped(row.parameters) : fmt::format("({})", grouped(row.parameters));
  const int64_t rest = row.left_over(&Row::parameters);
  return rest > 0 ? grouped(rest) : "--";
}

/// A line of the table; fmt counts columns, not bytes, as Python does.
std::string line(const std::string& name, const std::string& output, const std::string& parameters, size_t width) {
  std::string text = fmt::format("{:<{}} {:<{}} {:<{}}", name, width, output, column_width, parameters, column_width);
  text.erase(text.find_last_not_of(' ') + 1);
  return text + "\n";
}

std::string mult_adds_text(int64_t count) {
  const auto [unit, scale] = count >= 1'000'000'000'000 ? std::pair{"T", int64_t{1'000'000'000'000}}
                             : count >= 1'000'000'000   ? std::pair{"G", int64_t{1'000'000'000}}
                                                        : std::pair{"M", int64_t{1'000'000}};
  if (count % scale == 0) return fmt::format(" ({}): {}", unit, grouped(count / scale));
  const std::string number = fmt::format("{:.2f}", static_cast<double>(count) / static_cast<double>(scale));
  const size_t point = number.find('.');
  return fmt::format(" ({}): {}{}", unit, grouped(std::stoll(number.substr(0, point))), number.substr(point));
}

struct Totals {
  int64_t parameters = 0, trainable = 0, parameter_bytes = 0, output_bytes = 0, mult_adds = 0;
};

Totals count(const Rows& rows) {
  Totals totals;
  for (const auto& row : rows) {
    const bool leaf = row->is_leaf();
    if (leaf) totals.mult_adds += row->mult_adds;
    if (leaf && row->parameters > 0) totals.output_bytes += row->output_bytes * 2;  // and its gradient's
    if (row->recursive) continue;
    totals.parameters += leaf ? row->parameters : std::max<int64_t>(row->left_over(&Row::parameters), 0);
    totals.trainable += leaf ? row->trainable : std::max<int64_t>(row->left_over(&Row::trainable), 0);
    if (leaf) totals.parameter_bytes += row->parameter_bytes;
  }
  return totals;
}

std::string table(const Rows& rows, int64_t input_bytes) {
  size_t width = 0;
  for (const auto& row : rows)
    width = std::max(width, title(*row).size() + static_cast<size_t>(row->depth) * name_step + 1);
  width = width >= narrowest_name ? (width + name_step - 1) / name_step * name_step : narrowest_name;
  const std::string rule(width + 2 * column_width, '=');
  std::string text = rule + "\n" + line("Layer (type:depth-idx)", "Output Shape", "Param #", width) + rule + "\n";
  for (const auto& row : rows) {
    if (row->depth > static_cast<int64_t>(last_depth)) continue;
    const std::string output = row->output.empty() ? "--" : percale::text(row->output);
    text += line(branch(row->depth) + title(*row), output, parameter_text(*row), width);
  }
  const Totals totals = count(rows);
  auto megabytes = [](int64_t bytes) { return fmt::format("{:.2f}", static_cast<double>(bytes) / 1e6); };
  text += rule + "\nTotal params: " + grouped(totals.parameters) + "\nTrainable params: " + grouped(totals.trainable) +
          "\nNon-trainable params: " + grouped(totals.parameters - totals.trainable) + "\nTotal mult-adds" +
          mult_adds_text(totals.mult_adds) + "\n" + rule + "\n";
  text += "Input size (MB): " + megabytes(input_bytes) +
          "\nForward/backward pass size (MB): " + megabytes(totals.output_bytes) +
          "\nParams size (MB): " + megabytes(totals.parameter_bytes) +
          "\nEstimated Total Size (MB): " + megabytes(input_bytes + totals.output_bytes + totals.parameter_bytes) +
          "\n";
  return text + rule;
}

/// Evaluation mode for a while, and each module's own mode afterwards.
class Evaluating {
 public:
  explicit Evaluating(const Module& root) {
    for (const auto& [name, module] : root.named_modules()) modes_.emplace_back(module, module.training());
    root.eval();
  }
  ~Evaluating() {
    for (const auto& [module, mode] : modes_) module.train(mode);  // the outer ones first
  }
  Evaluating(const Evaluating&) = delete;

 private:
  std::vector<std::pair<Module, bool>> modes_;
};

}  // namespace

std::string summarize(const Module& module, const Tensors& inputs, const std::function<void()>& forward) {
  const Evaluating evaluating(module);
  const NoGradGuard no_grad;
  Watch watch(module);
  forward();
  Rows& rows = watch.rows();
  add_containers(rows);
  set_order(rows);
  int64_t input_bytes = 0;
  for (const Tensor& input : inputs) input_bytes += input.numel() * static_cast<int64_t>(size_of(input.dtype()));
  return table(rows, input_bytes);
}

}  // namespace percale::nn
