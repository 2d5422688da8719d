// Holds Highway's dispatch to one instruction set, to compare what several compute.
#pragma once

#include <gtest/gtest.h>
#include <hwy/highway.h>

#include "check.h"

namespace percale::testing {

/// While it lives, kernels run with `target` (one of hwy::SupportedAndGeneratedTargets()).
class InstructionSet {
 public:
  explicit InstructionSet(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
  }
  ~InstructionSet() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().DeInit();
  }
  InstructionSet(const InstructionSet&) = delete;
};

/// What `results()` returns has the same bytes with AVX2 and AVX-512. Those before AVX2 have no fused multiply-add:
/// there only the runs of one processor agree.
template <class Results>
void expect_same_bytes_on_any_processor(const Results& results) {
  const Tensors expected = results();
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (target != HWY_AVX2 && target != HWY_AVX3) continue;
    const InstructionSet only(target);
    const Tensors found = results();
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_TRUE(same_bytes(found[i], expected[i])) << "result " << i << " with " << hwy::TargetName(target);
  }
}

}  // namespace percale::testing
