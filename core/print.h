// Tensors and shapes as PyTorch prints them, byte for byte.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include "tensor.h"

namespace percale {

/// How tensors are printed; the defaults are PyTorch's.
struct PrintOptions {
  int precision = 4;             ///< digits after the point
  int64_t threshold = 1000;      ///< a tensor of more elements is summarised
  int64_t edgeitems = 3;         ///< what a summary shows at each end of a dimension
  int64_t linewidth = 80;        ///< where lines break
  std::optional<bool> sci_mode;  ///< scientific notation: always, never, or as the values ask for
};

/// Sets the process's print options, as torch.set_printoptions does. Not to be called while another thread prints.
void set_print_options(const PrintOptions& options);
PrintOptions print_options();

/// What Python's `print(tensor)` shows: values, then device, dtype, size and grad_fn where PyTorch names them. A tensor
/// on a device is read from there; of a large one only what is shown.
std::string to_text(const Tensor& tensor);
/// `torch.Size([64, 128])`
std::string to_text(const Shape& shape);

std::ostream& operator<<(std::ostream& stream, const Tensor& tensor);
std::ostream& operator<<(std::ostream& stream, const Shape& shape);

}  // namespace percale
