// What the elementwise functions do with their operands before a twin is called: one dtype, one shape, an output.
#pragma once

#include <array>
#include <initializer_list>

#include "elementwise.h"
#include "elementwise_twins.h"

namespace percale::elementwise {

using Operands = std::initializer_list<Operand>;

/// PyTorch's rule: tensors with dimensions before those without, those before numbers; the later only where they are of
/// a higher kind (bool, integer, real).
DType common_dtype(const char* name, Operands operands);

/// The operands over their common shape.
struct Prepared {
  Shape shape;
  Device device;
  std::array<Source, max_operands> sources;
  size_t count = 0;

  std::span<const Source> span() const { return {sources.data(), count}; }
};
/// Errors: operands on several devices, shapes that do not broadcast, no tensor among them.
Prepared prepare(const char* name, Operands operands);

/// Whether several of the tensor's elements share memory.
bool repeats(const Tensor& tensor);

/// Uninitialised, in the stride order of the first operand that has the output's shape in memory of its own.
Tensor output_of(const Prepared& prepared, DType dtype);

void call(Function function, DType common, const Prepared& prepared, const Tensor& out, bool in_place = false);

/// The function's values, computed in `common` or in what the operands are promoted to.
Tensor apply(const char* name, Function function, DType common, Operands operands);
Tensor apply(const char* name, Function function, Operands operands);
/// For functions whose results are real: integers become f32.
Tensor apply_real(const char* name, Function function, Operands operands);

}  // namespace percale::elementwise
