// Holds Highway's dispatch to one instruction set, to compare what several compute.
#pragma once

#include <hwy/targets.h>

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

}  // namespace percale::testing
