// What a user's own operation can be held against as ours are: its twin, its gradient, its spec.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "../../kernels/common/spec.h"

namespace percale::testing {

using Function = std::function<Tensors(const Tensors&)>;

/// The largest |a - b| over all elements, divided by max(1, largest |b|); infinity where only one is NaN. Any devices.
double relative_difference(const Tensor& a, const Tensor& b);
/// True if shape, dtype and every byte in logical order agree (all NaNs are alike).
bool same_bytes(const Tensor& a, const Tensor& b);

/// Compares the gradients that `function` records with central differences in f64. Empty if they agree within
/// `tolerance`, else what differs. Inputs that do not require a gradient are left alone.
std::string check_grad(const Function& function, const Tensors& inputs, double tolerance = 1e-6);
/// Runs `function` on the CPU and on CUDA (where there is one): outputs and gradients must agree within `tolerance`
/// (0: bit for bit). Empty if they do, else what differs.
std::string check_twin(const Function& function, const Tensors& inputs, double tolerance);

/// The inputs of a spec at one size. `exact`: small multiples of 1/8, whose sums are exact in any order.
Tensors make_inputs(const Spec& spec, const std::vector<int64_t>& sizes, DType dtype, bool exact, uint64_t seed);

struct NamedSpec {
  std::string family;
  const Spec* spec;
};
/// Every spec of every family.
const std::vector<NamedSpec>& all_specs();

/// Each returns an empty text, or what is wrong.
std::string check_precision(const Spec& spec, Device device);  ///< f32 and 16-bit results against f64's
std::string check_exactness(const Spec& spec, Device device);  ///< bits on exactly representable inputs
std::string check_gradients(const Spec& spec, Device device);
std::string check_layouts(const Spec& spec, Device device);  ///< transposed and offset inputs
/// The same bytes each time, after each of `settings` (empty: twice at two threads and once at one).
std::string check_determinism(const Spec& spec, Device device, const std::vector<std::function<void()>>& settings = {});
std::string check_graph(const Spec& spec);  ///< eager against captured, bit for bit
std::string check_twins(const Spec& spec);  ///< CPU against CUDA
std::string check_errors(const Spec& spec, Device device);

}  // namespace percale::testing
