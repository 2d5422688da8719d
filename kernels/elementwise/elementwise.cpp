#include "elementwise.h"

#include <cmath>
#include <limits>

#include "../../core/autograd.h"
#include "../../core/primitives.h"
#include "../../core/trace.h"
#include "../reduction/reduction.h"
#include "operands.h"

namespace percale {
namespace {

using namespace elementwise;

Tensor compare(const char* name, Function function, const Operand& a, const Operand& b) {
  const Operation operation{name};
  const Prepared prepared = prepare(name, {a, b});
  Tensor out = output_of(prepared, boolean);
  call(function, common_dtype(name, {a, b}), prepared, out);
  return out;
}

Shape shape_of(const Operand& operand) { return operand.is_tensor() ? operand.tensor().shape() : Shape{}; }

/// What a gradient finds again: the saved tensor, or where there was none the number.
Operand again(const Tensor& tensor, const Number& number) {
  return tensor.defined() ? Operand(tensor) : Operand(number);
}

/// The dtype must have a difference: bool has none.
void require_not_bool(const char* name, Operands operands) {
  for (const Operand& operand : operands)
    if ((operand.is_tensor() ? operand.tensor().dtype() : operand.number().kind) != boolean) return;
  fail(name, "is not defined for bool; compare with ne() instead", {});
}

// --- gradients that are one pass, each with its own gradient
// ----------------------------------------------------------

/// upstream * (output > 0), and the same for the sign: linear in `upstream`, flat in the other.
Tensor masked_gradient(const char* name, Function function, const Tensor& upstream, const Tensor& other) {
  return record(name, apply_real(name, function, {upstream, other}), {upstream, other}, saved(other),
                [name, function](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return {masked_gradient(name, function, gradients[0], saved[0]), {}};
                });
}

Tensor tanh_gradient(const Tensor& upstream, const Tensor& y) {
  return record(
      "TanhBackwardBackward0", apply_real("tanh_backward", Function::tanh_gradient, {upstream, y}), {upstream, y},
      saved(upstream, y), [](const Tensors& gradients, const Saved& saved) -> Tensors {
        const Tensor upstream = saved[0], y = saved[1];
        return {tanh_gradient(gradients[0], y), saved.needs(1) ? gradients[0] * upstream * y * -2.0 : Tensor()};
      });
}

Tensor sigmoid_gradient(const Tensor& upstream, const Tensor& y) {
  return record("SigmoidBackwardBackward0", apply_real("sigmoid_backward", Function::sigmoid_gradient, {upstream, y}),
                {upstream, y}, saved(upstream, y), [](const Tensors& gradients, const Saved& saved) -> Tensors {
                  const Tensor upstream = saved[0], y = saved[1];
                  return {sigmoid_gradient(gradients[0], y),
                          saved.needs(1) ? gradients[0] * upstream * (1.0 - y * 2.0) : Tensor()};
                });
}

/// The second derivative of gelu, from operations.
Tensor gelu_curvature(const Tensor& x, GeluApproximation approximate) {
  if (approximate == GeluApproximation::none) return exp(x * x * -0.5) * 0.39894228040143267794 * (2.0 - x * x);
  constexpr double scale = 0.79788456080286535588, cubic = 0.044715;
  const Tensor bent = tanh((x + x * x * x * cubic) * scale), slope = (x * x * (3 * cubic) + 1.0) * scale;
  const Tensor bend = 1.0 - bent * bent;
  return bend * slope + x * 0.5 * bend * (x * (6 * cubic * scale) - bent * slope * slope * 2.0);
}

Tensor gelu_gradient(const Tensor& upstream, const Tensor& x, GeluApproximation approximate) {
  const Function function =
      approximate == GeluApproximation::none ? Function::gelu_gradient : Function::gelu_tanh_gradient;
  return record("GeluBackwardBackward0", apply_real("gelu_backward", function, {upstream, x}), {upstream, x},
                saved(upstream, x), [approximate](const Tensors& gradients, const Saved& saved) -> Tensors {
                  const Tensor upstream = saved[0], x = saved[1];
                  return {gelu_gradient(gradients[0], x, approximate),
                          saved.needs(1) ? gradients[0] * upstream * gelu_curvature(x, approximate) : Tensor()};
                });
}

Tensor clamp_gradient(const Tensor& upstream, const Tensor& x, const Number& low, const Number& high) {
  return record("ClampBackward1", apply_real("clamp_backward", Function::clamp_gradient, {upstream, x, low, high}),
                {upstream, x}, saved(x), [low, high](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return {clamp_gradient(gradients[0], saved[0], low, high), {}};
                });
}

}  // namespace

Tensor sum_to_shape(const Tensor& gradient, const Shape& shape) {
  if (gradient.shape() == shape) return gradient;
  const int added = gradient.rank() - shape.rank();
  Shape repeated;
  for (int dim = 0; dim < gradient.rank(); ++dim)
    if (dim < added || shape[dim - added] != gradient.shape()[dim]) repeated.push_back(dim);
  return sum(gradient, repeated, true).reshape(shape);
}

// --- functions of one number
// ------------------------------------------------------------------------------------------

Tensor neg(const Tensor& x) {
  const Operation operation{"neg"};
  require_not_bool("neg", {x});
  return record("NegBackward0", apply("neg", Function::neg, {x}), {x}, {},
                [](const Tensors& gradients, const Saved&) -> Tensors { return {neg(gradients[0])}; });
}

Tensor abs(const Tensor& x) {
  const Operation operation{"abs"};
  return record("AbsBackward0", apply("abs", Function::abs, {x}), {x}, saved(x),
                [](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return {masked_gradient("AbsBackwardBackward0", Function::abs_gradient, gradients[0], saved[0])};
                });
}

Tensor relu_gradient(const Tensor& gradient, const Tensor& y) {
  return masked_gradient("ThresholdBackwardBackward0", Function::relu_gradient, gradient, y);
}

Tensor relu(const Tensor& x) {
  const Operation operation{"relu"};
  const Tensor y = apply("relu", Function::relu, {x});
  return record("ReluBackward0", y, {x}, saved(y), [](const Tensors& gradients, const Saved& saved) -> Tensors {
    return {relu_gradient(gradients[0], saved[0])};
  });
}

Tensor exp(const Tensor& x) {
  const Operation operation{"exp"};
  const Tensor y = apply_real("exp", Function::exp, {x});
  return record("ExpBackward0", y, {x}, saved(y),
                [](const Tensors& gradients, const Saved& saved) -> Tensors { return {gradients[0] * saved[0]}; });
}

Tensor log(const Tensor& x) {
  const Operation operation{"log"};
  return record("LogBackward0", apply_real("log", Function::log, {x}), {x}, saved(x),
                [](const Tensors& gradients, const Saved& saved) -> Tensors { return {gradients[0] / saved[0]}; });
}

Tensor sqrt(const Tensor& x) {
  const Operation operation{"sqrt"};
  const Tensor y = apply_real("sqrt", Function::sqrt, {x});
  return record("SqrtBackward0", y, {x}, saved(y), [](const Tensors& gradients, const Saved& saved) -> Tensors {
    return {gradients[0] / (saved[0] * 2.0)};
  });
}

Tensor erf(const Tensor& x) {
  const Operation operation{"erf"};
  return record("ErfBackward0", apply_real("erf", Function::erf, {x}), {x}, saved(x),
                [](const Tensors& gradients, const Saved& saved) -> Tensors {
                  const Tensor x = saved[0];
                  return {gradients[0] * exp(neg(x * x)) * 1.12837916709551257390};  // 2 / sqrt(pi)
                });
}

Tensor tanh(const Tensor& x) {
  const Operation operation{"tanh"};
  const Tensor y = apply_real("tanh", Function::tanh, {x});
  return record("TanhBackward0", y, {x}, saved(y), [](const Tensors& gradients, const Saved& saved) -> Tensors {
    return {tanh_gradient(gradients[0], saved[0])};
  });
}

Tensor sigmoid(const Tensor& x) {
  const Operation operation{"sigmoid"};
  const Tensor y = apply_real("sigmoid", Function::sigmoid, {x});
  return record("SigmoidBackward0", y, {x}, saved(y), [](const Tensors& gradients, const Saved& saved) -> Tensors {
    return {sigmoid_gradient(gradients[0], saved[0])};
  });
}

Tensor gelu(const Tensor& x, GeluApproximation approximate) {
  const Operation operation{"gelu"};
  const Function function = approximate == GeluApproximation::none ? Function::gelu : Function::gelu_tanh;
  return record("GeluBackward0", apply_real("gelu", function, {x}), {x}, saved(x),
                [approximate](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return {gelu_gradient(gradients[0], saved[0], approximate)};
                });
}

Tensor clamp(const Tensor& x, std::optional<Number> min, std::optional<Number> max) {
  const Operation operation{"clamp"};
  require(min || max, "clamp", "at least one bound must be given");
  const DType kind = min && max ? promote(min->kind, max->kind) : min ? min->kind : max->kind;
  Number low = min.value_or(Number()), high = max.value_or(Number());
  if (!min) low.real = -std::numeric_limits<double>::infinity(), low.integer = std::numeric_limits<int64_t>::min();
  if (!max) high.real = std::numeric_limits<double>::infinity(), high.integer = std::numeric_limits<int64_t>::max();
  low.kind = high.kind = kind;
  return record("ClampBackward1", apply("clamp", Function::clamp, {x, low, high}), {x}, saved(x),
                [low, high](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return {clamp_gradient(gradients[0], saved[0], low, high)};
                });
}

// --- functions of two numbers
// -----------------------------------------------------------------------------------------

Tensor add(const Operand& a, const Operand& b) {
  const Operation operation{"add"};
  return record(
      "AddBackward0", apply("add", Function::add, {a, b}), {a.tensor(), b.tensor()}, {},
      [a_shape = shape_of(a), b_shape = shape_of(b)](const Tensors& gradients, const Saved& saved) -> Tensors {
        return {saved.needs(0) ? sum_to_shape(gradients[0], a_shape) : Tensor(),
                saved.needs(1) ? sum_to_shape(gradients[0], b_shape) : Tensor()};
      });
}

Tensor sub(const Operand& a, const Operand& b) {
  const Operation operation{"sub"};
  require_not_bool("sub", {a, b});
  return record(
      a.is_tensor() ? "SubBackward0" : "RsubBackward1", apply("sub", Function::sub, {a, b}), {a.tensor(), b.tensor()},
      {}, [a_shape = shape_of(a), b_shape = shape_of(b)](const Tensors& gradients, const Saved& saved) -> Tensors {
        return {saved.needs(0) ? sum_to_shape(gradients[0], a_shape) : Tensor(),
                saved.needs(1) ? neg(sum_to_shape(gradients[0], b_shape)) : Tensor()};
      });
}

Tensor mul(const Operand& a, const Operand& b) {
  const Operation operation{"mul"};
  return record(
      "MulBackward0", apply("mul", Function::mul, {a, b}), {a.tensor(), b.tensor()}, saved(a.tensor(), b.tensor()),
      [a_number = a.number(), b_number = b.number()](const Tensors& gradients, const Saved& saved) -> Tensors {
        const Tensor a = saved[0], b = saved[1];
        return {saved.needs(0) ? sum_to_shape(gradients[0] * again(b, b_number), a.shape()) : Tensor(),
                saved.needs(1) ? sum_to_shape(gradients[0] * again(a, a_number), b.shape()) : Tensor()};
      });
}

Tensor div(const Operand& a, const Operand& b) {
  const Operation operation{"div"};
  return record(
      "DivBackward0", apply_real("div", Function::div, {a, b}), {a.tensor(), b.tensor()}, saved(a.tensor(), b.tensor()),
      [a_number = a.number(), b_number = b.number()](const Tensors& gradients, const Saved& saved) -> Tensors {
        const Tensor a = saved[0], b = saved[1];
        Tensors result(2);
        if (saved.needs(0)) result[0] = sum_to_shape(gradients[0] / again(b, b_number), a.shape());
        if (saved.needs(1)) {
          const Tensor quotient = again(a, a_number) / b;
          result[1] = sum_to_shape(neg(gradients[0] * (quotient / b)), b.shape());
        }
        return result;
      });
}

namespace {

/// Powers that are cheaper another way are that, as in PyTorch.
Tensor power(const Operand& a, const Operand& b) {
  const DType common = common_dtype("pow", {a, b});
  if (!b.is_tensor() && is_floating(common)) {
    const double exponent = b.number().real;
    if (exponent == 2) return apply("pow", Function::mul, common, {a, a});
    if (exponent == 3) return apply("pow", Function::cube, common, {a});
    if (exponent == 0.5) return apply("pow", Function::sqrt, common, {a});
    if (exponent == -1) return apply("pow", Function::div, common, {1, a});
  }
  require(is_floating(common) || b.is_tensor() || b.number().integer >= 0, "pow",
          "an integer to the power of {} is not an integer; convert the base to a real number first",
          b.number().integer);
  return apply("pow", Function::pow, common, {a, b});
}

Tensor base_gradient(const Tensor& upstream, const Operand& base, const Operand& exponent) {
  if (!exponent.is_tensor()) {
    const double value = exponent.number().real;
    return value == 0 ? upstream * 0.0 : upstream * (pow(base, value - 1) * value);
  }
  return where(exponent.tensor() == 0.0, 0.0, upstream * (exponent * pow(base, exponent - 1.0)));
}

/// Zero where the power is 0 whatever the exponent, though the logarithm there is -infinity.
Tensor exponent_gradient(const Tensor& upstream, const Operand& base, const Operand& exponent, const Tensor& result) {
  if (!base.is_tensor()) {
    const double value = base.number().real;
    const Tensor gradient = upstream * (result * std::log(value));
    return value == 0 ? where(exponent.tensor() >= 0.0, 0.0, gradient) : gradient;
  }
  const Tensor flat = (base.tensor() == 0.0) * (exponent >= 0.0);
  return where(flat, 0.0, upstream * (result * log(base.tensor())));
}

}  // namespace

Tensor pow(const Operand& a, const Operand& b) {
  const Operation operation{"pow"};
  const Tensor y = power(a, b);
  const char* name = !b.is_tensor() ? "PowBackward0" : a.is_tensor() ? "PowBackward1" : "PowBackward2";
  return record(
      name, y, {a.tensor(), b.tensor()}, saved(a.tensor(), b.tensor(), y),
      [a_number = a.number(), b_number = b.number()](const Tensors& gradients, const Saved& saved) -> Tensors {
        const Tensor a = saved[0], b = saved[1];
        const Operand base = again(a, a_number), exponent = again(b, b_number);
        Tensors result(2);
        if (saved.needs(0)) result[0] = sum_to_shape(base_gradient(gradients[0], base, exponent), a.shape());
        if (saved.needs(1))
          result[1] = sum_to_shape(exponent_gradient(gradients[0], base, exponent, saved[2]), b.shape());
        return result;
      });
}

namespace {

/// For maximum and minimum: all of the gradient where this operand was taken (or is NaN), half of it at a tie.
Tensor share_of(const Tensor& upstream, const Tensor& tie, const Tensor& lost) {
  return where(lost, 0.0, where(tie, upstream * 0.5, upstream));
}

Tensor extreme(const char* name, const char* grad_fn, Function function, const Operand& a, const Operand& b) {
  return record(grad_fn, apply(name, function, {a, b}), {a.tensor(), b.tensor()}, saved(a.tensor(), b.tensor()),
                [function, a_number = a.number(), b_number = b.number()](const Tensors& gradients,
                                                                         const Saved& saved) -> Tensors {
                  const Tensor a = saved[0], b = saved[1];
                  const Operand left = again(a, a_number), right = again(b, b_number);
                  const Tensor tie = left == right, less = left<right, more = left> right;
                  const bool larger = function == Function::maximum;
                  Tensors result(2);
                  if (saved.needs(0))
                    result[0] = sum_to_shape(share_of(gradients[0], tie, larger ? less : more), a.shape());
                  if (saved.needs(1))
                    result[1] = sum_to_shape(share_of(gradients[0], tie, larger ? more : less), b.shape());
                  return result;
                });
}

}  // namespace

Tensor maximum(const Operand& a, const Operand& b) {
  const Operation operation{"maximum"};
  return extreme("maximum", "MaximumBackward0", Function::maximum, a, b);
}

Tensor minimum(const Operand& a, const Operand& b) {
  const Operation operation{"minimum"};
  return extreme("minimum", "MinimumBackward0", Function::minimum, a, b);
}

Tensor eq(const Operand& a, const Operand& b) { return compare("eq", Function::eq, a, b); }
Tensor ne(const Operand& a, const Operand& b) { return compare("ne", Function::ne, a, b); }
Tensor lt(const Operand& a, const Operand& b) { return compare("lt", Function::lt, a, b); }
Tensor le(const Operand& a, const Operand& b) { return compare("le", Function::le, a, b); }
Tensor gt(const Operand& a, const Operand& b) { return compare("gt", Function::gt, a, b); }
Tensor ge(const Operand& a, const Operand& b) { return compare("ge", Function::ge, a, b); }

Tensor where(const Tensor& condition, const Operand& a, const Operand& b) {
  const Operation operation{"where"};
  require(condition.defined() && condition.dtype() == boolean, "where", "the condition must be bool, got {}",
          condition.defined() ? text(condition.dtype()) : "an undefined tensor");
  const bool numbers = !a.is_tensor() && !b.is_tensor();
  const DType common = numbers ? promote(a.number().kind, b.number().kind) : common_dtype("where", {a, b});
  const Prepared prepared = prepare("where", {condition, a, b});
  Tensor out = output_of(prepared, common);
  call(Function::where, common, prepared, out);
  return record(
      "WhereBackward0", out, {a.tensor(), b.tensor()}, saved(condition),
      [a_shape = shape_of(a), b_shape = shape_of(b)](const Tensors& gradients, const Saved& saved) -> Tensors {
        const Tensor condition = saved[0];
        return {saved.needs(0) ? sum_to_shape(where(condition, gradients[0], 0.0), a_shape) : Tensor(),
                saved.needs(1) ? sum_to_shape(where(condition, 0.0, gradients[0]), b_shape) : Tensor()};
      });
}

// --- in place
// ---------------------------------------------------------------------------------------------------------

namespace {

int kind_of(DType dtype) { return is_floating(dtype) ? 2 : dtype == boolean ? 0 : 1; }

using OutOfPlace = Tensor (*)(const Operand&, const Operand&);

const Tensor& write(const char* name, const char* grad_fn, Function function, OutOfPlace out_of_place,
                    const Tensor& target, const Operand& operand) {
  const Operation operation{name};
  const bool gains_history = should_record({target, operand.tensor()});
  require_writable(name, target, gains_history);
  require(!repeats(target), name, "the target is expanded: its elements share memory; clone() it first");
  // An operand that is another view of the same memory would change under the loop.
  Tensor own = operand.tensor();
  if (own.defined() && own.storage() == target.storage() &&
      (own.offset() != target.offset() || own.strides() != target.strides() || own.shape() != target.shape()))
    own = own.clone();
  const Operand addend = operand.is_tensor() ? Operand(own) : operand;
  const Prepared prepared = prepare(name, {target, addend});
  DType common = common_dtype(name, {target, addend});
  if (function == Function::div && !is_floating(common)) common = f32;
  require(prepared.shape == target.shape(), name, "the target has shape {}, the result {}", target.shape(),
          prepared.shape);
  require(kind_of(common) <= kind_of(target.dtype()), name, "a result of {} does not fit a target of {}", common,
          target.dtype());
  // With history the operation is recorded on a copy, whose gradient may need what is overwritten here.
  Tensor recorded = gains_history ? out_of_place(target.clone(), addend).to(target.dtype()) : Tensor();
  call(function, common, prepared, target, true);
  target.mark_written(name);
  if (gains_history)
    record(grad_fn, target, {recorded}, {},
           [](const Tensors& gradients, const Saved&) -> Tensors { return {gradients[0]}; });
  return target;
}

}  // namespace

const Tensor& operator+=(const Tensor& target, const Operand& operand) {
  return write("add_", "AddBackward0", Function::add, add, target, operand);
}
const Tensor& operator-=(const Tensor& target, const Operand& operand) {
  return write("sub_", "SubBackward0", Function::sub, sub, target, operand);
}
const Tensor& operator*=(const Tensor& target, const Operand& operand) {
  return write("mul_", "MulBackward0", Function::mul, mul, target, operand);
}
const Tensor& operator/=(const Tensor& target, const Operand& operand) {
  return write("div_", "DivBackward0", Function::div, div, target, operand);
}

}  // namespace percale
