#include <cmath>
#include <limits>

#include "../../core/primitives.h"
#include "../common/spec.h"
#include "../fill/fill.h"
#include "optimizer.h"

namespace percale {
namespace {

/// Three steps from zero state on two parameters; `in` holds each parameter and its gradient. Returns what was written.
template <class Take>
Tensors three_steps(const Tensors& in, int states, Take take) {
  Tensors parameters, gradients;
  std::vector<Tensors> state(static_cast<size_t>(states));
  for (size_t i = 0; i < in.size(); i += 2) {
    parameters.push_back(in[i].detach().clone());
    gradients.push_back(in[i + 1].detach());
    for (Tensors& one : state) one.push_back(zeros_like(parameters.back()));
  }
  const Device device = in[0].device();
  const Tensor rate = full({1}, 0.125, {f64, device}),
               steps = zeros({static_cast<int64_t>(parameters.size())}, {f64, device});
  for (int i = 0; i < 3; ++i) {
    take(parameters, gradients, state, rate, steps);
    for (Tensor& gradient : gradients) gradient = gradient.slice(0, 0).clone();
  }
  Tensors results = parameters;
  for (const Tensors& one : state) results.insert(results.end(), one.begin(), one.end());
  results.push_back(steps);
  return results;
}

auto sgd(SgdOptions options) {
  return [options](const Tensors& in) {
    return three_steps(in, options.momentum != 0,
                       [&](auto& parameters, auto& gradients, auto& state, auto& rate, auto& steps) {
                         sgd_step(parameters, gradients, state.empty() ? Tensors() : state[0], rate, steps, options);
                       });
  };
}

auto adagrad(AdagradOptions options) {
  return [options](const Tensors& in) {
    return three_steps(in, 1, [&](auto& parameters, auto& gradients, auto& state, auto& rate, auto& steps) {
      adagrad_step(parameters, gradients, state[0], rate, steps, options);
    });
  };
}

auto adam(AdamOptions options, bool amsgrad = false) {
  return [options, amsgrad](const Tensors& in) {
    return three_steps(
        in, amsgrad ? 3 : 2, [&](auto& parameters, auto& gradients, auto& state, auto& rate, auto& steps) {
          adam_step(parameters, gradients, state[0], state[1], amsgrad ? state[2] : Tensors(), rate, steps, options);
        });
  };
}

/// The step alone, with state that stays from call to call: what a training step pays.
Tensors adam_in_place(const Tensors& in) {
  const Tensor rate = full({1}, 1e-3, {f64, in[0].device()}), steps = zeros({1}, {f64, in[0].device()});
  adam_step({in[0]}, {in[1]}, {in[2]}, {in[3]}, {}, rate, steps);
  return {in[0]};
}

auto norm_of(double order) {
  return [order](const Tensors& in) { return gradient_norm({in[0].detach(), Tensor(), in[1].detach()}, order); };
}

auto clipped(double max_norm) {
  return [max_norm](const Tensors& in) {
    const Tensors gradients = {in[0].detach().clone(), in[1].detach().clone()};
    scale_to_norm(gradients, gradient_norm(gradients), max_norm);
    return gradients;
  };
}

const std::vector<SpecInput> two_parameters = {real({"rows", "columns"}), real({"rows", "columns"}), real({"count"}),
                                               real({"count"})};
const std::vector<std::vector<int64_t>> step_sizes = {{3, 5, 7}, {1, 1, 1}, {0, 4, 9}, {65, 33, 0}, {129, 65, 2051}};

Spec step_spec(std::string name, SpecRun run) {
  return {.name = std::move(name),
          .run = std::move(run),
          .inputs = two_parameters,
          .sizes = step_sizes,
          .exact = false,
          .gradient = false};
}

Tensor one(Device device, double value = 1) { return full({1}, value, {f64, device}); }

std::vector<SpecError> sgd_errors() {
  return {
      {"1 gradients for 2 parameters",
       [](Device d) {
         sgd_step({ones({2}, {f32, d}), ones({2}, {f32, d})}, {ones({2}, {f32, d})}, {}, one(d), zeros({2}, {f64, d}));
       }},
      {"its gradient is [3] of f32",
       [](Device d) {
         sgd_step({ones({2}, {f32, d})}, {ones({3}, {f32, d})}, {}, one(d), one(d));
       }},
      {"parameters must be f32 or f64, got f16",
       [](Device d) {
         sgd_step({ones({2}, {f16, d})}, {ones({2}, {f16, d})}, {}, one(d), one(d));
       }},
      {"is not dense",
       [](Device d) {
         sgd_step({ones({4}, {f32, d}).slice(0, 0, 4, 2)}, {ones({2}, {f32, d})}, {}, one(d), one(d));
       }},
      {"0 state tensors for 1 parameters",
       [](Device d) {
         sgd_step({ones({2}, {f32, d})}, {ones({2}, {f32, d})}, {}, one(d), one(d), {.momentum = 0.9});
       }},
      {"the learning rate must be one f64",
       [](Device d) {
         sgd_step({ones({2}, {f32, d})}, {ones({2}, {f32, d})}, {}, ones({1}, {f32, d}), one(d));
       }},
      {"steps must be 1 numbers of f64",
       [](Device d) {
         sgd_step({ones({2}, {f32, d})}, {ones({2}, {f32, d})}, {}, one(d), zeros({2}, {f64, d}));
       }},
      {"nesterov needs momentum", [](Device d) {
         sgd_step({ones({2}, {f32, d})}, {ones({2}, {f32, d})}, {}, one(d), one(d), {.nesterov = true});
       }}};
}

}  // namespace

extern const Specs optimizer_specs;
const Specs optimizer_specs = [] {
  Specs specs = {step_spec("sgd", sgd({})),
                 step_spec("sgd with momentum, dampening and decay",
                           sgd({.momentum = 0.75, .dampening = 0.25, .weight_decay = 0.5})),
                 step_spec("sgd with nesterov, upwards", sgd({.momentum = 0.75, .nesterov = true, .maximize = true})),
                 step_spec("adam", adam({})),
                 step_spec("adam with amsgrad and decay", adam({.beta2 = 0.5, .weight_decay = 0.5}, true)),
                 step_spec("adamw upwards", adam({.weight_decay = 0.5, .decoupled = true, .maximize = true})),
                 step_spec("adagrad", adagrad({})),
                 step_spec("adagrad upwards with decays",
                           adagrad({.lr_decay = 0.5, .weight_decay = 0.5, .eps = 1e-3, .maximize = true})),
                 {.name = "adam in place",
                  .run = adam_in_place,
                  .inputs = {real({"count"}), real({"count"}), real({"count"}), positive({"count"})},
                  .sizes = {{5}},
                  .exact = false,
                  .gradient = false,
                  .graph = false,
                  .strided = false,
                  .timings = {{.name = "adam.25.6M", .sizes = {25'600'000}, .bytes = 25.6e6 * 28}}}};
  specs[0].errors = sgd_errors();
  specs[3].errors = {
      {"betas must be in [0, 1), got 1", [](Device d) {
         adam_step({ones({2}, {f32, d})}, {ones({2}, {f32, d})}, {}, {}, {}, one(d), one(d), {.beta1 = 1});
       }}};
  const std::vector<SpecInput> gradients = {real({"rows", "columns"}), real({"count"})};
  const std::vector<std::vector<int64_t>> sizes = {{3, 5, 7}, {1, 1, 1}, {0, 4, 9}, {33, 0, 8193}, {129, 65, 5}};
  for (const double order : {1.0, 2.0, 3.0, std::numeric_limits<double>::infinity()})
    specs.push_back({.name = "gradient norm " + text(order),
                     .run = norm_of(order),
                     .inputs = gradients,
                     .sizes = sizes,
                     .exact = order != 3,
                     .gradient = false,
                     .strided = false});
  for (const double max_norm : {1.0, 1e4})
    specs.push_back({.name = "clipping to norm " + text(max_norm),
                     .run = clipped(max_norm),
                     .inputs = gradients,
                     .sizes = sizes,
                     .exact = false,
                     .gradient = false});
  specs.push_back({.name = "clipping by value",
                   .run =
                       [](const Tensors& in) {
                         Tensor values = in[0].detach().clone();
                         clamp_gradients({values}, 0.75);
                         return values;
                       },
                   .inputs = {real({"rows", "columns"})},
                   .sizes = {{3, 5}, {0, 2}, {33, 65}},
                   .gradient = false,
                   .errors = {{"must not be negative, got -1", [](Device d) {
                                 clamp_gradients({ones({2}, {f32, d})}, -1);
                               }}}});
  return specs;
}();

}  // namespace percale
