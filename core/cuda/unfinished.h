// What cuDNN and cuBLASLt may leave undone.
#pragma once

namespace percale::cuda {

/// What is still to be done to a result by the one who asked for it, bias before ReLU: NVIDIA's libraries do not fuse
/// them into every product or convolution (kernels/common/device_finish.h does it).
struct Unfinished {
  bool bias = false, relu = false;
};

}  // namespace percale::cuda
