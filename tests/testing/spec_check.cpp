// The harnesses that read a spec.
#include <cmath>

#include "../../core/autograd.h"
#include "../../core/cpu/threads.h"
#include "../../core/graph.h"
#include "../../core/primitives.h"
#include "../../core/random.h"
#include "check.h"

#define PERCALE_SPECS(family)        \
  namespace percale {                \
  extern const Specs family##_specs; \
  }
#include "specs_list.inc"
#undef PERCALE_SPECS

namespace percale::testing {
namespace {

constexpr uint64_t seed = 20;

Tensors moved(const Tensors& inputs, Device device) {
  Tensors result;
  for (const Tensor& input : inputs) {
    Tensor copy = input.detach().to(device);
    if (copy.storage() == input.storage()) copy = copy.clone();
    copy.requires_grad_(input.requires_grad());
    result.push_back(copy);
  }
  return result;
}

/// Outputs, and behind them the gradients of their sum (of those that have one).
Tensors run_both_ways(const Spec& spec, const Tensors& inputs) {
  for (const Tensor& input : inputs)
    if (input.requires_grad()) input.set_grad({});
  Tensors results = spec.run(inputs), reached, ones;
  for (const Tensor& output : results) {
    if (!output.requires_grad()) continue;
    reached.push_back(output);
    ones.push_back(Tensor::empty_like(output));
    fill(ones.back(), 1);
  }
  if (reached.empty()) return results;
  backward(reached, ones);
  for (const Tensor& input : inputs)
    if (input.requires_grad()) results.push_back(input.grad());
  return results;
}

std::string describe(const Spec& spec, const std::vector<int64_t>& sizes, DType dtype, const std::string& what) {
  std::string result = spec.name + " at {";
  for (size_t i = 0; i < sizes.size(); ++i) result += (i ? ", " : "") + std::to_string(sizes[i]);
  return result + "} in " + text(dtype) + ": " + what;
}

/// Compares result by result; `tolerance` 0 asks for the same bytes.
std::string compare(const Tensors& found, const Tensors& expected, double tolerance) {
  if (found.size() != expected.size()) return "another number of results";
  for (size_t i = 0; i < found.size(); ++i) {
    if (!found[i].defined() && !expected[i].defined()) continue;
    if (found[i].defined() != expected[i].defined()) return "result " + std::to_string(i) + " is missing";
    const bool whole = !is_floating(found[i].dtype());
    if (tolerance == 0 || whole ? same_bytes(found[i], expected[i])
                                : relative_difference(found[i], expected[i]) <= tolerance)
      continue;
    return "result " + std::to_string(i) + " of shape " + text(found[i].shape()) + " differs by " +
           text(relative_difference(found[i], expected[i]));
  }
  return {};
}

/// Every case counts where the processor runs it; the emulator under a sanitizer is some thousand times slower, so
/// there the large sizes and f64, whose kernels are f32's templates, are left out.
bool worth_running(const Spec& spec, const std::vector<int64_t>& sizes, DType dtype) {
  if (!PERCALE_EMULATOR) return true;
  if (dtype == f64 && spec.dtypes.size() > 1) return false;
  int64_t elements = 0;
  for (const Tensor& input : make_inputs(spec, sizes, dtype, false, seed)) elements += input.numel();
  return elements <= 20'000 || &sizes == &spec.sizes.front();
}

template <class Check>
std::string for_each_case(const Spec& spec, Check check) {
  for (const auto& sizes : spec.sizes)
    for (const DType dtype : spec.dtypes)
      if (!worth_running(spec, sizes, dtype))
        continue;
      else if (std::string wrong = check(sizes, dtype); !wrong.empty())
        return describe(spec, sizes, dtype, wrong);
  return {};
}

double tolerance_for(const Spec& spec, DType dtype) {
  if (dtype == f64) return 1e-12;
  return dtype == f32 ? spec.tolerance : spec.half_tolerance;
}

Tensors widened(const Tensors& inputs) {
  Tensors result;
  for (const Tensor& input : inputs) {
    Tensor wide = is_floating(input.dtype()) ? input.detach().to(f64) : input;
    if (input.requires_grad()) wide.requires_grad_();
    result.push_back(wide);
  }
  return result;
}

Tensors narrowed(const Tensors& results, const Tensors& like) {
  Tensors out;
  for (size_t i = 0; i < results.size(); ++i) {
    const bool convert = i < like.size() && results[i].defined() && like[i].defined();
    out.push_back(convert ? results[i].detach().to(like[i].dtype()) : results[i]);
  }
  return out;
}

std::string against_double(const Spec& spec, Device device, bool exact) {
  return for_each_case(spec, [&](const auto& sizes, DType dtype) -> std::string {
    if (dtype == f64) return {};
    const Tensors inputs = make_inputs(spec, sizes, dtype, exact, seed);
    manual_seed(seed);
    const Tensors found = run_both_ways(spec, moved(inputs, device));
    manual_seed(seed);
    const Tensors expected = narrowed(run_both_ways(spec, widened(inputs)), found);
    return compare(found, expected, exact ? 0 : tolerance_for(spec, dtype));
  });
}

/// The same elements with the innermost two dimensions swapped in memory, starting one element into its storage.
Tensor displaced(const Tensor& tensor) {
  if (tensor.rank() == 0 || tensor.numel() == 0) return tensor;
  Shape padded = tensor.shape();
  const int last = tensor.rank() - 1;
  if (tensor.rank() >= 2) std::swap(padded[last], padded[last - 1]);
  padded[tensor.rank() - 1] += 1;
  Tensor storage = Tensor::empty(padded, tensor.options());
  fill(storage, 0);
  Tensor inside = storage.slice(-1, 1);
  if (tensor.rank() >= 2) inside = inside.transpose(-1, -2);
  copy(tensor.detach(), inside);
  inside = inside.detach();
  inside.requires_grad_(tensor.requires_grad());
  return inside;
}

/// The gradient as a function of the inputs and of what comes from upstream, and its own gradient.
std::string check_second_gradient(const Function& run, Tensors inputs) {
  std::vector<bool> wanted;
  for (const Tensor& input : inputs) wanted.push_back(input.requires_grad());
  for (const Tensor& output : run(inputs)) {
    Tensor upstream = Tensor::empty_like(output);
    for (int64_t i = 0; i < upstream.numel(); ++i)
      fill(upstream.reshape({-1}).slice(0, i, i + 1), std::sin(1.0 + static_cast<double>(i)));
    inputs.push_back(upstream.requires_grad_());
  }
  auto gradient = [&](const Tensors& in) {
    const EnableGradGuard recorded;  // finite differences call without recording
    Tensors own, targets, upstream;
    for (size_t i = 0; i < in.size(); ++i) {
      const bool differentiable = i >= wanted.size() || wanted[i];
      own.push_back(differentiable && !in[i].requires_grad() ? in[i].detach().requires_grad_() : in[i]);
      if (i >= wanted.size())
        upstream.push_back(own[i]);
      else if (wanted[i])
        targets.push_back(own[i]);
    }
    const Tensors outputs = run(Tensors(own.begin(), own.begin() + static_cast<int64_t>(wanted.size())));
    return grad(outputs, targets, upstream, true, true);
  };
  const std::string wrong = check_grad(gradient, inputs, 1e-5);
  return wrong.empty() ? wrong : "second derivative: " + wrong;
}

}  // namespace

const std::vector<NamedSpec>& all_specs() {
  static const std::vector<NamedSpec> specs = [] {
    std::vector<NamedSpec> list;
#define PERCALE_SPECS(family) \
  for (const Spec& spec : family##_specs) list.push_back({#family, &spec});
#include "specs_list.inc"
#undef PERCALE_SPECS
    return list;
  }();
  return specs;
}

std::string check_precision(const Spec& spec, Device device) { return against_double(spec, device, false); }

std::string check_exactness(const Spec& spec, Device device) {
  return spec.exact ? against_double(spec, device, true) : std::string();
}

std::string check_gradients(const Spec& spec, Device device) {
  if (!spec.gradient) return {};
  bool checked = false;
  for (const auto& sizes : spec.sizes) {
    const Tensors inputs = make_inputs(spec, sizes, f64, false, seed);
    int64_t elements = 0;
    for (const Tensor& input : inputs) elements += input.requires_grad() ? input.numel() : 0;
    if (elements > 400) continue;  // two runs an element: the small sizes suffice
    checked = checked || elements > 0;
    auto run = [&](const Tensors& in) {
      manual_seed(seed);
      return spec.run(in);
    };
    std::string wrong = check_grad(run, moved(inputs, device));
    if (wrong.empty() && spec.second_gradient) wrong = check_second_gradient(run, moved(inputs, device));
    if (!wrong.empty()) return describe(spec, sizes, f64, wrong);
  }
  return checked ? std::string() : spec.name + ": no size is small enough to check the gradient";
}

std::string check_layouts(const Spec& spec, Device device) {
  if (!spec.strided) return {};
  return for_each_case(spec, [&](const auto& sizes, DType dtype) -> std::string {
    const Tensors inputs = moved(make_inputs(spec, sizes, dtype, spec.exact, seed), device);
    Tensors others;
    for (const Tensor& input : inputs) others.push_back(displaced(input));
    manual_seed(seed);
    const Tensors expected = run_both_ways(spec, inputs);
    manual_seed(seed);
    const std::string wrong =
        compare(run_both_ways(spec, others), expected, spec.exact ? 0 : tolerance_for(spec, dtype));
    return wrong.empty() ? wrong : "with strided inputs, " + wrong;
  });
}

std::string check_determinism(const Spec& spec, Device device, const std::vector<std::function<void()>>& settings) {
  if (settings.empty()) {
    const int threads = cpu::num_threads();
    const auto two = [] { cpu::set_num_threads(2); };
    const auto one = [] { cpu::set_num_threads(1); };
    const std::string wrong = check_determinism(spec, device, {two, two, one});
    cpu::set_num_threads(threads);
    return wrong;
  }
  return for_each_case(spec, [&](const auto& sizes, DType dtype) -> std::string {
    Tensors first;
    for (size_t i = 0; i < settings.size(); ++i) {
      settings[i]();
      manual_seed(seed);
      const Tensors results = run_both_ways(spec, moved(make_inputs(spec, sizes, dtype, false, seed), device));
      if (i == 0)
        first = results;
      else if (std::string wrong = compare(results, first, 0); !wrong.empty())
        return "run " + std::to_string(i + 1) + " against the first: " + wrong;
    }
    return {};
  });
}

std::string check_graph(const Spec& spec) {
  if (!spec.graph || !cuda_available()) return {};
  return for_each_case(spec, [&](const auto& sizes, DType dtype) -> std::string {
    Tensors results[2];
    for (const bool enabled : {false, true}) {
      manual_seed(seed);
      const Tensors inputs = moved(make_inputs(spec, sizes, dtype, false, seed), cuda_device);
      auto step = Graph::capture([&] { return run_both_ways(spec, inputs); }, cuda_device, enabled);
      for (int call = 0; call < 3; ++call) step();
      for (const Tensor& result : step())
        results[enabled].push_back(result.defined() ? result.detach().clone() : Tensor());
    }
    const std::string wrong = compare(results[1], results[0], 0);
    return wrong.empty() ? wrong : "captured against eager, " + wrong;
  });
}

std::string check_twins(const Spec& spec) {
  if (!cuda_available()) return {};
  return for_each_case(spec, [&](const auto& sizes, DType dtype) -> std::string {
    auto run = [&](const Tensors& in) {
      manual_seed(seed);
      return spec.run(in);
    };
    if (spec.exact) {
      const std::string wrong = check_twin(run, make_inputs(spec, sizes, dtype, true, seed), 0);
      if (!wrong.empty()) return "on exact inputs, " + wrong;
    }
    return check_twin(run, make_inputs(spec, sizes, dtype, false, seed), tolerance_for(spec, dtype));
  });
}

std::string check_errors(const Spec& spec, Device device) {
  for (const SpecError& error : spec.errors) {
    try {
      error.run(device);
    } catch (const Error& thrown) {
      if (std::string(thrown.what()).find(error.says) != std::string::npos) continue;
      return spec.name + ": expected an error that says \"" + error.says + "\", got \"" + thrown.what() + "\"";
    }
    return spec.name + ": expected an error that says \"" + error.says + "\", got none";
  }
  return {};
}

}  // namespace percale::testing
