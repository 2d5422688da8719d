#include "random.h"

#include <cmath>

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "random_twins.h"

namespace percale {
namespace {

using random::Distribution;
using random::Draw;

void draw_into(const Draw& draw, const Tensor& target, bool in_place) {
  const RandomKey key =
      next_random_key(target.device());  // also for nothing, so that later calls do not depend on sizes
  if (target.numel()) on<cpu::draw, cuda::draw>(target.device(), draw, key, target, in_place);
}

Tensor drawn(const char* name, const Draw& draw, const Shape& shape, TensorOptions options) {
  const Operation operation{name};
  require(draw.distribution == Distribution::integers ? options.dtype != boolean : is_floating(options.dtype), name,
          "does not make elements of dtype {}", options.dtype);
  Tensor result = Tensor::empty(shape, options);
  draw_into(draw, result, false);
  return result;
}

const Tensor& overwritten(const char* name, const Draw& draw, const Tensor& target) {
  const Operation operation{name};
  require(is_floating(target.dtype()), name, "needs a floating-point tensor, got {}", target.dtype());
  require_writable(name, target);
  require(!should_record({target}), name, "the target has history that its gradient would follow; use a NoGradGuard");
  draw_into(draw, target, true);
  target.mark_written(name);
  return target;
}

}  // namespace

Tensor rand(const Shape& shape, TensorOptions options) {
  return drawn("rand", {.distribution = Distribution::uniform}, shape, options);
}

Tensor randn(const Shape& shape, TensorOptions options) {
  return drawn("randn", {.distribution = Distribution::normal}, shape, options);
}

Tensor randint(int64_t low, int64_t high, const Shape& shape, TensorOptions options) {
  require(low < high, "randint", "there is no integer from {} to below {}", low, high);
  const uint64_t count = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  return drawn("randint", {.distribution = Distribution::integers, .lowest = low, .count = count}, shape, options);
}

Tensor randperm(int64_t count, TensorOptions options) {
  const Operation operation{"randperm"};
  require(count >= 0, "randperm", "the count cannot be negative, got {}", count);
  require(is_index(options.dtype), "randperm", "gives i64 or i32, not {}", options.dtype);
  require(options.dtype == i64 || count <= INT32_MAX, "randperm", "{} does not fit i32", count);
  Tensor result = Tensor::empty({count}, options);
  const RandomKey key = next_random_key(options.device);
  if (count) on<cpu::permutation, cuda::permutation>(options.device, key, result);
  return result;
}

const Tensor& uniform_(const Tensor& target, double low, double high) {
  require(low <= high && std::isfinite(high - low), "uniform_", "from {} to {} is not a range", low, high);
  return overwritten("uniform_", {.distribution = Distribution::uniform, .first = low, .second = high}, target);
}

const Tensor& normal_(const Tensor& target, double mean, double deviation) {
  require(deviation >= 0, "normal_", "the standard deviation cannot be negative, got {}", deviation);
  return overwritten("normal_", {.distribution = Distribution::normal, .first = mean, .second = deviation}, target);
}

}  // namespace percale
