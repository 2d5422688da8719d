#include "../common/spec.h"
#include "../fill/fill.h"
#include "sparse_optimizer.h"

namespace percale {
namespace {

/// Three steps from zero state; `in` holds the table, positions, and a row for each. The second step has the gradient
/// in two parts, as of a table used twice. Returns what was written.
template <class Take>
Tensors three_steps(const Tensors& in, int states, Take take) {
  const Tensor table = in[0].detach().contiguous().clone(), index = in[1], rows = in[2].detach();
  std::vector<Tensor> state(3);
  for (int i = 0; i < states; ++i) state[static_cast<size_t>(i)] = zeros(table.shape(), table.options());
  const Tensor rate = full({1}, 0.125, {f64, table.device()}), step = zeros({1}, {f64, table.device()});
  const int64_t half = index.size(0) / 2;
  take(table, std::vector<RowGradient>{{index, rows}}, state, rate, step);
  take(table,
       std::vector<RowGradient>{{index.slice(0, 0, half), rows.slice(0, 0, half)},
                                {index.slice(0, half).to(i32), rows.slice(0, half)}},
       state, rate, step);
  take(table, std::vector<RowGradient>{{index.slice(0, half), rows.slice(0, half)}}, state, rate, step);
  Tensors results = {table, step};
  for (int i = 0; i < states; ++i) results.push_back(state[static_cast<size_t>(i)]);
  return results;
}

auto sgd(SgdOptions options) {
  return [options](const Tensors& in) {
    return three_steps(in, options.momentum != 0,
                       [&](auto& table, const auto& gradients, auto& state, auto& rate, auto& step) {
                         sparse_sgd_step(table, gradients, state[0], rate, step, options);
                       });
  };
}

auto adagrad(AdagradOptions options) {
  return [options](const Tensors& in) {
    return three_steps(in, 1, [&](auto& table, const auto& gradients, auto& state, auto& rate, auto& step) {
      sparse_adagrad_step(table, gradients, state[0], rate, step, options);
    });
  };
}

auto adam(AdamOptions options, bool amsgrad = false) {
  return [options, amsgrad](const Tensors& in) {
    return three_steps(in, amsgrad ? 3 : 2,
                       [&](auto& table, const auto& gradients, auto& state, auto& rate, auto& step) {
                         sparse_adam_step(table, gradients, state[0], state[1], state[2], rate, step, options);
                       });
  };
}

Spec step_spec(std::string name, SpecRun run, bool exact = false) {
  return {.name = std::move(name),
          .run = std::move(run),
          .inputs = {real({"rows", "width"}), index_input("rows", {"count"}), real({"count", "width"})},
          .sizes = {{5, 3, 7}, {1, 1, 1}, {3, 4, 0}, {6, 0, 2}, {700, 8, 300}, {7, 64, 200}, {40, 133, 90}},
          .exact = exact,
          .gradient = false};
}

/// A step with one thing wrong at a time.
std::vector<SpecError> errors() {
  auto step = [](Device d, Tensor table, Tensor index, Tensor rows, SgdOptions options = {}, Tensor buffer = {}) {
    sparse_sgd_step(table.to(d), {{index.to(d), rows.to(d)}}, buffer.defined() ? buffer.to(d) : buffer,
                    full({1}, 0.1, {f64, d}), zeros({1}, {f64, d}), options);
  };
  const Tensor table = zeros({3, 2}), index = tensor({0, 2}), rows = ones({2, 2});
  return {{"the table must be [rows, width] of f32 or f64, contiguous, got [6] of f32",
           [=](Device d) { step(d, zeros({6}), index, rows); }},
          {"the table must be [rows, width] of f32 or f64, contiguous, got [3, 2] of f16",
           [=](Device d) { step(d, table.to(f16), index, rows.to(f16)); }},
          {"the table must be [rows, width] of f32 or f64, contiguous, got [2, 3] of f32",
           [=](Device d) {
             sparse_sgd_step(table.to(d).t(), {{index.to(d), ones({2, 3}, {f32, d})}}, {}, full({1}, 0.1, {f64, d}),
                             zeros({1}, {f64, d}));
           }},
          {"positions of rows must be [count] of i64 or i32", [=](Device d) { step(d, table, index.to(f32), rows); }},
          {"2 positions of [3, 2] need rows [2, 2] of f32",
           [=](Device d) {
             step(d, table, index, ones({2, 3}));
           }},
          {"2 positions of [3, 2] need rows [2, 2] of f32", [=](Device d) { step(d, table, index, rows.to(f64)); }},
          {"the state must be contiguous, [3, 2] of f32",
           [=](Device d) { step(d, table, index, rows, {.momentum = 0.5}); }},
          {"the state must be contiguous, [3, 2] of f32",
           [=](Device d) {
             step(d, table, index, rows, {.momentum = 0.5}, zeros({2, 3}));
           }},
          {"rows are not dampened, got 0.5",
           [=](Device d) { step(d, table, index, rows, {.momentum = 0.5, .dampening = 0.5}); }},
          {"nesterov needs momentum above 0", [=](Device d) { step(d, table, index, rows, {.nesterov = true}); }},
          {"the learning rate must be one f64",
           [=](Device d) {
             sparse_sgd_step(table.to(d), {{index.to(d), rows.to(d)}}, {}, ones({1}, {f32, d}), zeros({1}, {f64, d}));
           }},
          {"the step must be one f64",
           [=](Device d) {
             sparse_sgd_step(table.to(d), {{index.to(d), rows.to(d)}}, {}, ones({1}, {f64, d}), zeros({2}, {f64, d}));
           }},
          {"betas must be in [0, 1), got 1", [=](Device d) {
             sparse_adam_step(table.to(d), {{index.to(d), rows.to(d)}}, zeros({3, 2}, {f32, d}),
                              zeros({3, 2}, {f32, d}), {}, ones({1}, {f64, d}), zeros({1}, {f64, d}), {.beta2 = 1});
           }}};
}

}  // namespace

extern const Specs sparse_optimizer_specs;
const Specs sparse_optimizer_specs = [] {
  Specs specs = {
      step_spec("sgd on rows", sgd({}), true),
      step_spec("sgd on rows with nesterov and decay, upwards",
                sgd({.momentum = 0.75, .weight_decay = 0.5, .nesterov = true, .maximize = true})),
      step_spec("adagrad on rows", adagrad({.lr_decay = 0.5, .eps = 1e-3})), step_spec("adam on rows", adam({})),
      step_spec("adamw on rows with amsgrad", adam({.beta2 = 0.5, .weight_decay = 0.5, .decoupled = true}, true))};
  specs[0].errors = errors();
  return specs;
}();

}  // namespace percale
