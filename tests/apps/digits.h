// Small data sets in MNIST's format, for runs that end soon.
#pragma once

#include <string>

#include "../../core/io/file.h"
#include "../../nn/data/generated_digits.h"
#include "../testing/folder.h"

namespace percale::testing {

inline std::string big_endian(int64_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
  return bytes;
}

/// The bytes of an IDX file of images (rank 3) or labels (rank 1).
inline std::string idx_images(const Tensor& images) {
  return big_endian(0x803) + big_endian(images.size(0)) + big_endian(28) + big_endian(28) +
         std::string(reinterpret_cast<const char*>(images.data()), static_cast<size_t>(images.numel()));
}

inline std::string idx_labels(const Tensor& labels) {
  std::string bytes = big_endian(0x801) + big_endian(labels.numel());
  for (const int64_t label : labels.span<int64_t>()) bytes += static_cast<char>(label);
  return bytes;
}

/// The four files of MNIST in `folder`, with generated digits.
inline void write_digits(const std::string& folder, int64_t train, int64_t test) {
  const data::LabelledImages first = data::generated_digits(train, 1), second = data::generated_digits(test, 2);
  io::write_file(folder + "/train-images-idx3-ubyte", idx_images(first.images));
  io::write_file(folder + "/train-labels-idx1-ubyte", idx_labels(first.labels));
  io::write_file(folder + "/t10k-images-idx3-ubyte", idx_images(second.images));
  io::write_file(folder + "/t10k-labels-idx1-ubyte", idx_labels(second.labels));
}

constexpr int64_t small_train = 1056, small_test = 300;  // 16 whole batches and half of one

/// A folder with so many digits, which all tests of a program share.
inline const std::string& small_digits() {
  static const Folder folder;
  static const bool written = (write_digits(folder.path(), small_train, small_test), true);
  (void)written;
  return folder.path();
}

}  // namespace percale::testing
