#include "operands.h"

#include <optional>

#include "../../core/dispatch.h"

namespace percale::elementwise {

DType common_dtype(const char* name, Operands operands) {
  std::optional<DType> found[3];
  for (const Operand& operand : operands) {
    const int category = !operand.is_tensor() ? 2 : operand.tensor().rank() == 0 ? 1 : 0;
    const DType dtype = operand.is_tensor() ? operand.tensor().dtype() : operand.number().kind;
    found[category] = found[category] ? promote(*found[category], dtype) : dtype;
  }
  std::optional<DType> result = found[2];
  for (const auto& higher : {found[1], found[0]}) {
    if (!higher) continue;
    const bool widens = result && !is_floating(*higher) && (*higher == boolean || is_floating(*result));
    result = widens ? promote(*higher, *result) : *higher;
  }
  require(found[0] || found[1], name, "at least one operand must be a tensor");
  return *result;
}

Prepared prepare(const char* name, Operands operands) {
  Prepared result;
  const Tensor* first = nullptr;
  for (const Operand& operand : operands) {
    if (!operand.is_tensor()) continue;
    const Tensor& tensor = operand.tensor();
    require(tensor.defined(), name, "an operand is an undefined tensor");
    if (first) require_same_device(name, {first, &tensor});
    result.shape = first ? broadcast(name, result.shape, tensor.shape()) : tensor.shape();
    if (!first) first = &tensor;
  }
  require(first != nullptr, name, "at least one operand must be a tensor");
  result.device = first->device();
  for (const Operand& operand : operands) {
    Source& source = result.sources[result.count++];
    if (!operand.is_tensor()) {
      source.real = operand.number().real;
      source.integer = operand.number().integer;
      continue;
    }
    const Tensor& tensor = operand.tensor();
    source.tensor = &tensor;
    source.strides = Shape::filled(result.shape.rank(), 0);
    for (int dim = tensor.rank() - 1, to = result.shape.rank() - 1; dim >= 0; --dim, --to)
      source.strides[to] = tensor.shape()[dim] == 1 ? 0 : tensor.strides()[dim];
  }
  return result;
}

bool repeats(const Tensor& tensor) {
  for (int dim = 0; dim < tensor.rank(); ++dim)
    if (tensor.strides()[dim] == 0 && tensor.shape()[dim] > 1) return true;
  return false;
}

Tensor output_of(const Prepared& prepared, DType dtype) {
  for (const Source& source : prepared.span())
    if (source.tensor && source.tensor->shape() == prepared.shape && !repeats(*source.tensor))
      return Tensor::empty_like(*source.tensor, dtype);
  return Tensor::empty(prepared.shape, {dtype, prepared.device});
}

void call(Function function, DType common, const Prepared& prepared, const Tensor& out, bool in_place) {
  if (out.numel())
    on<cpu::elementwise, cuda::elementwise>(prepared.device, function, common, prepared.span(), out, in_place);
}

Tensor apply(const char* name, Function function, DType common, Operands operands) {
  const Prepared prepared = prepare(name, operands);
  Tensor out = output_of(prepared, common);
  call(function, common, prepared, out);
  return out;
}

Tensor apply(const char* name, Function function, Operands operands) {
  return apply(name, function, common_dtype(name, operands), operands);
}

Tensor apply_real(const char* name, Function function, Operands operands) {
  const DType common = common_dtype(name, operands);
  return apply(name, function, is_floating(common) ? common : f32, operands);
}

}  // namespace percale::elementwise
