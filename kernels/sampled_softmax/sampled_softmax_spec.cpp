#include <cmath>

#include "../../core/autograd.h"
#include "../../core/random.h"
#include "../common/spec.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "../index_select/index_select.h"
#include "../random/random.h"
#include "../word2vec/word2vec_twins.h"
#include "sampled_softmax.h"

namespace percale {
namespace {

/// What sampled_softmax means, written down in doubles: of one row, by definition.
double loss_by_definition(const Tensor& hidden, const Tensor& weight, const Tensor& bias, int64_t target,
                          const std::vector<int32_t>& noise, const float* log_share) {
  const int64_t width = hidden.size(0);
  const auto score = [&](int64_t row) {
    double sum = bias.data<double>()[row];
    for (int64_t i = 0; i < width; ++i) sum += hidden.data<double>()[i] * weight.data<double>()[row * width + i];
    return sum;
  };
  double all = std::exp(score(target));
  for (const int32_t row : noise)
    if (row != target)
      all += std::exp(score(row) - static_cast<double>(log_share[row])) / static_cast<double>(noise.size());
  return std::log(all) - score(target);
}

Tensor mean_by_definition(const Tensors& in, const ClassSampler& sampler, int64_t samples, const RandomKey& key) {
  std::vector<int32_t> noise;
  for (int64_t n = 0; n < samples; ++n) {
    const Philox4 bits = philox(key.seed, static_cast<uint64_t>(n / 2), key.call, key.step_now());
    noise.push_back(noise_word(bits.words[n % 2 * 2], bits.words[n % 2 * 2 + 1], sampler.accept.data<float>(),
                               sampler.alias.data<int32_t>(), in[1].size(0)));
  }
  double sum = 0;
  for (int64_t row = 0; row < in[0].size(0); ++row)
    sum += loss_by_definition(in[0][row].detach(), in[1].detach(), in[2].detach(), in[3].data<int64_t>()[row], noise,
                              sampler.log_share.data<float>());
  return full({}, sum / static_cast<double>(in[0].size(0)), {f64, cpu_device});
}

ClassSampler sampler_of(const Tensors& in) {
  return {(in[4] * 0.4).to(f32).contiguous(), in[5].contiguous(), (in[6] * -2.0).to(f32).contiguous()};
}

/// On hidden, weight, bias, target, and a sampler made of three inputs.
SpecRun loss_with(int64_t samples) {
  return [=](const Tensors& in) {
    return sampled_softmax(in[0], in[1], in[2], in[3], sampler_of(in), {.samples = samples});
  };
}

/// The loss and its definition, of which only f64 on the CPU has the second: elsewhere the first twice.
SpecRun beside_definition(int64_t samples) {
  return [=](const Tensors& in) -> Tensors {
    const NoGradGuard no_grad;
    if (in[0].dtype() != f64 || !in[0].device().is_cpu()) {
      const Tensor loss = loss_with(samples)(in)[0];
      return {loss, loss.clone()};
    }
    const RandomState state = random_state(cpu_device);
    const Tensor loss = loss_with(samples)(in)[0];
    set_random_state(cpu_device, state);
    Tensors dense;
    for (const Tensor& tensor : in) dense.push_back(tensor.contiguous());
    return {loss, mean_by_definition(dense, sampler_of(in), samples, next_random_key(cpu_device))};
  };
}

std::vector<SpecInput> inputs() {
  return {real({"rows", "width"}),          real({"classes", "width"}),      real({"classes", "one"}),
          index_input("classes", {"rows"}), constant(positive({"classes"})), index_input("classes", {"classes"}, i32),
          constant(positive({"classes"}))};
}

struct Given {
  Tensor hidden, weight, bias, target;
  ClassSampler sampler;
  SampledSoftmaxOptions options = {.samples = 4};

  explicit Given(Device d)
      : hidden(full({2, 3}, 0.5, {f32, d})),
        weight(full({5, 3}, 0.25, {f32, d})),
        bias(zeros({5, 1}, {f32, d})),
        target(tensor({1, 4}, d)),
        sampler(class_sampler(tensor({5, 4, 3, 2, 0})).to(d)) {}
};

template <class Change>
std::function<void(Device)> with(Change change) {
  return [change](Device d) {
    Given g(d);
    change(g, d);
    sampled_softmax(g.hidden, g.weight, g.bias, g.target, g.sampler, g.options).template item<float>();
  };
}

std::vector<SpecError> errors() {
  return {
      {"[sampled_softmax] class 5 at position 1 is out of range for 5 classes", with([](Given& g, Device d) {
         g.target = tensor({1, 5}, d);
       })},
      {"[sampled_softmax] class -1 at position 0 is out of range for 5 classes", with([](Given& g, Device d) {
         g.target = tensor({-1, 7}, d);
       })},
      {"hidden must be [rows, width] of f32 or f64, got [6] of f32",
       with([](Given& g, Device) { g.hidden = g.hidden.reshape({6}); })},
      {"hidden [2, 3] of f32 does not fit weight [5, 4] of f32", with([](Given& g, Device d) {
         g.weight = zeros({5, 4}, {f32, d});
       })},
      {"bias must be [5, 1] as weight, got [5] of f32", with([](Given& g, Device) { g.bias = g.bias.reshape({5}); })},
      {"target must be [2] of i64 or i32, got [2] of f32", with([](Given& g, Device) { g.target = g.target.to(f32); })},
      {"the sampler must be for 5 classes, got [2]", with([](Given& g, Device d) {
         g.sampler = class_sampler(tensor({1, 1})).to(d);
       })},
      {"samples must be 1 to 2^24, got 0", with([](Given& g, Device) { g.options.samples = 0; })},
      {"class 1 has the count -2",
       [](Device) {
         class_sampler(tensor({3, -2}));
       }},
      {"counts must be [classes] of i64 on the CPU",
       [](Device) {
         class_sampler(tensor({3.0f, 2.0f}));
       }},
  };
}

}  // namespace

extern const Specs sampled_softmax_specs;
const Specs sampled_softmax_specs = {
    {.name = "sampled_softmax",
     .run = loss_with(7),
     .inputs = inputs(),
     .sizes = {{3, 5, 4, 1}, {1, 1, 1, 1}, {2, 3, 2, 1}, {65, 33, 9, 1}},
     .exact = false,
     .second_gradient = true,
     .errors = errors()},
    {.name = "sampled_softmax, many samples",
     .run = loss_with(600),
     .inputs = inputs(),
     .sizes = {{3, 5, 40, 1}, {70, 16, 300, 1}},
     .exact = false},
    {.name = "sampled_softmax, by definition",
     .run = beside_definition(21),
     .inputs = inputs(),
     .sizes = {{3, 5, 4, 1}, {1, 1, 1, 1}, {40, 17, 100, 1}},
     .exact = false,
     .gradient = false},
    {.name = "sampled_softmax, 1024 samples",
     .run = loss_with(1024),
     .inputs = inputs(),
     .sizes = {{5, 8, 50, 1}, {0, 3, 4, 1}},
     .exact = false,
     .gradient = false},
    {.name = "sampled_softmax, 1024 samples and their gradients",
     .run = loss_with(1024),
     .inputs = inputs(),
     .sizes = {{3, 5, 4, 1}},
     .exact = false,
     .timings = {{.name = "sampled_softmax.1024x128x33278",
                  .sizes = {1024, 128, 33'278, 1},
                  .operations = 2.0 * 1024 * 1024 * 128},
                 {.name = "sampled_softmax.1024x128x33278.backward",
                  .sizes = {1024, 128, 33'278, 1},
                  .operations = 6.0 * 1024 * 1024 * 128,
                  .backward = true}}},
};

}  // namespace percale
