// What each line of operations.jsonl runs: an operation is one line in a table below.
#pragma once

#include <percale/percale.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "counter.h"

namespace percale::goldens {

using Json = nlohmann::json;
using Run = Tensor (*)(const Tensors& in, const Json& args);
using Runs = std::map<std::string, Run>;

/// As the file writes it, where it may be no number to JSON.
inline double number(const Json& value) {
  if (value.is_number()) return value.get<double>();
  const auto text = value.get<std::string>();
  return text == "nan" ? std::nan("") : text == "inf" ? INFINITY : -INFINITY;
}

/// Multiples of 1/256 from counter.h, in [offset - scale, offset + scale).
inline Tensor quantised(uint64_t stream, const Shape& shape, double scale = 2, double offset = 0) {
  Tensor result = Tensor::empty(shape, {f64, cpu_device});
  for (int64_t i = 0; i < result.numel(); ++i)
    result.data<double>()[i] = std::floor(uniform(stream, static_cast<uint64_t>(i)) * scale * 256) / 256 + offset;
  return result;
}

/// A number or a list of numbers; a number stands for `rank` of them.
inline Shape extents(const Json& args, const char* name, Shape otherwise = {}, int rank = 2) {
  if (!args.contains(name)) return otherwise;
  const Json& value = args[name];
  return value.is_number() ? Shape::filled(rank, value.get<int64_t>()) : Shape(value.get<std::vector<int64_t>>());
}

inline bool keepdim(const Json& args) { return args.value("keepdim", false); }

inline std::optional<Number> bound(const Json& args, const char* name) {
  if (!args.contains(name)) return {};
  return Number(args[name].get<double>());
}

inline GeluApproximation approximation(const Json& args) {
  return args.value("approximate", "none") == "tanh" ? GeluApproximation::tanh : GeluApproximation::none;
}

inline Conv2dOptions conv2d_options(const Json& args) {
  return {.stride = extents(args, "stride", {1, 1}),
          .padding = extents(args, "padding", {0, 0}),
          .dilation = extents(args, "dilation", {1, 1}),
          .groups = args.value("groups", 1)};
}

inline Pool2dOptions pool2d_options(const Json& args) {
  return {.kernel = extents(args, "kernel"),
          .stride = extents(args, "stride"),
          .padding = extents(args, "padding", {0, 0}),
          .dilation = extents(args, "dilation", {1, 1}),
          .ceil_mode = args.value("ceil_mode", false),
          .count_include_pad = args.value("count_include_pad", true),
          .divisor_override = args.value("divisor_override", 0)};
}

inline Tensor optional_input(const Tensors& in, size_t i) { return i < in.size() ? in[i] : Tensor(); }

/// All elements one after the other.
inline Tensor joined(const Tensors& parts) {
  int64_t count = 0;
  for (const Tensor& part : parts) count += part.numel();
  Tensor result = Tensor::empty({count}, parts[0].options());
  int64_t at = 0;
  for (const Tensor& part : parts) {
    result.slice(0, at, at + part.numel()).copy_(part.detach().reshape({-1}));
    at += part.numel();
  }
  return result;
}

template <class Optimizer, class Options>
Tensor optimized(const Tensors& in, const Options& options) {
  Tensors parameters;
  for (const Tensor& input : in) parameters.push_back(input.clone().requires_grad_());
  Optimizer optimizer(parameters, options);
  for (uint64_t step = 0; step < 5; ++step) {
    for (uint64_t i = 0; i < parameters.size(); ++i) {
      const Tensor gradient = quantised(51 + 2 * step + i, parameters[i].shape()) * std::pow(0.5, step);
      parameters[i].set_grad(gradient.to(in[i].dtype()));
    }
    optimizer.step();
  }
  return joined(parameters);
}

template <class Options>
Options adam_options(const Json& args) {
  Options options;
  options.lr = args.value("lr", options.lr);
  if (args.contains("betas")) options.betas = {args["betas"][0], args["betas"][1]};
  options.eps = args.value("eps", options.eps);
  options.weight_decay = args.value("weight_decay", options.weight_decay);
  options.amsgrad = args.value("amsgrad", false);
  return options;
}

inline Tensor sgd(const Tensors& in, const Json& args) {
  return optimized<optim::SGD>(in, optim::SGDOptions{.lr = args["lr"],
                                                     .momentum = args.value("momentum", 0.0),
                                                     .dampening = args.value("dampening", 0.0),
                                                     .weight_decay = args.value("weight_decay", 0.0),
                                                     .nesterov = args.value("nesterov", false)});
}

inline optim::AdagradOptions adagrad_options(const Json& args) {
  optim::AdagradOptions options;
  options.lr = args["lr"];
  options.lr_decay = args.value("lr_decay", 0.0);
  options.weight_decay = args.value("weight_decay", 0.0);
  options.initial_accumulator_value = args.value("initial_accumulator_value", 0.0);
  options.eps = args.value("eps", options.eps);
  options.maximize = args.value("maximize", false);
  return options;
}

inline Tensor adagrad(const Tensors& in, const Json& args) {
  return optimized<optim::Adagrad>(in, adagrad_options(args));
}

template <class Optimizer, class Options>
Tensor optimized_rows(const Tensors& in, const Json& args, const Options& options) {
  const Tensor table = in[0].clone().requires_grad_();
  Optimizer optimizer({table}, options);
  const auto rows = args["rows"].get<std::vector<int64_t>>();
  for (uint64_t step = 0; step < 5; ++step) {
    optimizer.zero_grad();
    const std::vector<int64_t> used(rows.begin() + static_cast<ptrdiff_t>(step), rows.end());
    const Tensor index = from_vector(used, {static_cast<int64_t>(used.size())});
    const Tensor upstream = quantised(71 + step, {index.numel(), table.size(1)});
    embedding(table, index, {.sparse = true}).backward(upstream.to(table.dtype()));
    optimizer.step();
  }
  return table.detach();
}

inline optim::OneCycleLROptions one_cycle(const Json& args) {
  return {.max_lr = args["max_lr"],
          .total_steps = args["total_steps"],
          .pct_start = args.value("pct_start", 0.3),
          .div_factor = args.value("div_factor", 25.0),
          .final_div_factor = args.value("final_div_factor", 1e4)};
}

template <class Schedule, class... Arguments>
Tensor scheduled(const Json& args, const Arguments&... arguments) {
  optim::SGD optimizer({zeros({1}).requires_grad_()}, {.lr = args["lr"]});
  Schedule schedule(optimizer, arguments...);
  Tensor rates = Tensor::empty({50}, {f64, cpu_device});
  for (int step = 0; step < 50; ++step) {
    if (step) schedule.step();
    rates.data<double>()[step] = optimizer.lr();
  }
  return rates;
}

inline Tensors with_gradients(const Tensors& gradients) {
  Tensors parameters;
  for (const Tensor& gradient : gradients) {
    parameters.push_back(zeros_like(gradient).requires_grad_());
    parameters.back().set_grad(gradient.clone());
  }
  return parameters;
}

inline Tensor clipped_by_norm(const Tensors& in, const Json& args) {
  const Tensors parameters = with_gradients(in);
  const Tensor norm = nn::clip_grad_norm_(parameters, number(args["max_norm"]),
                                          args.contains("norm_type") ? number(args["norm_type"]) : 2);
  Tensors parts;
  for (const Tensor& parameter : parameters) parts.push_back(parameter.grad());
  parts.push_back(norm.to(in[0].dtype()));
  return joined(parts);
}

inline Tensor clipped_by_value(const Tensors& in, const Json& args) {
  const Tensors parameters = with_gradients(in);
  nn::clip_grad_value_(parameters, args["value"]);
  return parameters[0].grad();
}

inline Reduction reduction(const Json& args) {
  const std::string name = args["reduction"];
  return name == "none" ? Reduction::none : name == "sum" ? Reduction::sum : Reduction::mean;
}

inline CrossEntropyOptions cross_entropy_options(const Tensors& in, const Json& args) {
  return {.weight = optional_input(in, 2),
          .ignore_index = args.value("ignore_index", -100),
          .label_smoothing = args.value("label_smoothing", 0.0),
          .reduction = reduction(args)};
}

/// Of each element, or of pairs of them.
inline const Runs elementwise = {
    {"neg", [](const Tensors& in, const Json&) { return -in[0]; }},
    {"exp", [](const Tensors& in, const Json&) { return exp(in[0]); }},
    {"abs", [](const Tensors& in, const Json&) { return abs(in[0]); }},
    {"erf", [](const Tensors& in, const Json&) { return erf(in[0]); }},
    {"tanh", [](const Tensors& in, const Json&) { return tanh(in[0]); }},
    {"sigmoid", [](const Tensors& in, const Json&) { return sigmoid(in[0]); }},
    {"relu", [](const Tensors& in, const Json&) { return relu(in[0]); }},
    {"gelu", [](const Tensors& in, const Json& args) { return gelu(in[0], approximation(args)); }},
    {"log", [](const Tensors& in, const Json&) { return log(in[0]); }},
    {"sqrt", [](const Tensors& in, const Json&) { return sqrt(in[0]); }},
    {"clamp", [](const Tensors& in, const Json& args) { return clamp(in[0], bound(args, "min"), bound(args, "max")); }},
    {"pow", [](const Tensors& in, const Json& args) { return pow(in[0], args["exponent"].get<double>()); }},
    {"pow_tensor", [](const Tensors& in, const Json&) { return pow(in[0], in[1]); }},
    {"add", [](const Tensors& in, const Json&) { return in[0] + in[1]; }},
    {"sub", [](const Tensors& in, const Json&) { return in[0] - in[1]; }},
    {"mul", [](const Tensors& in, const Json&) { return in[0] * in[1]; }},
    {"div", [](const Tensors& in, const Json&) { return in[0] / in[1]; }},
    {"maximum", [](const Tensors& in, const Json&) { return maximum(in[0], in[1]); }},
    {"minimum", [](const Tensors& in, const Json&) { return minimum(in[0], in[1]); }},
    {"eq", [](const Tensors& in, const Json&) { return in[0] == in[1]; }},
    {"ne", [](const Tensors& in, const Json&) { return in[0] != in[1]; }},
    {"lt", [](const Tensors& in, const Json&) { return in[0] < in[1]; }},
    {"le", [](const Tensors& in, const Json&) { return in[0] <= in[1]; }},
    {"gt", [](const Tensors& in, const Json&) { return in[0] > in[1]; }},
    {"ge", [](const Tensors& in, const Json&) { return in[0] >= in[1]; }},
    {"where", [](const Tensors& in, const Json&) { return where(in[0], in[1], in[2]); }},
};

/// Over dimensions, losses and products.
inline const Runs reductions = {
    {"sum", [](const Tensors& in, const Json& args) { return sum(in[0], extents(args, "dims"), keepdim(args)); }},
    {"mean", [](const Tensors& in, const Json& args) { return mean(in[0], extents(args, "dims"), keepdim(args)); }},
    {"max", [](const Tensors& in, const Json& args) { return max(in[0], extents(args, "dims"), keepdim(args)); }},
    {"min", [](const Tensors& in, const Json& args) { return min(in[0], extents(args, "dims"), keepdim(args)); }},
    {"softmax", [](const Tensors& in, const Json& args) { return softmax(in[0], args.value("dim", 1)); }},
    {"log_softmax", [](const Tensors& in, const Json& args) { return log_softmax(in[0], args.value("dim", 1)); }},
    {"cross_entropy",
     [](const Tensors& in, const Json& args) { return cross_entropy(in[0], in[1], cross_entropy_options(in, args)); }},
    {"mse_loss", [](const Tensors& in, const Json& args) { return mse_loss(in[0], in[1], reduction(args)); }},
    {"argmax",
     [](const Tensors& in, const Json& args) { return argmax(in[0], args["dim"].get<int64_t>(), keepdim(args)); }},
    {"matmul", [](const Tensors& in, const Json&) { return matmul(in[0], in[1]); }},
    {"matmul_transposed",
     [](const Tensors& in, const Json&) { return matmul(in[0].transpose(-1, -2), in[1].transpose(-1, -2)); }},
};

/// What layers compute.
inline const Runs layers = {
    {"linear", [](const Tensors& in, const Json&) { return linear(in[0], in[1], optional_input(in, 2)); }},
    {"linear_relu", [](const Tensors& in, const Json&) { return linear_relu(in[0], in[1], optional_input(in, 2)); }},
    {"layer_norm",
     [](const Tensors& in, const Json& args) {
       return layer_norm(in[0], optional_input(in, 1), optional_input(in, 2), args.value("eps", 1e-5));
     }},
    {"add_layer_norm", [](const Tensors& in, const Json&) { return add_layer_norm(in[0], in[1], in[2], in[3]); }},
    {"embedding_layer_norm",
     [](const Tensors& in, const Json& args) {
       return embedding_layer_norm(in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7], args.value("eps", 1e-12));
     }},
    {"batch_norm",
     [](const Tensors& in, const Json& args) {
       return batch_norm(in[0], in[1].clone(), in[2].clone(), optional_input(in, 3), optional_input(in, 4),
                         {.training = args["training"], .eps = args.value("eps", 1e-5)});
     }},
    {"running_statistics",
     [](const Tensors& in, const Json& args) {
       const Tensor mean = in[1].clone(), variance = in[2].clone();
       for (const double factor : {1.0, 2.0})
         batch_norm(in[0] * factor, mean, variance, {}, {}, {.training = true, .momentum = args["momentum"]});
       return cat({mean, variance});
     }},
    {"bias_gelu", [](const Tensors& in, const Json&) { return bias_gelu(in[0], in[1]); }},
    {"conv2d", [](const Tensors& in,
                  const Json& args) { return conv2d(in[0], in[1], optional_input(in, 2), conv2d_options(args)); }},
    {"conv2d_relu",
     [](const Tensors& in, const Json& args) {
       return conv2d_relu(in[0], in[1], optional_input(in, 2), conv2d_options(args));
     }},
    {"twice.conv2d",
     [](const Tensors& in, const Json&) {
       return conv2d(in[0], in[1], {}, {.padding{1, 1}});
     }},
    {"max_pool2d", [](const Tensors& in, const Json& args) { return max_pool2d(in[0], pool2d_options(args)); }},
    {"avg_pool2d", [](const Tensors& in, const Json& args) { return avg_pool2d(in[0], pool2d_options(args)); }},
    {"adaptive_avg_pool2d",
     [](const Tensors& in, const Json& args) { return adaptive_avg_pool2d(in[0], extents(args, "size")); }},
};

/// The same elements in another order or number.
inline const Runs shapes = {
    {"cat", [](const Tensors& in, const Json& args) { return cat(in, args["dim"]); }},
    {"index_select", [](const Tensors& in, const Json& args) { return index_select(in[0], args["dim"], in[1]); }},
    {"slice", [](const Tensors& in,
                 const Json& args) { return in[0].slice(args["dim"], args["start"], args["end"], args["step"]); }},
    {"select", [](const Tensors& in, const Json& args) { return in[0].select(args["dim"], args["position"]); }},
    {"transpose", [](const Tensors& in, const Json& args) { return in[0].transpose(args["dim0"], args["dim1"]); }},
    {"permute", [](const Tensors& in, const Json& args) { return in[0].permute(extents(args, "dims")); }},
    {"expand", [](const Tensors& in, const Json& args) { return in[0].expand(extents(args, "shape")); }},
    {"reshape", [](const Tensors& in, const Json& args) { return in[0].reshape(extents(args, "shape")); }},
    {"unsqueeze", [](const Tensors& in, const Json& args) { return in[0].unsqueeze(args["dim"]); }},
    {"squeeze", [](const Tensors& in, const Json& args) { return in[0].squeeze(args["dim"]); }},
    {"flatten", [](const Tensors& in, const Json& args) { return in[0].flatten(args["start"]); }},
};

/// What has a state: five steps of an optimizer, fifty of a schedule; and clipping.
inline const Runs training = {
    {"optimizer.SGD", sgd},
    {"optimizer.Adagrad", adagrad},
    {"sparse_optimizer.SGD",
     [](const Tensors& in, const Json& args) {
       return optimized_rows<optim::SGD>(in, args, optim::SGDOptions{.lr = args["lr"]});
     }},
    {"sparse_optimizer.Adagrad",
     [](const Tensors& in, const Json& args) {
       return optimized_rows<optim::Adagrad>(in, args, adagrad_options(args));
     }},
    {"sparse_optimizer.Adam",
     [](const Tensors& in, const Json& args) {
       return optimized_rows<optim::Adam>(in, args, adam_options<optim::AdamOptions>(args));
     }},
    {"optimizer.Adam",
     [](const Tensors& in, const Json& args) {
       return optimized<optim::Adam>(in, adam_options<optim::AdamOptions>(args));
     }},
    {"optimizer.AdamW",
     [](const Tensors& in, const Json& args) {
       return optimized<optim::AdamW>(in, adam_options<optim::AdamWOptions>(args));
     }},
    {"schedule.StepLR",
     [](const Tensors&, const Json& args) {
       return scheduled<optim::StepLR>(args, args["step_size"].get<int64_t>(), args["gamma"].get<double>());
     }},
    {"schedule.CosineAnnealingLR",
     [](const Tensors&, const Json& args) {
       return scheduled<optim::CosineAnnealingLR>(args, args["T_max"].get<int64_t>(), args.value("eta_min", 0.0));
     }},
    {"schedule.OneCycleLR",
     [](const Tensors&, const Json& args) { return scheduled<optim::OneCycleLR>(args, one_cycle(args)); }},
    {"schedule.LinearLR",
     [](const Tensors&, const Json& args) {
       return scheduled<optim::LinearLR>(
           args, optim::LinearLROptions{.start_factor = args["start_factor"], .total_iters = args["total_iters"]});
     }},
    {"clip_grad_norm", clipped_by_norm},
    {"clip_grad_value", clipped_by_value},
};

/// All of them.
inline const Runs& operations() {
  static const Runs all = [] {
    Runs joined;
    for (const Runs& table : {elementwise, reductions, layers, shapes, training})
      joined.insert(table.begin(), table.end());
    return joined;
  }();
  return all;
}

}  // namespace percale::goldens
