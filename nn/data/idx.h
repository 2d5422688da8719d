// The IDX files in which MNIST and its relatives come: bytes with a short header, plain or gzip.
#pragma once

#include <string>

#include "../../core/io/file.h"
#include "../../core/tensor.h"

namespace percale::data {

/// The u8 tensor of an IDX file of `rank` dimensions (yann.lecun.com/exdb/mnist): magic 0x0000080r, the extents as
/// big-endian 32-bit numbers, then the bytes. An error says file, what was expected and what was found: wrong magic, an
/// end too early, bytes after the end, corrupt gzip. Nothing is allocated on the header's word alone.
Tensor read_idx(const std::string& path, int rank);
Tensor read_idx(const io::Source& source, int rank);

/// Images and their classes.
struct LabelledImages {
  Tensor images;  ///< u8 [count, channels, height, width]
  Tensor labels;  ///< i64 [count]

  int64_t count() const { return images.size(0); }
};

/// Images [count, height, width] and labels below `classes` from a pair of IDX files.
LabelledImages read_labelled_images(const std::string& images, const std::string& labels, int classes = 10);

}  // namespace percale::data
