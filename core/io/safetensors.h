// Named tensors in a file: the safetensors format (github.com/huggingface/safetensors), which PyTorch's users read too.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../tensor.h"
#include "file.h"

namespace percale::io {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;
using Metadata = std::map<std::string, std::string>;

struct Safetensors {
  NamedTensors tensors;  ///< in the order in which their bytes stand in the file
  Metadata metadata;     ///< the header's `__metadata__`

  /// The tensor called `name`, or an undefined one.
  Tensor find(const std::string& name) const;
};

/// Contiguous CPU tensors from a file. An error says file, what was expected and what was found, where anything is not
/// as the format demands: header length (at most 100 MB, as the reference has it) or JSON, names twice, bytes that
/// overlap, leave a hole or end outside, sizes that do not follow from dtype and shape. Beyond Percale: more than 8
/// dimensions, more than 100,000 names or 8 MB of them, a dtype that is not its own. Nothing is allocated before it is
/// known to be in the file.
Safetensors load_safetensors(const std::string& path);
Safetensors load_safetensors(const Source& source);

/// A file of which the header is read and checked, as `load_safetensors` says, and the tensors when they are asked for.
/// The source must outlive it.
class SafetensorsReader {
 public:
  struct Entry {
    std::string name;
    DType dtype;
    Shape shape;
    uint64_t begin;  ///< of its bytes in the file
  };

  explicit SafetensorsReader(const Source& source);

  const std::vector<Entry>& entries() const { return entries_; }
  const Metadata& metadata() const { return metadata_; }
  /// Writes a tensor's elements into `target`: contiguous, on the CPU, of the entry's dtype and number of elements.
  void read(const Entry& entry, const Tensor& target) const;

 private:
  const Source& source_;
  std::vector<Entry> entries_;
  Metadata metadata_;
};

struct SafetensorsOptions {
  Metadata metadata = {{"format", "pt"}};
  /// As Python's safetensors sorts: wide dtypes first, so that all are aligned, then by name. Else in the given order.
  bool sorted = false;
};

/// Writes `tensors` (any strides, any device) contiguously; the file appears whole or not at all. Names must be UTF-8
/// and differ.
void save_safetensors(const std::string& path, const NamedTensors& tensors, const SafetensorsOptions& options = {});

}  // namespace percale::io
