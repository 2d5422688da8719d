// On CUDA bf16 is what saves time: tensor cores multiply it, and activations need no rounding of their own.
#include "../../core/error.h"
#include "linear_int8_twins.h"

namespace percale::cuda {

void linear_int8(const Tensor&, const QuantisedWeight&, const Tensor&, Activation, const Tensor&) {
  require(false, "linear_int8", "runs on the CPU only; on CUDA use bf16");
}

}  // namespace percale::cuda
