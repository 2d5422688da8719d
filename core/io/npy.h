// One tensor in a file: NumPy's .npy format (numpy.lib.format), versions 1.0, 2.0 and 3.0.
#pragma once

#include <string>

#include "../tensor.h"
#include "file.h"

namespace percale::io {

/// A CPU tensor from a file of f32, f64, f16, i64, i32, u8 or bool elements, little-endian, in C or Fortran order. An
/// error says file, what was expected and what was found. Nothing is allocated before it is known to be in the file.
Tensor load_npy(const std::string& path);
Tensor load_npy(const Source& source);

/// Writes `tensor` (any strides, any device) in C order; the file appears whole or not at all. NumPy has no bf16.
void save_npy(const std::string& path, const Tensor& tensor);

}  // namespace percale::io
