// How precisely matrix products, convolutions and attention compute; everything between them stays as it is.
#pragma once

#include <string>

#include "device.h"

namespace percale {

enum class Precision {
  fp32,  ///< f32 throughout: the default
  tf32,  ///< CUDA: operands rounded to 10 bits of mantissa, sums in f32. On the CPU the same as fp32
  bf16,  ///< operands and what lies between them bfloat16, sums in f32. On the CPU: with AVX512-BF16 or AMX
  int8,  ///< inference on a CPU with AVX512-VNNI: linear layers in 8-bit integers (kernels/linear_int8), the rest as
         ///< fp32
};

std::string text(Precision precision);
/// The precision in which this thread's operations compute now.
Precision current_precision();
/// Why `precision` cannot be had on `device`, with what mends it; empty if it can.
std::string reason_without(Precision precision, Device device);

/// While it lives, this thread's operations compute in `precision`, whether the hardware has it or not (then it is
/// emulated, slowly): for a backward pass, which computes as its forward pass did, and for tests.
class PrecisionScope {
 public:
  explicit PrecisionScope(Precision precision);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;

 private:
  Precision previous_;
};

/// While it lives, this thread's operations compute in `precision`; an error where the device has no hardware for it.
class PrecisionGuard {
 public:
  PrecisionGuard(Precision precision, Device device);

 private:
  PrecisionScope scope_;
};

}  // namespace percale
