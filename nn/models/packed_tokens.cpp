#include "packed_tokens.h"

#include <algorithm>

namespace percale::models {
namespace {

Tensor integers(int64_t count) { return Tensor::empty({count}, {i64, cpu_device}); }

/// As i64 and contiguous on the CPU.
Tensor on_host(const Tensor& tensor) { return tensor.detach().to(cpu_device).to(i64).contiguous(); }

}  // namespace

PackedTokens PackedTokens::from(const Tensor& ids, const Tensor& offsets, const Tensor& types) {
  require(ids.rank() == 1 && ids.dtype() == i64, "Bert", "packed ids must be i64 [tokens], got {} {}", ids.dtype(),
          ids.shape());
  require(offsets.rank() == 1 && offsets.dtype() == i64 && offsets.size(0) >= 1, "Bert",
          "offsets must be i64 [sequences + 1], got {} {}", offsets.dtype(), offsets.shape());
  require(!types.defined() || (types.shape() == ids.shape() && types.dtype() == i64), "Bert",
          "types must be i64 {} as the ids, got another shape or dtype", ids.shape());
  PackedTokens result{ids, types, integers(ids.size(0)), offsets, 0};
  if (!types.defined()) {
    result.types = integers(ids.size(0));
    result.types.zero_();
  }
  const auto starts = offsets.span<int64_t>();
  const auto positions = result.positions.span<int64_t>();
  require(starts.front() == 0 && starts.back() == ids.size(0), "Bert",
          "offsets must go from 0 to the {} tokens, got {} to {}", ids.size(0), starts.front(), starts.back());
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    require(starts[i] < starts[i + 1], "Bert", "sequence {} has no tokens: its offsets are {} and {}", i, starts[i],
            starts[i + 1]);
    for (int64_t at = starts[i]; at < starts[i + 1]; ++at) positions[static_cast<size_t>(at)] = at - starts[i];
    result.longest = std::max(result.longest, starts[i + 1] - starts[i]);
  }
  return result;
}

PackedTokens PackedTokens::from_padded(const Tensor& ids, const Tensor& mask, const Tensor& types) {
  require(ids.rank() == 2 && (ids.dtype() == i64 || ids.dtype() == i32), "Bert",
          "ids must be i64 [batch, length], got {} {}", ids.dtype(), ids.shape());
  for (const Tensor* other : {&mask, &types}) {
    if (!other->defined()) continue;
    require(other->shape() == ids.shape(), "Bert", "mask and types must be {} as the ids, got {}", ids.shape(),
            other->shape());
  }
  const Tensor host_ids = on_host(ids), host_mask = mask.defined() ? on_host(mask) : Tensor();
  const Tensor host_types = types.defined() ? on_host(types) : Tensor();
  const int64_t rows = ids.size(0), length = ids.size(1);
  std::vector<int64_t> kept, starts = {0};
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t at = row * length; at < (row + 1) * length; ++at)
      if (!host_mask.defined() || host_mask.data<int64_t>()[at]) kept.push_back(at);
    starts.push_back(static_cast<int64_t>(kept.size()));
    require(starts[starts.size() - 2] < starts.back(), "Bert", "row {} of the mask has no tokens", row);
  }
  const auto count = static_cast<int64_t>(kept.size());
  PackedTokens result{integers(count), integers(count), integers(count), integers(rows + 1), 0};
  std::copy(starts.begin(), starts.end(), result.offsets.data<int64_t>());
  for (int64_t i = 0; i < count; ++i) {
    const int64_t from = kept[static_cast<size_t>(i)];
    result.ids.data<int64_t>()[i] = host_ids.data<int64_t>()[from];
    result.types.data<int64_t>()[i] = host_types.defined() ? host_types.data<int64_t>()[from] : 0;
    result.positions.data<int64_t>()[i] = from % length;
  }
  for (size_t i = 0; i + 1 < starts.size(); ++i) result.longest = std::max(result.longest, starts[i + 1] - starts[i]);
  return result.to(ids.device());
}

PackedTokens PackedTokens::to(Device device) const {
  return {ids.to(device), types.to(device), positions.to(device), offsets.to(device), longest};
}

}  // namespace percale::models
