// Percale: everything a program needs. Includes no CUDA header.
#pragma once

#include "core/allocator.h"
#include "core/autograd.h"
#include "core/cpu/threads.h"
#include "core/graph.h"
#include "core/info.h"
#include "core/io/npy.h"
#include "core/io/safetensors.h"
#include "core/precision.h"
#include "core/random.h"
#include "core/tensor.h"
#include "core/trace.h"
#include "core/version.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/fill/fill.h"
#include "kernels/reduction/reduction.h"
#include "nn/picture/picture.h"
