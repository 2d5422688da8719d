#include "dropout.h"

#include <algorithm>
#include <cmath>

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/random.h"
#include "../../core/trace.h"
#include "../fill/fill.h"
#include "dropout_twins.h"

namespace percale {
namespace {

/// Linear in x: so its gradient is itself, with the same key.
Tensor masked(const Tensor& x, const RandomKey& key, double p) {
  Tensor out = Tensor::empty_like(x);
  const auto threshold = static_cast<uint32_t>(std::min(std::floor(p * 0x1p32), 4294967295.0));
  if (p == 1)
    fill(out, 0);
  else if (x.numel())
    on<cpu::dropout, cuda::dropout>(x.device(), x, key, threshold, 1 / (1 - p), out);
  return record("MulBackward0", out, {x}, {},
                [key, p](const Tensors& gradients, const Saved&) -> Tensors { return {masked(gradients[0], key, p)}; });
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool training) {
  const Operation operation{"dropout"};
  require(p >= 0 && p <= 1, "dropout", "the probability must be between 0 and 1, got {}", p);
  require(is_floating(x.dtype()), "dropout", "needs a floating-point tensor, got {}", x.dtype());
  if (!training || p == 0) return x;
  return masked(x, next_random_key(x.device()), p);
}

}  // namespace percale
