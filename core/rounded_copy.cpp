#include "rounded_copy.h"

#include <mutex>

#include "primitives.h"

namespace percale {
namespace {

/// First readers of one weight may come at once; held for as long as it takes to start rounding.
std::mutex& rounding() {
  static std::mutex mutex;
  return mutex;
}

bool fills_its_memory(const Tensor& weight) {
  return weight.dtype() == f32 && weight.is_dense() && weight.numel() &&
         static_cast<size_t>(weight.numel()) * sizeof(float) == weight.storage()->bytes();
}

void round_again(const std::shared_ptr<Storage>& weight) {
  if (!weight->rounded) weight->rounded = std::make_shared<Storage>(weight->bytes() / 2, weight->device());
  const Shape all{static_cast<int64_t>(weight->bytes() / sizeof(float))};
  copy(Tensor::from_storage(weight, all, {1}, 0, f32), Tensor::from_storage(weight->rounded, all, {1}, 0, bf16));
  weight->rounded->mark_written("rounding of a weight");
  weight->rounded_version = weight->version();
}

}  // namespace

Tensor rounded_copy(const Tensor& weight) {
  if (!fills_its_memory(weight)) return {};
  const std::shared_ptr<Storage>& storage = weight.storage();
  {
    const std::lock_guard lock(rounding());
    if (!storage->has_rounded()) round_again(storage);
    if (StepLog* log = StepLog::current()) log->read_rounded.push_back(storage);
  }
  return Tensor::from_storage(storage->rounded, weight.shape(), weight.strides(), 0, bf16);
}

void refresh_rounded_copy(const std::shared_ptr<Storage>& weight) {
  const std::lock_guard lock(rounding());
  if (!weight->has_rounded()) round_again(weight);
}

bfloat16* rounded_data(const Tensor& parameter) {
  const Storage& storage = *parameter.storage();
  if (!storage.has_rounded() || !fills_its_memory(parameter)) return nullptr;
  return static_cast<bfloat16*>(storage.rounded->data());
}

void mark_written_with_rounded(const Tensor& parameter, const char* operation) {
  Storage& storage = *parameter.storage();
  const bool both = rounded_data(parameter);
  storage.mark_written(operation);
  if (!both) return;
  storage.rounded->mark_written(operation);
  storage.rounded_version = storage.version();
}

}  // namespace percale
