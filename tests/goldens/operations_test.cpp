// Every operation against PyTorch in f64: outputs, gradients, gradients of gradients and the names of grad_fn, as
// operations.jsonl has them. An operation is one line in the table below.
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "counter.h"

namespace percale {
namespace {

using Json = nlohmann::json;
using Run = Tensor (*)(const Tensors& in, const Json& args);

// --- what the file writes
// ----------------------------------------------------------------------------------------------

double number(const Json& value) {
  if (value.is_number()) return value.get<double>();
  const auto text = value.get<std::string>();
  return text == "nan" ? std::nan("") : text == "inf" ? INFINITY : -INFINITY;
}

Tensor quantised(uint64_t stream, const Shape& shape, double scale = 2, double offset = 0) {
  Tensor result = Tensor::empty(shape, {f64, cpu_device});
  for (int64_t i = 0; i < result.numel(); ++i)
    result.data<double>()[i] =
        std::floor(goldens::uniform(stream, static_cast<uint64_t>(i)) * scale * 256) / 256 + offset;
  return result;
}

// --- arguments
// --------------------------------------------------------------------------------------------------------

/// A number or a list of numbers; a number stands for `rank` of them.
Shape extents(const Json& args, const char* name, Shape otherwise = {}, int rank = 2) {
  if (!args.contains(name)) return otherwise;
  const Json& value = args[name];
  return value.is_number() ? Shape::filled(rank, value.get<int64_t>()) : Shape(value.get<std::vector<int64_t>>());
}

std::optional<Number> bound(const Json& args, const char* name) {
  if (!args.contains(name)) return {};
  return Number(args[name].get<double>());
}

GeluApproximation approximation(const Json& args) {
  return args.value("approximate", "none") == "tanh" ? GeluApproximation::tanh : GeluApproximation::none;
}

Conv2dOptions conv2d_options(const Json& args) {
  return {.stride = extents(args, "stride", {1, 1}),
          .padding = extents(args, "padding", {0, 0}),
          .dilation = extents(args, "dilation", {1, 1}),
          .groups = args.value("groups", 1)};
}

Pool2dOptions pool2d_options(const Json& args) {
  return {.kernel = extents(args, "kernel"),
          .stride = extents(args, "stride"),
          .padding = extents(args, "padding", {0, 0}),
          .dilation = extents(args, "dilation", {1, 1}),
          .ceil_mode = args.value("ceil_mode", false),
          .count_include_pad = args.value("count_include_pad", true),
          .divisor_override = args.value("divisor_override", 0)};
}

Tensor optional_input(const Tensors& in, size_t i) { return i < in.size() ? in[i] : Tensor(); }

// --- what has a state: five steps of an optimizer, fifty of a schedule, clipping
// ---------------------------------------

/// All elements one after the other.
Tensor joined(const Tensors& parts) {
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

Tensor sgd(const Tensors& in, const Json& args) {
  return optimized<optim::SGD>(in, optim::SGDOptions{.lr = args["lr"],
                                                     .momentum = args.value("momentum", 0.0),
                                                     .dampening = args.value("dampening", 0.0),
                                                     .weight_decay = args.value("weight_decay", 0.0),
                                                     .nesterov = args.value("nesterov", false)});
}

optim::AdagradOptions adagrad_options(const Json& args) {
  optim::AdagradOptions options;
  options.lr = args["lr"];
  options.lr_decay = args.value("lr_decay", 0.0);
  options.weight_decay = args.value("weight_decay", 0.0);
  options.initial_accumulator_value = args.value("initial_accumulator_value", 0.0);
  options.eps = args.value("eps", options.eps);
  options.maximize = args.value("maximize", false);
  return options;
}

Tensor adagrad(const Tensors& in, const Json& args) { return optimized<optim::Adagrad>(in, adagrad_options(args)); }

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

optim::OneCycleLROptions one_cycle(const Json& args) {
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

Tensors with_gradients(const Tensors& gradients) {
  Tensors parameters;
  for (const Tensor& gradient : gradients) {
    parameters.push_back(zeros_like(gradient).requires_grad_());
    parameters.back().set_grad(gradient.clone());
  }
  return parameters;
}

Tensor clipped_by_norm(const Tensors& in, const Json& args) {
  const Tensors parameters = with_gradients(in);
  const Tensor norm = nn::clip_grad_norm_(parameters, number(args["max_norm"]),
                                          args.contains("norm_type") ? number(args["norm_type"]) : 2);
  Tensors parts;
  for (const Tensor& parameter : parameters) parts.push_back(parameter.grad());
  parts.push_back(norm.to(in[0].dtype()));
  return joined(parts);
}

Tensor clipped_by_value(const Tensors& in, const Json& args) {
  const Tensors parameters = with_gradients(in);
  nn::clip_grad_value_(parameters, args["value"]);
  return parameters[0].grad();
}

Reduction reduction(const Json& args) {
  const std::string name = args["reduction"];
  return name == "none" ? Reduction::none : name == "sum" ? Reduction::sum : Reduction::mean;
}

CrossEntropyOptions cross_entropy_options(const Tensors& in, const Json& args) {
  return {.weight = optional_input(in, 2),
          .ignore_index = args.value("ignore_index", -100),
          .label_smoothing = args.value("label_smoothing", 0.0),
          .reduction = reduction(args)};
}

// --- the operations
// ---------------------------------------------------------------------------------------------------

const std::map<std::string, Run> operations = {
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
    {"sum", [](const Tensors& in, const Json& args) { return sum(in[0], extents(args, "dims"), args.value("keepdim", false)); }},
    {"mean", [](const Tensors& in, const Json& args) { return mean(in[0], extents(args, "dims"), args.value("keepdim", false)); }},
    {"max", [](const Tensors& in, const Json& args) { return max(in[0], extents(args, "dims"), args.value("keepdim", false)); }},
    {"min", [](const Tensors& in, const Json& args) { return min(in[0], extents(args, "dims"), args.value("keepdim", false)); }},
    {"softmax", [](const Tensors& in, const Json& args) { return softmax(in[0], args.value("dim", 1)); }},
    {"log_softmax", [](const Tensors& in, const Json& args) { return log_softmax(in[0], args.value("dim", 1)); }},
    {"cross_entropy", [](const Tensors& in, const Json& args) { return cross_entropy(in[0], in[1], cross_entropy_options(in, args)); }},
    {"mse_loss", [](const Tensors& in, const Json& args) { return mse_loss(in[0], in[1], reduction(args)); }},
    {"argmax", [](const Tensors& in, const Json& args) { return argmax(in[0], args["dim"].get<int64_t>(), args.value("keepdim", false)); }},
    {"matmul", [](const Tensors& in, const Json&) { return matmul(in[0], in[1]); }},
    {"matmul_transposed", [](const Tensors& in, const Json&) { return matmul(in[0].transpose(-1, -2), in[1].transpose(-1, -2)); }},
    {"linear", [](const Tensors& in, const Json&) { return linear(in[0], in[1], optional_input(in, 2)); }},
    {"linear_relu", [](const Tensors& in, const Json&) { return linear_relu(in[0], in[1], optional_input(in, 2)); }},
    {"layer_norm", [](const Tensors& in, const Json& args) { return layer_norm(in[0], optional_input(in, 1), optional_input(in, 2), args.value("eps", 1e-5)); }},
    {"add_layer_norm", [](const Tensors& in, const Json&) { return add_layer_norm(in[0], in[1], in[2], in[3]); }},
    {"embedding_layer_norm", [](const Tensors& in, const Json& args) {
       return embedding_layer_norm(in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7], args.value("eps", 1e-12));
     }},
    {"batch_norm", [](const Tensors& in, const Json& args) {
       return batch_norm(in[0], in[1].clone(), in[2].clone(), optional_input(in, 3), optional_input(in, 4), {.training = args["training"], .eps = args.value("eps", 1e-5)});
     }},
    {"running_statistics", [](const Tensors& in, const Json& args) {
       const Tensor mean = in[1].clone(), variance = in[2].clone();
       for (const double factor : {1.0, 2.0}) batch_norm(in[0] * factor, mean, variance, {}, {}, {.training = true, .momentum = args["momentum"]});
       return cat({mean, variance});
     }},
    {"bias_gelu", [](const Tensors& in, const Json&) { return bias_gelu(in[0], in[1]); }},
    {"conv2d", [](const Tensors& in, const Json& args) { return conv2d(in[0], in[1], optional_input(in, 2), conv2d_options(args)); }},
    {"conv2d_relu", [](const Tensors& in, const Json& args) { return conv2d_relu(in[0], in[1], optional_input(in, 2), conv2d_options(args)); }},
    {"twice.conv2d", [](const Tensors& in, const Json&) { return conv2d(in[0], in[1], {}, {.padding{1, 1}}); }},
    {"max_pool2d", [](const Tensors& in, const Json& args) { return max_pool2d(in[0], pool2d_options(args)); }},
    {"avg_pool2d", [](const Tensors& in, const Json& args) { return avg_pool2d(in[0], pool2d_options(args)); }},
    {"adaptive_avg_pool2d", [](const Tensors& in, const Json& args) { return adaptive_avg_pool2d(in[0], extents(args, "size")); }},
    {"cat", [](const Tensors& in, const Json& args) { return cat(in, args["dim"]); }},
    {"index_select", [](const Tensors& in, const Json& args) { return index_select(in[0], args["dim"], in[1]); }},
    {"slice", [](const Tensors& in, const Json& args) { return in[0].slice(args["dim"], args["start"], args["end"], args["step"]); }},
    {"select", [](const Tensors& in, const Json& args) { return in[0].select(args["dim"], args["position"]); }},
    {"transpose", [](const Tensors& in, const Json& args) { return in[0].transpose(args["dim0"], args["dim1"]); }},
    {"permute", [](const Tensors& in, const Json& args) { return in[0].permute(extents(args, "dims")); }},
    {"expand", [](const Tensors& in, const Json& args) { return in[0].expand(extents(args, "shape")); }},
    {"reshape", [](const Tensors& in, const Json& args) { return in[0].reshape(extents(args, "shape")); }},
    {"unsqueeze", [](const Tensors& in, const Json& args) { return in[0].unsqueeze(args["dim"]); }},
    {"squeeze", [](const Tensors& in, const Json& args) { return in[0].squeeze(args["dim"]); }},
    {"flatten", [](const Tensors& in, const Json& args) { return in[0].flatten(args["start"]); }},
    {"optimizer.SGD", sgd},
    {"optimizer.Adagrad", adagrad},
    {"sparse_optimizer.SGD", [](const Tensors& in, const Json& args) { return optimized_rows<optim::SGD>(in, args, optim::SGDOptions{.lr = args["lr"]}); }},
    {"sparse_optimizer.Adagrad", [](const Tensors& in, const Json& args) { return optimized_rows<optim::Adagrad>(in, args, adagrad_options(args)); }},
    {"sparse_optimizer.Adam", [](const Tensors& in, const Json& args) { return optimized_rows<optim::Adam>(in, args, adam_options<optim::AdamOptions>(args)); }},
    {"optimizer.Adam", [](const Tensors& in, const Json& args) { return optimized<optim::Adam>(in, adam_options<optim::AdamOptions>(args)); }},
    {"optimizer.AdamW", [](const Tensors& in, const Json& args) { return optimized<optim::AdamW>(in, adam_options<optim::AdamWOptions>(args)); }},
    {"schedule.StepLR", [](const Tensors&, const Json& args) {
       return scheduled<optim::StepLR>(args, args["step_size"].get<int64_t>(), args["gamma"].get<double>());
     }},
    {"schedule.CosineAnnealingLR", [](const Tensors&, const Json& args) {
       return scheduled<optim::CosineAnnealingLR>(args, args["T_max"].get<int64_t>(), args.value("eta_min", 0.0));
     }},
    {"schedule.OneCycleLR", [](const Tensors&, const Json& args) { return scheduled<optim::OneCycleLR>(args, one_cycle(args)); }},
    {"schedule.LinearLR", [](const Tensors&, const Json& args) {
       return scheduled<optim::LinearLR>(args, optim::LinearLROptions{.start_factor = args["start_factor"], .total_iters = args["total_iters"]});
     }},
    {"clip_grad_norm", clipped_by_norm},
    {"clip_grad_value", clipped_by_value},
};

// --- the file
// ---------------------------------------------------------------------------------------------------------

const std::vector<Json>& cases() {
  static const std::vector<Json> all = [] {
    std::ifstream file(PERCALE_SOURCE_DIR "/tests/goldens/operations.jsonl");
    std::vector<Json> list;
    std::string line;
    std::getline(file, line);  // what made the file
    while (std::getline(file, line)) list.push_back(Json::parse(line));
    return list;
  }();
  return all;
}

/// The operations of the file. What dtypes promote to stands there too, and has a test of its own.
std::vector<std::string> names() {
  std::set<std::string> found;
  for (const Json& entry : cases()) found.insert(entry["op"].get<std::string>());
  found.erase("promotion");
  return {found.begin(), found.end()};
}

/// A tensor of the file in f64, i64 or bool.
Tensor tensor_of(const Json& written) {
  const Shape shape(written["shape"].get<std::vector<int64_t>>());
  if (written.contains("stream"))
    return quantised(written["stream"].get<uint64_t>(), shape, written["scale"].get<double>(),
                     written["offset"].get<double>());
  Tensor result = Tensor::empty(shape, {f64, cpu_device});
  for (int64_t i = 0; i < result.numel(); ++i)
    result.data<double>()[i] = number(written["data"][static_cast<size_t>(i)]);
  const std::string dtype = written.value("dtype", "f64");
  return dtype == "i64" ? result.to(i64) : dtype == "bool" ? result.to(boolean) : result;
}

/// Each element within `tolerance` of the file's, relative to it where it is larger than 1. Empty, or what differs.
std::string difference(const Tensor& found, const Json& written, double tolerance) {
  const Tensor expected = tensor_of(written);
  if (found.shape() != expected.shape())
    return "shape " + text(found.shape()) + " instead of " + text(expected.shape());
  if (is_floating(found.dtype()) != is_floating(expected.dtype())) return "dtype " + text(found.dtype());
  const Tensor ours = found.detach().to(f64).contiguous(), theirs = expected.to(f64);
  for (int64_t i = 0; i < ours.numel(); ++i) {
    const double a = ours.data<double>()[i], b = theirs.data<double>()[i];
    if (a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= tolerance * std::max(1.0, std::abs(b)))
      continue;
    return "element " + std::to_string(i) + " is " + text(a) + " instead of " + text(b) + ", off by " +
           text(std::abs(a - b));
  }
  return {};
}

/// The gradient of `function` with stream 9 from upstream, weighted with stream 8: what a second derivative is taken
/// of.
Tensor penalty(Run function, const Tensors& inputs, const Json& args) {
  const Tensor output = function(inputs, args);
  Tensors wanted;
  for (const Tensor& input : inputs)
    if (input.requires_grad()) wanted.push_back(input);
  Tensor total;
  for (const Tensor& gradient : grad({output}, wanted, {quantised(9, output.shape()).to(output.dtype())}, true, true)) {
    const Tensor part = sum(gradient * quantised(8, gradient.shape()).to(gradient.dtype()));
    total = total.defined() ? total + part : part;
  }
  return total;
}

void check(const Json& entry, Run function, bool twice, DType dtype) {
  Tensors inputs;
  for (size_t i = 0; i < entry["inputs"].size(); ++i) {
    Tensor input = tensor_of(entry["inputs"][i]);
    if (is_floating(input.dtype())) input = input.to(dtype).detach();
    if (entry.contains("gradients") && !entry["gradients"][i].is_null()) input.requires_grad_();
    inputs.push_back(input);
  }
  const double tolerance = dtype == f64 ? 1e-12 : 1e-5;
  const Tensor output = twice ? penalty(function, inputs, entry["args"]) : function(inputs, entry["args"]);
  EXPECT_EQ(difference(output, entry["output"], tolerance), "");
  if (!entry.contains("gradients")) return;
  if (!twice) {
    EXPECT_EQ(output.grad_fn(), entry["grad_fn"].get<std::string>());
  }
  output.backward(quantised(9, output.shape()).to(output.dtype()));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    const Tensor gradient = inputs[i].grad().defined() ? inputs[i].grad() : zeros_like(inputs[i]);
    EXPECT_EQ(difference(gradient, entry["gradients"][i], tolerance), "") << "gradient of input " << i;
  }
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, AgreesWithPyTorch) {
  const std::string name = GetParam();
  const bool twice = name.starts_with("twice.");
  auto found = operations.find(name);
  if (twice && found == operations.end()) found = operations.find(name.substr(6));
  ASSERT_NE(found, operations.end()) << name << " is in the file and not in the table";
  for (size_t i = 0; i < cases().size(); ++i) {
    if (cases()[i]["op"] != name) continue;
    for (const DType dtype : {f64, f32}) {
      SCOPED_TRACE("line " + std::to_string(i + 2) + ", args " + cases()[i]["args"].dump() + ", in " + text(dtype));
      check(cases()[i], found->second, twice, dtype);
    }
  }
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Operations, Golden, ::testing::ValuesIn(names()), test_name);

TEST(Golden, TheFileHasEachOperationOfTheTable) {
  const auto in_file = names();
  for (const auto& [name, run] : operations) EXPECT_TRUE(std::ranges::count(in_file, name)) << name;
}

TEST(Golden, DtypesArePromotedAsPyTorchPromotes) {
  const Json* table = nullptr;
  for (const Json& entry : cases())
    if (entry["op"] == "promotion") table = &entry["args"];
  ASSERT_NE(table, nullptr);
  const auto name = [](const Tensor& tensor) { return text(tensor.dtype()); };
  const DType dtypes[] = {f32, f64, f16, bf16, i64, i32, u8, boolean};
  for (const DType a : dtypes) {
    const Tensor x = ones({2}, {a, cpu_device});
    SCOPED_TRACE(text(a));
    for (const DType b : dtypes) {
      const Tensor y = ones({2}, {b, cpu_device});
      SCOPED_TRACE("with " + text(b));
      EXPECT_EQ(name(x + y), (*table)["tensor"][text(a)][text(b)]);
      EXPECT_EQ(name(x + y[0]), (*table)["scalar_tensor"][text(a)][text(b)]);
      EXPECT_EQ(name(x / y), (*table)["div"][text(a)][text(b)]);
    }
    EXPECT_EQ(name(x + true), (*table)["number"][text(a)]["bool"]);
    EXPECT_EQ(name(x + 2), (*table)["number"][text(a)]["integer"]);
    EXPECT_EQ(name(x + 2.5), (*table)["number"][text(a)]["real"]);
    EXPECT_EQ(name(sum(x)), (*table)["sum"][text(a)]);
    EXPECT_EQ(name(exp(x)), (*table)["exp"][text(a)]);
    EXPECT_EQ(name(pow(x, 2)), (*table)["pow"][text(a)]["integer"]);
    EXPECT_EQ(name(pow(x, 0.5)), (*table)["pow"][text(a)]["real"]);
  }
}

}  // namespace
}  // namespace percale
