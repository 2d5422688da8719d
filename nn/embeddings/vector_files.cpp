#include "vector_files.h"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <unordered_map>

#include "../../core/io/file.h"
#include "../../core/io/npy.h"
#include "../../core/io/safetensors.h"
#include "../../kernels/index_select/index_select.h"
#include "../text/word2vec_file.h"

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

std::vector<std::string> lines_of(const std::string& content) {
  std::vector<std::string> lines;
  std::istringstream text(content);
  for (std::string line; std::getline(text, line); lines.push_back(line))
    if (!line.empty() && line.back() == '\r') line.pop_back();
  return lines;
}

// Words where save_word_vectors puts them beside the vectors, if they are there.

std::vector<std::string> words_beside(const std::string& npy) {
  const std::string path = npy + ".words.txt";
  return std::filesystem::exists(path) ? lines_of(io::read_file(path)) : std::vector<std::string>();
}

std::vector<std::string> words_in(const io::Safetensors& file) {
  const Tensor words = file.find("words");
  if (!words.defined() || words.dtype() != u8) return {};
  return lines_of({static_cast<const char*>(words.data()), static_cast<size_t>(words.numel())});
}

NamedVectors named(const std::string& path, const Tensor& matrix, std::vector<std::string> names) {
  NamedVectors found{as_matrix(path, matrix), std::move(names)};
  require(found.names.empty() || std::ssize(found.names) == found.vectors.size(0), "load_vectors",
          "{}: there are {} words for {} vectors", path, found.names.size(), found.vectors.size(0));
  return found;
}

NamedVectors chosen_of(const NamedVectors& all, const std::vector<int64_t>& rows) {
  NamedVectors chosen;
  const Tensor index = Tensor::empty({std::ssize(rows)}, {i64, cpu_device});
  std::copy(rows.begin(), rows.end(), index.data<int64_t>());
  chosen.vectors = index_select(all.vectors, 0, index);
  for (const int64_t row : rows) chosen.names.push_back(all.names[static_cast<size_t>(row)]);
  return chosen;
}

}  // namespace

NamedVectors load_vectors(const std::string& path, const std::string& tensor) {
  if (is_npy(path)) return named(path, io::load_npy(path), words_beside(path));
  if (path.ends_with(".safetensors")) {
    const io::Safetensors file = io::load_safetensors(path);
    return named(path, matrix_of(path, file, tensor), words_in(file));
  }
  language::WordRows words = language::read_word2vec(io::Source(path));
  return {words.vectors, std::move(words.words)};
}

std::pair<NamedVectors, NamedVectors> in_common(const NamedVectors& now, NamedVectors before) {
  if (now.names.empty() || before.names.empty() || now.names == before.names) return {now, std::move(before)};
  std::unordered_map<std::string_view, int64_t> earlier;
  for (size_t i = 0; i < before.names.size(); ++i) earlier.try_emplace(before.names[i], static_cast<int64_t>(i));
  std::vector<int64_t> rows, old_rows;
  for (size_t i = 0; i < now.names.size(); ++i)
    if (const auto found = earlier.find(now.names[i]); found != earlier.end()) {
      rows.push_back(static_cast<int64_t>(i));
      old_rows.push_back(found->second);
    }
  require(!rows.empty(), "in_common", "none of {} names is among the {} older ones", now.names.size(),
          before.names.size());
  return {chosen_of(now, rows), chosen_of(before, old_rows)};
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
  const std::vector<std::string> lines = lines_of(io::read_file(path));
  require(std::ssize(lines) == rows, "load_labels", "{}: expected a label a line for {} rows, got {} lines", path, rows,
          lines.size());
  labels.numbers = Tensor::empty({rows}, {i64, cpu_device});
  std::unordered_map<std::string_view, int64_t> known;
  for (int64_t row = 0; row < rows; ++row) {
    const std::string& line = lines[static_cast<size_t>(row)];
    const auto [entry, is_new] = known.try_emplace(line, std::ssize(labels.names));
    if (is_new) labels.names.push_back(line);
    labels.numbers.data<int64_t>()[row] = entry->second;
  }
  return labels;
}

}  // namespace percale::embeddings
