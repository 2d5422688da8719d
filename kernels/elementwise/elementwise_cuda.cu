// CUDA's elementwise functions: 16 bytes a thread where every operand is dense and of the output's dtype, else one by
// one.
#include "../common/convert.h"
#include "../common/device.h"
#include "elementwise_scalar.h"
#include "elementwise_twins.h"

namespace percale::cuda {
namespace {

using elementwise::Apply;
using elementwise::Function;
using elementwise::max_operands;
using elementwise::operands_of;
using elementwise::Source;

constexpr int threads = 256;

// --- dense: a kernel a function, for f32, f16 and bf16
// ----------------------------------------------------------------

/// An operand is elements, or where `in` is null a number.
template <class T>
struct DenseArguments {
  T* out;
  const T* in[max_operands];
  compute_t<T> number[max_operands];
  index_t count;
  const ErrorRecord* error;  ///< null unless the output is lasting state
};

template <Function function, class T, int width>
__device__ void dense_step(const DenseArguments<T>& arguments, index_t first) {
  using C = compute_t<T>;
  constexpr int operands = operands_of(function);
  Vector<T, width> in[operands], out;
  for (int k = 0; k < operands; ++k)
    if (arguments.in[k]) in[k] = load_vector<width>(arguments.in[k] + first);
  for (int i = 0; i < width; ++i) {
    C values[max_operands] = {};
    for (int k = 0; k < operands; ++k) values[k] = arguments.in[k] ? static_cast<C>(in[k][i]) : arguments.number[k];
    out[i] = static_cast<T>(Apply<function>::to(values[0], values[1], values[2], values[3]));
  }
  store_vector(arguments.out + first, out);
}

template <Function function, class T>
__global__ void dense_kernel(DenseArguments<T> arguments) {
  if (arguments.error && has_error(arguments.error)) return;
  const index_t vectors = arguments.count / wide<T>, rest = arguments.count % wide<T>;
  for (index_t i : grid_stride(vectors)) dense_step<function, T, wide<T>>(arguments, i * wide<T>);
  for (index_t i : grid_stride(rest)) dense_step<function, T, 1>(arguments, vectors * wide<T> + i);
}

template <Function function, class T>
void launch_dense(const DenseArguments<T>& arguments) {
  const unsigned blocks = blocks_for(arguments.count, threads, wide<T>);
  launch(dense_kernel<function, T>, blocks, threads, 0, current_stream(), arguments);
}

template <class T>
void launch_dense(Function function, const DenseArguments<T>& arguments) {
  switch (function) {
#define NUMERIC(name, operands, scalar, vector) \
  case Function::name:                          \
    return launch_dense<Function::name>(arguments);
#define REAL NUMERIC
#include "elementwise_table.inc"
#undef NUMERIC
#undef REAL
  }
}

/// Launches the dense kernel if the operands allow it.
template <class T>
bool try_dense(Function function, std::span<const Source> sources, const Tensor& out, const ErrorRecord* error) {
  DenseArguments<T> arguments{.out = out.data<T>(), .in = {}, .number = {}, .count = out.numel(), .error = error};
  if (!out.is_dense() || !is_aligned<wide<T>>(arguments.out)) return false;
  for (size_t k = 0; k < sources.size(); ++k) {
    arguments.number[k] = static_cast<compute_t<T>>(sources[k].real);
    const Tensor* tensor = sources[k].tensor;
    if (!tensor) continue;
    if (tensor->dtype() != out.dtype() || tensor->shape() != out.shape()) return false;
    arguments.in[k] = tensor->data<T>();
    if (!is_aligned<wide<T>>(arguments.in[k])) return false;
    for (int dim = 0; dim < out.rank(); ++dim)
      if (out.shape()[dim] != 1 && tensor->strides()[dim] != out.strides()[dim]) return false;
  }
  launch_dense(function, arguments);
  return true;
}

// --- any strides, any dtypes: a kernel a type of computation
// ----------------------------------------------------------

struct AnyOperand {
  void* data;  ///< null for a number
  DType dtype;
  double real;
  int64_t integer;
};

struct AnyArguments {
  AnyOperand out, in[max_operands];
  int operands;
  StridedLayout<max_operands + 1> layout;
  const ErrorRecord* error;
};

template <class C>
__device__ C load_any(const AnyOperand& operand, int64_t offset) {
  switch (operand.dtype) {
    case f32:
      return percale::convert_to<C>(static_cast<const float*>(operand.data)[offset]);
    case f64:
      return percale::convert_to<C>(static_cast<const double*>(operand.data)[offset]);
    case f16:
      return percale::convert_to<C>(static_cast<const half*>(operand.data)[offset]);
    case bf16:
      return percale::convert_to<C>(static_cast<const bfloat16*>(operand.data)[offset]);
    case i64:
      return percale::convert_to<C>(static_cast<const int64_t*>(operand.data)[offset]);
    case i32:
      return percale::convert_to<C>(static_cast<const int32_t*>(operand.data)[offset]);
    case u8:
      return percale::convert_to<C>(static_cast<const uint8_t*>(operand.data)[offset]);
    case boolean:
      break;
  }
  return percale::convert_to<C>(static_cast<const bool*>(operand.data)[offset]);
}

template <class C>
__device__ void store_any(const AnyOperand& operand, int64_t offset, C value) {
  switch (operand.dtype) {
    case f32:
      static_cast<float*>(operand.data)[offset] = percale::convert_to<float>(value);
      return;
    case f64:
      static_cast<double*>(operand.data)[offset] = percale::convert_to<double>(value);
      return;
    case f16:
      static_cast<half*>(operand.data)[offset] = percale::convert_to<half>(value);
      return;
    case bf16:
      static_cast<bfloat16*>(operand.data)[offset] = percale::convert_to<bfloat16>(value);
      return;
    case i64:
      static_cast<int64_t*>(operand.data)[offset] = percale::convert_to<int64_t>(value);
      return;
    case i32:
      static_cast<int32_t*>(operand.data)[offset] = percale::convert_to<int32_t>(value);
      return;
    case u8:
      static_cast<uint8_t*>(operand.data)[offset] = percale::convert_to<uint8_t>(value);
      return;
    case boolean:
      static_cast<bool*>(operand.data)[offset] = percale::convert_to<bool>(value);
      return;
  }
}

template <class C>
__device__ C apply_any(Function function, const C (&values)[max_operands]) {
  switch (function) {
#define NUMERIC(name, operands, scalar, vector) \
  case Function::name:                          \
    return Apply<Function::name>::to(values[0], values[1], values[2], values[3]);
#define REAL(name, operands, scalar, vector) \
  case Function::name:                       \
    if constexpr (std::is_integral_v<C>)     \
      return C(0);                           \
    else                                     \
      return Apply<Function::name>::to(values[0], values[1], values[2], values[3]);
#include "elementwise_table.inc"
#undef NUMERIC
#undef REAL
  }
  return C(0);
}

template <class C>
__global__ void any_kernel(Function function, AnyArguments arguments) {
  if (arguments.error && has_error(arguments.error)) return;
  for (index_t i : grid_stride(arguments.layout.count)) {
    const auto at = arguments.layout.offsets(i);
    C values[max_operands] = {};
    for (int k = 0; k < arguments.operands; ++k) {
      const AnyOperand& operand = arguments.in[k];
      if (operand.data)
        values[k] = load_any<C>(operand, at[k + 1]);
      else
        values[k] = std::is_integral_v<C> ? static_cast<C>(operand.integer) : static_cast<C>(operand.real);
    }
    store_any(arguments.out, at[0], apply_any(function, values));
  }
}

AnyArguments any_arguments(std::span<const Source> sources, const Tensor& out, const ErrorRecord* error) {
  AnyArguments arguments{};
  Strides strides[max_operands];
  arguments.out = {out.data(), out.dtype(), 0, 0};
  arguments.operands = static_cast<int>(sources.size());
  arguments.error = error;
  for (size_t k = 0; k < max_operands; ++k) {
    const bool is_tensor = k < sources.size() && sources[k].tensor;
    strides[k] = is_tensor ? sources[k].strides : Shape::filled(out.rank(), 0);
    if (k < sources.size()) arguments.in[k] = {nullptr, f32, sources[k].real, sources[k].integer};
    if (is_tensor) arguments.in[k].data = sources[k].tensor->data(), arguments.in[k].dtype = sources[k].tensor->dtype();
  }
  static_assert(max_operands == 4);
  arguments.layout = strided_layout(out.shape(), out.strides(), strides[0], strides[1], strides[2], strides[3]);
  return arguments;
}

}  // namespace

void elementwise(Function function, DType dtype, std::span<const Source> sources, const Tensor& out, bool in_place) {
  const ErrorRecord* error = in_place ? error_record() : nullptr;
  if (out.dtype() == dtype) {
    if (dtype == f32 && try_dense<float>(function, sources, out, error)) return;
    if (dtype == f16 && try_dense<half>(function, sources, out, error)) return;
    if (dtype == bf16 && try_dense<bfloat16>(function, sources, out, error)) return;
  }
  const AnyArguments arguments = any_arguments(sources, out, error);
  const unsigned blocks = blocks_for(out.numel(), threads);
  if (dtype == f64)
    launch(any_kernel<double>, blocks, threads, 0, current_stream(), function, arguments);
  else if (is_floating(dtype))
    launch(any_kernel<float>, blocks, threads, 0, current_stream(), function, arguments);
  else
    launch(any_kernel<int64_t>, blocks, threads, 0, current_stream(), function, arguments);
}

}  // namespace percale::cuda
