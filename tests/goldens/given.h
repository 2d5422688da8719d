// The batches of digits-like images that the models' goldens are trained on, as their scripts make them, and how far a
// tensor is from a golden one.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "../../nn/module.h"
#include "counter.h"

namespace percale::goldens {

inline constexpr int64_t batch_size = 64;

struct Batch {
  Tensor images, labels;
};

/// Each class lights up cells of 4 x 4 pixels; two pixels of sixteen are flipped. Images [64, 1, 28, 28] in [-1, 1].
inline Batch given_batch(uint64_t step) {
  Batch batch{Tensor::empty({batch_size, 1, 28, 28}), Tensor::empty({batch_size}, {i64, cpu_device})};
  float* pixel = batch.images.data<float>();
  for (uint64_t i = 0; i < batch_size; ++i) {
    const uint64_t label = (bits(1000 + step, i) >> 33) % 10;
    batch.labels.data<int64_t>()[i] = static_cast<int64_t>(label);
    for (uint64_t p = 0; p < 784; ++p, ++pixel) {
      const uint64_t noise = bits(2000 + step, i * 784 + p) >> 40;
      const uint64_t cell = p / 28 / 4 * 7 + p % 28 / 4;
      const bool lit = bits(3000, label * 49 + cell) % 3 == 0, spot = noise % 16 < 2;
      const uint64_t byte = lit != spot ? 100 + noise / 16 % 156 : 0;
      *pixel = (static_cast<float>(byte) / 255.0f - 0.5f) / 0.5f;
    }
  }
  return batch;
}

/// What a model starts from: uniform in +-1 / sqrt(fan in), rounded to f32. A layer's weight and bias stand side by
/// side in its state; tensor i is drawn from `stream` + i.
inline nn::StateDict given_weights(const nn::Module& model, uint64_t stream, std::span<const double> fan_in) {
  nn::StateDict state = model.state_dict();
  for (size_t i = 0; i < state.size(); ++i) {
    const auto values = state[i].second.span<float>();
    for (size_t k = 0; k < values.size(); ++k)
      values[k] = static_cast<float>(uniform(stream + i, k) / std::sqrt(fan_in[i / 2]));
  }
  return state;
}

/// The norm of the difference to the golden tensor, estimated from its projections, over the golden's norm.
inline double difference(const Tensor& tensor, const nlohmann::json& golden) {
  const Tensor values = tensor.detach().to(cpu_device).to(f64).contiguous();
  const auto found = projections(std::span<const double>(values.span<double>()));
  double squares = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double gap = found[i] - golden["projections"][i].get<double>();
    squares += gap * gap / static_cast<double>(found.size());
  }
  return std::sqrt(squares) / golden["norm"].get<double>();
}

}  // namespace percale::goldens
