// Inputs of specs: made from the spec's words, the same on every machine.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "../../core/philox.h"
#include "../../kernels/common/convert.h"
#include "check.h"

namespace percale::testing {
namespace {

double element(SpecInput::Kind kind, const RandomKey& key, int64_t i, int64_t count, int64_t bound, bool exact) {
  const uint32_t bits = random_bits(key, key.step, i);
  switch (kind) {
    case SpecInput::Kind::index:
      return static_cast<double>(bits % static_cast<uint32_t>(std::max<int64_t>(bound, 1)));
    case SpecInput::Kind::offsets:
      return i ? static_cast<double>(bits % static_cast<uint32_t>(bound + 1)) : 0;
    case SpecInput::Kind::boolean:
      return bits & 1;
    case SpecInput::Kind::positive:
      return exact ? 0.5 + (bits % 17) / 8.0 : 0.5 + 2 * uniform_from_bits(bits);
    case SpecInput::Kind::distinct: {
      // Multiples of 1/64 around zero, in an order that a multiplication by a coprime number shuffles.
      int64_t factor = 7919;
      while (std::gcd(factor, std::max<int64_t>(count, 1)) != 1) ++factor;
      return static_cast<double>(i * factor % count - count / 2) / 64 + 1.0 / 256;
    }
    case SpecInput::Kind::real:
      break;
  }
  return exact ? static_cast<int>(bits % 33) / 8.0 - 2 : normal_from_bits(bits);
}

}  // namespace

Tensors make_inputs(const Spec& spec, const std::vector<int64_t>& sizes, DType dtype, bool exact, uint64_t seed) {
  std::map<std::string, int64_t> extents;
  size_t next = 0;
  auto extent = [&](const std::string& name) {
    auto [entry, fresh] = extents.try_emplace(name, 0);
    if (fresh) {
      require(next < sizes.size(), "spec", "{}: no size for the dimension {}", spec.name, name);
      entry->second = sizes[next++];
    }
    return entry->second;
  };
  for (const SpecInput& input : spec.inputs)
    for (const std::string& name : input.extents) extent(name);
  Tensors result;
  for (size_t i = 0; i < spec.inputs.size(); ++i) {
    const SpecInput& input = spec.inputs[i];
    Shape shape;
    for (const std::string& name : input.extents) shape.push_back(extent(name));
    const bool ascends = input.kind == SpecInput::Kind::offsets, is_boolean = input.kind == SpecInput::Kind::boolean;
    const bool is_real = !ascends && !is_boolean && input.kind != SpecInput::Kind::index;
    const DType own = is_real ? dtype : is_boolean ? boolean : input.dtype;
    const int64_t bound = input.bound.empty() ? 0 : extent(input.bound);
    const RandomKey key{.seed = seed, .call = static_cast<uint32_t>(i)};
    Tensor values = Tensor::empty(shape, {own, cpu_device});
    visit(own, [&]<class T>() {
      for (int64_t k = 0; k < values.numel(); ++k)
        values.data<T>()[k] = convert_to<T>(element(input.kind, key, k, values.numel(), bound, exact));
      if constexpr (std::is_integral_v<T>)
        if (ascends) std::sort(values.data<T>(), values.data<T>() + values.numel());
    });
    if (is_real && input.gradient && spec.gradient) values.requires_grad_();
    result.push_back(values);
  }
  return result;
}

}  // namespace percale::testing
