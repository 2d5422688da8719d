// Arithmetic that device code writes out, since compilers are told to fuse none by themselves. Part of device.h.
#pragma once

namespace percale::cuda {

__device__ inline float multiply_add(float a, float b, float c) { return fmaf(a, b, c); }
__device__ inline double multiply_add(double a, double b, double c) { return fma(a, b, c); }

}  // namespace percale::cuda
