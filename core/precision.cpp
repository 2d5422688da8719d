#include "precision.h"

#include "error.h"

namespace percale {
namespace {

thread_local Precision precision_now = Precision::fp32;

}  // namespace

std::string text(Precision precision) {
  switch (precision) {
    case Precision::tf32:
      return "tf32";
    case Precision::bf16:
      return "bf16";
    case Precision::int8:
      return "int8";
    case Precision::fp32:
      break;
  }
  return "fp32";
}

Precision current_precision() { return precision_now; }

std::string reason_without(Precision precision, Device device) {
  if (precision == Precision::int8) {
    if (device.is_cuda()) return "layers are computed in 8-bit integers on the CPU only; use --precision bf16";
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512vnni")) return {};
#endif
    return "this processor has no products of 8-bit integers (AVX512-VNNI), and without them int8 is slower than fp32; "
           "use --precision fp32";
  }
  if (precision != Precision::bf16 || device.is_cuda()) return {};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bf16")) return {};  // processors with AMX have it too
#endif
  return "this processor has no bfloat16 arithmetic (AVX512-BF16 or AMX), and without it bf16 is slower than fp32; use "
         "--precision fp32";
}

PrecisionScope::PrecisionScope(Precision precision) : previous_(precision_now) { precision_now = precision; }
PrecisionScope::~PrecisionScope() { precision_now = previous_; }

namespace {

Precision checked(Precision precision, Device device) {
  const std::string reason = reason_without(precision, device);
  require(reason.empty(), "precision", "{} on {}: {}", text(precision), device, reason);
  return precision;
}

}  // namespace

PrecisionGuard::PrecisionGuard(Precision precision, Device device) : scope_(checked(precision, device)) {}

}  // namespace percale
