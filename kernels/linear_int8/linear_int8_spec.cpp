#include "../common/spec.h"
#include "../fill/fill.h"
#include "linear_int8.h"

namespace percale {
namespace {

QuantisedWeight rounded(const Shape& shape) { return quantise_rows(ones(shape)); }

constexpr double products(double rows, double in, double out) { return 2 * rows * in * out; }

}  // namespace

extern const Specs linear_int8_specs;
const Specs linear_int8_specs = {
    // Runs on the CPU only: so without inputs on the device, and compared with f32 in
    // tests/kernels/linear_int8_test.cpp.
    {.name = "linear_int8",
     .run =
         [](const Tensors& in) {
           return linear_int8(in[0].to(cpu_device).to(f32), quantise_rows(in[1].to(cpu_device).to(f32)),
                              in[2].to(cpu_device).to(f32))
               .to(in[0].device());
         },
     .inputs = {constant(real({"rows", "in"})), constant(real({"out", "in"})), constant(real({"out"}))},
     .sizes = {{3, 5, 4}, {1, 1, 1}, {0, 4, 3}, {3, 0, 2}, {1, 300, 70}, {9, 257, 33}, {130, 64, 100}},
     .dtypes = {f32},
     .exact = false,
     .gradient = false,
     .graph = false,
     .errors = {{"[linear_int8] x [2, 3] does not fit a weight of [5, 4]",
                 [](Device) {
                   linear_int8(ones({2, 3}), rounded({5, 4}));
                 }},
                {"[linear_int8] x must be of f32, got f64",
                 [](Device) {
                   linear_int8(ones({2, 4}, {f64, cpu_device}), rounded({5, 4}));
                 }},
                {"[linear_int8] bias must be [5] of f32, got [4] of f32",
                 [](Device) {
                   linear_int8(ones({2, 4}), rounded({5, 4}), ones({4}));
                 }},
                {"[linear_int8] the weight is empty: make one with quantise_rows",
                 [](Device) {
                   linear_int8(ones({2, 4}), {});
                 }},
                {"[linear_int8] has no gradient; call it under a NoGradGuard",
                 [](Device) {
                   linear_int8(ones({2, 4}).requires_grad_(), rounded({5, 4}));
                 }},
                {"[linear_int8] has no GELU of its own; call gelu on its result",
                 [](Device) {
                   linear_int8(ones({2, 4}), rounded({5, 4}), {}, Activation::gelu);
                 }},
                {"[quantise_rows] the weight must be [out, in] of f32, got [4] of f32", [](Device) { rounded({4}); }},
                {"[quantise_rows] sums of more than 65536 products may overflow, got 65537 inputs",
                 [](Device) {
                   rounded({1, 65537});
                 }}},
     .timings =
         {{.name = "linear_int8.576x384x384", .sizes = {576, 384, 384}, .operations = products(576, 384, 384)},
          {.name = "linear_int8.576x384x1536", .sizes = {576, 384, 1536}, .operations = products(576, 384, 1536)},
          {.name = "linear_int8.1024x768x3072", .sizes = {1024, 768, 3072}, .operations = products(1024, 768, 3072)}}},
};

}  // namespace percale
