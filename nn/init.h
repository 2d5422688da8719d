// First values of parameters, as PyTorch's torch.nn.init draws them. All write in place, unrecorded; the numbers depend
// on the seed and the shape, not on the device or the order of strides.
#pragma once

#include <cstdint>

#include "../core/tensor.h"

namespace percale::nn::init {

/// While it lives, this thread's modules begin with whatever their memory holds: nothing below writes. For those who
/// load weights next: BERT-base has 110 million numbers to draw.
class SkipGuard {
 public:
  SkipGuard();
  ~SkipGuard();
  SkipGuard(const SkipGuard&) = delete;

 private:
  bool previous_;
};
/// True while this thread has a SkipGuard.
bool skipped();

/// Uniform in [low, high).
void uniform_(const Tensor& tensor, double low = 0, double high = 1);
void normal_(const Tensor& tensor, double mean = 0, double std = 1);
void constant_(const Tensor& tensor, double value);
void zeros_(const Tensor& tensor);
void ones_(const Tensor& tensor);

enum class FanMode { fan_in, fan_out };
enum class Nonlinearity { linear, sigmoid, tanh, relu, leaky_relu, selu };

/// Inputs and outputs of each unit of a weight [out, in, ...]. At least two dimensions.
struct Fans {
  int64_t in, out;
};
Fans calculate_fans(const Tensor& weight);
/// The factor that keeps variances through a nonlinearity; `slope` is leaky_relu's.
double calculate_gain(Nonlinearity nonlinearity, double slope = 0.01);

/// Glorot and Bengio, AISTATS 2010: variance 2 gain^2 / (in + out).
void xavier_uniform_(const Tensor& tensor, double gain = 1);
void xavier_normal_(const Tensor& tensor, double gain = 1);

struct KaimingOptions {
  double a = 0;  ///< slope of the leaky_relu behind the layer
  FanMode mode = FanMode::fan_in;
  Nonlinearity nonlinearity = Nonlinearity::leaky_relu;
};
/// He and others, ICCV 2015: variance gain^2 / fan.
void kaiming_uniform_(const Tensor& tensor, const KaimingOptions& options = {});
void kaiming_normal_(const Tensor& tensor, const KaimingOptions& options = {});

/// What Linear and Conv2d start with: kaiming_uniform_ with a = sqrt(5), which is uniform in +-1 / sqrt(fan_in) ...
void default_weight_(const Tensor& weight);
/// ... and for the bias the same bounds.
void default_bias_(const Tensor& bias, const Tensor& weight);

}  // namespace percale::nn::init
