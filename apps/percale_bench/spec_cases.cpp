// Timing rows of the specs: inputs that rotate where memory is the limit, outputs that are new each call, and an answer
// that is held against f64 when the clock has stopped.
#include <cmath>

#include "../../tests/testing/check.h"
#include "case.h"

namespace percale::bench {
namespace {

constexpr uint64_t seed = 7;

double bytes_of(const Tensors& tensors) {
  double bytes = 0;
  for (const Tensor& tensor : tensors)
    if (tensor.defined()) bytes += static_cast<double>(tensor.numel()) * static_cast<double>(size_of(tensor.dtype()));
  return bytes;
}

Tensors moved(const Tensors& inputs, Device device) {
  Tensors result;
  for (const Tensor& input : inputs) {
    const Tensor copy = device.is_cpu() ? input.detach().clone() : input.detach().to(device);
    result.push_back(copy.requires_grad_(input.requires_grad()));
  }
  return result;
}

Tensors widened(const Tensors& inputs) {
  Tensors result;
  for (const Tensor& input : inputs) {
    const Tensor wide =
        is_floating(input.dtype()) ? input.detach().to(cpu_device).to(f64) : input.detach().to(cpu_device);
    result.push_back(input.requires_grad() ? wide.requires_grad_() : wide);
  }
  return result;
}

/// One timing row at work: copies of its inputs, and the outputs of as many calls.
class SpecCase {
 public:
  SpecCase(const Spec& spec, const SpecTiming& timing, Device device) : spec_(spec), timing_(timing) {
    const Tensors inputs = testing::make_inputs(spec, timing.sizes, spec.dtypes.front(), false, seed);
    Tensors here = moved(inputs, device);
    const Tensors outputs = forward(here);
    // As strided as the outputs, and not the same everywhere, which batch norm's gradients cancel.
    if (timing.backward)
      for (const Tensor& output : outputs)
        upstream_.push_back(ones_like(output.detach()) * randn(output.shape(), output.options()));
    bytes_ = timing.bytes > 0 ? timing.bytes : bytes_of(here) * (timing.backward ? 2 : 1) + bytes_of(outputs);
    // Below about four operations a byte memory is the limit: then inputs and outputs shall not lie in the cache.
    constexpr double cache = 64e6;
    const bool rotates = timing.operations < 4 * bytes_ && bytes_ > 1e6;
    const int copies = rotates ? std::min(8, 1 + static_cast<int>(cache / bytes_)) : 1;
    inputs_.push_back(std::move(here));
    for (int i = 1; i < copies; ++i) inputs_.push_back(moved(inputs, device));
    outputs_.resize(inputs_.size());
    for (size_t i = 0; i < 2 * inputs_.size(); ++i) call();  // until every output has had its memory
  }

  void call() {
    turn_ = (turn_ + 1) % inputs_.size();
    outputs_[turn_] = both_ways(inputs_[turn_], upstream_);
  }

  /// One more call's results against f64's.
  std::string check() {
    if (timing_.operations > 8e9) return "too large for f64";
    turn_ = (turn_ + 1) % inputs_.size();
    const Tensors exact_inputs = widened(inputs_[turn_]);  // before the call: it may write into its inputs
    Tensors upstream;
    for (const Tensor& gradient : upstream_) upstream.push_back(gradient.to(cpu_device).to(f64));
    manual_seed(seed);
    const Tensors found = both_ways(inputs_[turn_], upstream_);
    manual_seed(seed);
    const Tensors expected = both_ways(exact_inputs, upstream);
    double worst = 0;
    for (size_t i = 0; i < found.size(); ++i)
      if (found[i].defined())
        worst =
            std::max(worst, testing::relative_difference(found[i].detach(), expected[i].detach().to(found[i].dtype())));
    char text[48];
    std::snprintf(text, sizeof text, "%s%.1e", worst <= spec_.tolerance ? "" : "WRONG: ", worst);
    return text;
  }

  double bytes() const { return bytes_; }
  double operations() const { return timing_.operations; }

 private:
  Tensors forward(const Tensors& inputs) const {
    if (timing_.backward) return spec_.run(inputs);
    const NoGradGuard guard;
    return spec_.run(inputs);
  }

  Tensors both_ways(const Tensors& inputs, const Tensors& upstream) const {
    Tensors results = forward(inputs);
    if (!timing_.backward) return results;
    for (const Tensor& input : inputs)
      if (input.requires_grad()) input.set_grad({});
    backward(results, upstream);
    for (const Tensor& input : inputs)
      if (input.requires_grad()) results.push_back(input.grad());
    return results;
  }

  const Spec& spec_;
  const SpecTiming& timing_;
  std::vector<Tensors> inputs_, outputs_;
  Tensors upstream_;
  size_t turn_ = 0;
  double bytes_ = 0;
};

}  // namespace

std::vector<Case> spec_cases(Device device) {
  std::vector<Case> cases;
  for (const auto& [family, spec] : testing::all_specs())
    for (const SpecTiming& timing : spec->timings)
      cases.push_back({timing.name, [spec, &timing, device] {
                         const auto state = std::make_shared<SpecCase>(*spec, timing, device);
                         return Prepared{.call = [state] { state->call(); },
                                         .check = [state] { return state->check(); },
                                         .operations = state->operations(),
                                         .bytes = state->bytes()};
                       }});
  return cases;
}

}  // namespace percale::bench
