// A spec: one object an operation that every harness reads - twin equality, gradients, graphs, errors, timings.
// Compiled into the tests and percale_bench only.
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "../../core/tensor.h"

namespace percale {

/// How an input of a spec is made. `extents` are names of dimensions, which the spec's sizes give values to, in the
/// order in which the names first appear.
struct SpecInput {
  enum class Kind {
    real,      ///< standard normal; or multiples of 1/8 in [-2, 2] where bits must agree
    positive,  ///< in [0.5, 2.5]
    distinct,  ///< reals of which no two are closer than 0.01: for max and its like, whose gradients jump
    index,     ///< integers below the extent named `bound`
    boolean,   ///< true or false
    offsets,   ///< integers that ascend from 0 to the extent named `bound` at most, some of them equal
  };
  Kind kind = Kind::real;
  std::vector<std::string> extents = {};
  std::string bound = {};
  DType dtype = i64;     ///< of an index or of offsets
  bool gradient = true;  ///< whether gradients with respect to it are checked
};

inline SpecInput real(std::vector<std::string> extents) {
  return {.kind = SpecInput::Kind::real, .extents = std::move(extents)};
}
inline SpecInput positive(std::vector<std::string> extents) {
  return {.kind = SpecInput::Kind::positive, .extents = std::move(extents)};
}
inline SpecInput distinct(std::vector<std::string> extents) {
  return {.kind = SpecInput::Kind::distinct, .extents = std::move(extents)};
}
inline SpecInput boolean_input(std::vector<std::string> extents) {
  return {.kind = SpecInput::Kind::boolean, .extents = std::move(extents)};
}
/// Positions below the extent named `bound`.
inline SpecInput index_input(std::string bound, std::vector<std::string> extents, DType dtype = i64) {
  return {.kind = SpecInput::Kind::index, .extents = std::move(extents), .bound = std::move(bound), .dtype = dtype};
}
/// Where pieces of the extent named `bound` begin: the first at 0, some of them empty.
inline SpecInput offsets_input(std::string bound, std::vector<std::string> extents, DType dtype = i64) {
  return {.kind = SpecInput::Kind::offsets, .extents = std::move(extents), .bound = std::move(bound), .dtype = dtype};
}
/// The same input, without a gradient.
inline SpecInput constant(SpecInput input) {
  input.gradient = false;
  return input;
}

/// What `run` may return: one tensor or several.
class SpecRun {
 public:
  template <class Run>
  SpecRun(Run run) {
    if constexpr (std::is_same_v<std::invoke_result_t<Run, const Tensors&>, Tensor>)
      run_ = [run](const Tensors& inputs) -> Tensors { return {run(inputs)}; };
    else
      run_ = run;
  }
  Tensors operator()(const Tensors& inputs) const { return run_(inputs); }

 private:
  std::function<Tensors(const Tensors&)> run_;
};

/// An error that the operation promises: running `run` on a device must throw one whose text contains `says`.
struct SpecError {
  std::string says;
  std::function<void(Device)> run;
};

/// A row of the timing table: the spec's operation at one size.
struct SpecTiming {
  std::string name;  ///< `linear_relu.64x784x128`: as peers name the same work
  std::vector<int64_t> sizes;
  double operations = 0;  ///< floating-point operations a call, or 0
  double bytes = 0;       ///< bytes that must move a call, or 0: then inputs and outputs are counted
  bool backward = false;  ///< time forward and backward together
};

struct Spec {
  std::string name;
  SpecRun run;
  std::vector<SpecInput> inputs = {};
  std::vector<std::vector<int64_t>> sizes = {};
  std::vector<DType> dtypes = {f32, f64};  ///< of the real inputs
  double tolerance = 1e-5;                 ///< f32 against f64, relative to the largest output (f64 twins: 1e-12)
  double half_tolerance = 1e-2;            ///< the same for f16 and bf16, where listed
  bool exact = true;             ///< on exactly representable inputs, twins (and f32 against f64) agree bit for bit
  bool gradient = true;          ///< checked by finite differences in f64
  bool second_gradient = false;  ///< and the gradient's own gradient, by inputs and upstream
  bool graph = true;             ///< can be captured
  bool strided = true;           ///< takes transposed and offset inputs
  std::vector<SpecError> errors = {};
  std::vector<SpecTiming> timings = {};
};

using Specs = std::vector<Spec>;

}  // namespace percale
