#include "../../core/autograd.h"
#include "../common/spec.h"
#include "../fill/fill.h"
#include "random.h"

namespace percale {
namespace {

/// The input gives shape, dtype and device only.
Spec drawing(std::string name, Tensor (*draw)(const Tensor& like), std::vector<DType> dtypes) {
  return {.name = name,
          .run = [draw](const Tensors& in) { return draw(in[0]); },
          .inputs = {constant(real({"rows", "columns"}))},
          .sizes = {{3, 5}, {1, 1}, {0, 4}, {7, 3001}},
          .dtypes = std::move(dtypes),
          .exact = false,
          .gradient = false,
          .timings = {{.name = name + ".1M", .sizes = {1024, 1024}}}};
}

}  // namespace

extern const Specs random_specs;
const Specs random_specs = {
    drawing("rand", [](const Tensor& like) { return rand(like.shape(), like.options()); }, {f32, f64}),
    drawing("rand in 16 bits",
            [](const Tensor& like) {
              return rand(like.shape(), {f16, like.device()});
            },
            {f32}),
    drawing("randn", [](const Tensor& like) { return randn(like.shape(), like.options()); }, {f32, f64, f16, bf16}),
    drawing("randint",
            [](const Tensor& like) {
              return randint(-3, 1000, like.shape(), {i64, like.device()});
            },
            {f32}),
    drawing("randperm",
            [](const Tensor& like) {
              return randperm(like.numel(), {i64, like.device()});
            },
            {f32}),
    drawing("uniform_",
            [](const Tensor& like) {
              const Tensor target = Tensor::empty(like.shape(), like.options());
              uniform_(target, -0.25, 0.5);
              return target;
            },
            {f32, f64, f16, bf16}),
    drawing("normal_ of a transpose",
            [](const Tensor& like) {
              const Tensor target = zeros(like.shape(), like.options());
              normal_(target.t(), 2, 0.5);
              return target;
            },
            {f32, f64, f16, bf16}),
    {.name = "refusals",
     .run = [](const Tensors& in) { return in[0].clone(); },
     .inputs = {constant(real({"count"}))},
     .sizes = {{2}},
     .gradient = false,
     .errors = {{"[rand] does not make elements of dtype i64",
                 [](Device device) {
                   rand({2}, {i64, device});
                 }},
                {"[randint] there is no integer from 3 to below 3",
                 [](Device device) {
                   randint(3, 3, {2}, {i64, device});
                 }},
                {"[randint] does not make elements of dtype bool",
                 [](Device device) {
                   randint(0, 2, {2}, {boolean, device});
                 }},
                {"[randperm] the count cannot be negative",
                 [](Device device) {
                   randperm(-1, {i64, device});
                 }},
                {"[randperm] gives i64 or i32, not f32",
                 [](Device device) {
                   randperm(2, {f32, device});
                 }},
                {"[uniform_] from 1 to 0 is not a range",
                 [](Device device) {
                   uniform_(zeros({2}, {f32, device}), 1, 0);
                 }},
                {"[normal_] the standard deviation cannot be negative",
                 [](Device device) {
                   normal_(zeros({2}, {f32, device}), 0, -1);
                 }},
                {"[normal_] a leaf that requires its gradient",
                 [](Device device) {
                   normal_(zeros({2}, {f32, device}).requires_grad_());
                 }}}},
};

}  // namespace percale
