// Weights in bf16: one copy beside each weight's memory, which optimizers write with the weight itself.
#pragma once

#include "half.h"
#include "tensor.h"

namespace percale {

/// `weight` rounded to bf16, in its order of elements and without history; undefined if it is not f32 or does not fill
/// its memory. The copy lives as long as the weight's memory and is rounded again, in place, when that was written
/// since by anything but an optimizer. Not to be written. Several threads may ask for it at once.
Tensor rounded_copy(const Tensor& weight);
/// Rounds again if the copy of such a weight's memory is behind.
void refresh_rounded_copy(const std::shared_ptr<Storage>& weight);

/// Where a kernel that writes all of `parameter` writes it in bf16 too; null without a copy, or with one that is
/// behind.
bfloat16* rounded_data(const Tensor& parameter);
/// Says that `operation` has written `parameter` and, where `rounded_data` told it one, the copy.
void mark_written_with_rounded(const Tensor& parameter, const char* operation);

}  // namespace percale
