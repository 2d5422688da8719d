// What a `_cuda.cu` file includes, and all that it includes for device code: with nvcc it stands on CUDA, in the
// emulator's build the same names have plain C++ bodies. PTX and NVIDIA's headers appear here and nowhere else.
//
//   __global__ void scale_kernel(const float* in, float factor, float* out, index_t count) {
//     for (index_t i : grid_stride(count)) out[i] = in[i] * factor;
//   }
//   launch(scale_kernel, blocks_for(count, 256), 256, 0, current_stream(), in, factor, out, count);
#pragma once

#include <cstddef>
#include <cstdint>

#include "../../core/cuda/error_word.h"
#include "../../core/cuda/runtime.h"
#include "../../core/dtype.h"
#include "../../core/half.h"

#if defined(__CUDACC__)
#include "device_native.h"
#else
#include "device_emulated.h"
#endif

#include "device_arithmetic.h"
#include "device_block.h"
#include "device_errors.h"
#include "device_strided.h"
#include "device_vector.h"
#include "device_warp.h"
#include "launch.h"
