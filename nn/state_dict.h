// Named tensors as files hold them, and how they get back into those who gave them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "../core/tensor.h"

namespace percale::nn {

/// Named tensors in order: contiguous (images and filters NCHW / OIHW) and on the CPU.
using StateDict = std::vector<std::pair<std::string, Tensor>>;

/// What a state dict keeps of `tensor`: a copy, contiguous and on the CPU.
Tensor saved_copy(const Tensor& tensor);

/// Writes the tensors of `state` into those of the same name in `own`: converted, moved, in their strides. An error by
/// `owner` that lists missing and unexpected names (unless not `strict`) and wrong shapes; then nothing is written.
void load_by_name(const std::string& owner, const StateDict& own, const StateDict& state, bool strict);

}  // namespace percale::nn
