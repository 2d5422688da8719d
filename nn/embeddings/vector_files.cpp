#include "vector_files.h"

#include <sstream>
#include <unordered_map>

#include "../../core/io/file.h"
#include "../../core/io/npy.h"
#include "../../core/io/safetensors.h"
#include "../text/word_vectors.h"

namespace percale::embeddings {
namespace {

bool is_npy(const std::string& path) {
  const io::Source source(path);
  char start[6] = {};
  if (source.size() < sizeof start) return false;
  source.read_at(0, start, sizeof start);
  return std::string_view(start, sizeof start) == "\x93NUMPY";
}

Tensor as_matrix(const std::string& path, const Tensor& tensor) {
  require(tensor.rank() == 2 && tensor.numel() > 0 && is_floating(tensor.dtype()), "load_vectors",
          "{}: vectors must be floating-point [rows, width], got {} {}", path, tensor.dtype(), tensor.shape());
  return tensor.to(f32).contiguous();
}

Tensor matrix_of(const std::string& path, const io::Safetensors& file, const std::string& wanted) {
  std::string names;
  Tensor found;
  int matrices = 0;
  for (const auto& [name, tensor] : file.tensors) {
    if (tensor.rank() != 2 || !is_floating(tensor.dtype())) continue;
    if (wanted.empty() || wanted == name) found = tensor;
    names += (matrices++ ? ", " : "") + name;
  }
  require(matrices > 0, "load_vectors", "{}: no matrix of floating-point numbers is in it", path);
  require(found.defined(), "load_vectors", "{}: there is no matrix {}; there is {}", path, wanted, names);
  require(!wanted.empty() || matrices == 1, "load_vectors", "{}: holds several matrices, say which: {}", path, names);
  return found;
}

}  // namespace

NamedVectors load_vectors(const std::string& path, const std::string& tensor) {
  if (is_npy(path)) return {as_matrix(path, io::load_npy(path)), {}};
  if (path.ends_with(".safetensors")) return {as_matrix(path, matrix_of(path, io::load_safetensors(path), tensor)), {}};
  const language::WordVectors words = language::load_word_vectors(path);
  return {words.vectors(), words.words()};
}

Labels load_labels(const std::string& path, int64_t rows) {
  Labels labels;
  if (is_npy(path)) {
    const Tensor numbers = io::load_npy(path);
    require(is_integer(numbers.dtype()) && numbers.shape() == Shape({rows}), "load_labels",
            "{}: labels must be whole numbers [{}], one a row, got {} {}", path, rows, numbers.dtype(),
            numbers.shape());
    return {numbers.to(i64).contiguous(), {}};
  }
  labels.numbers = Tensor::empty({rows}, {i64, cpu_device});
  std::unordered_map<std::string, int64_t> known;
  std::istringstream text(io::read_file(path));
  int64_t row = 0;
  for (std::string line; std::getline(text, line); ++row) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const auto [entry, is_new] = known.try_emplace(line, static_cast<int64_t>(known.size()));
    if (is_new) labels.names.push_back(line);
    if (row < rows) labels.numbers.data<int64_t>()[row] = entry->second;
  }
  require(row == rows, "load_labels", "{}: expected a label a line for {} rows, got {} lines", path, rows, row);
  return labels;
}

}  // namespace percale::embeddings
