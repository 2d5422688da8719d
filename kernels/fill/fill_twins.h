// What the two twins of fill, copy and add_into implement. Shapes and devices are checked before.
#pragma once

#include "../../core/tensor.h"

namespace percale::cpu {
void fill(const Tensor& target, double value);
void copy(const Tensor& source, const Tensor& target);
void add_into(const Tensor& target, const Tensor& addend);
}  // namespace percale::cpu

namespace percale::cuda {
void fill(const Tensor& target, double value);
void copy(const Tensor& source, const Tensor& target);
void add_into(const Tensor& target, const Tensor& addend);
}  // namespace percale::cuda
