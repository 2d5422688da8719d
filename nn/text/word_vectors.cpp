#include "word_vectors.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "../../core/cpu/threads.h"
#include "../../core/error.h"
#include "../../core/io/file.h"
#include "word_counts.h"

namespace percale::language {
namespace {

/// Sixteen sums at a time, so that the compiler may use vectors without changing the result's bits.
double dot(const float* a, const float* b, int64_t count) {
  float sums[16] = {};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (int k = 0; k < 16; ++k) sums[k] += a[i + k] * b[i + k];
  double total = 0;
  for (const float sum : sums) total += static_cast<double>(sum);
  for (; i < count; ++i) total += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return total;
}

double similarity_of(double product, double length_a, double length_b, Distance distance) {
  if (distance == Distance::dot) return product;
  if (distance == Distance::cosine)
    return length_a > 0 && length_b > 0 ? std::clamp(product / (length_a * length_b), -1.0, 1.0) : 0;
  return -std::sqrt(std::max(0.0, length_a * length_a + length_b * length_b - 2 * product));
}

constexpr int64_t grain = 4096;

}  // namespace

WordVectors::WordVectors(std::vector<std::string> words, const Tensor& vectors)
    : words_(std::move(words)), vectors_(vectors.to(cpu_device).contiguous()), lengths_(words_.size()) {
  require(vectors_.rank() == 2 && vectors_.dtype() == f32 && vectors_.size(0) == size() && width() > 0 && size() > 0,
          "word_vectors", "expected vectors [{}, width] of f32, got {} of {}", words_.size(), vectors_.shape(),
          vectors_.dtype());
  slots_.assign(std::bit_ceil(2 * words_.size()), -1);
  for (size_t i = 0; i < words_.size(); ++i) {
    require(!words_[i].empty(), "word_vectors", "word {} is empty", i);
    size_t at = hash_of(words_[i]) & (slots_.size() - 1);
    for (; slots_[at] >= 0; at = (at + 1) & (slots_.size() - 1))
      require(words_[static_cast<size_t>(slots_[at])] != words_[i], "word_vectors",
              "the word {} is there twice, at {} and {}", io::shown(words_[i]), slots_[at], i);
    slots_[at] = static_cast<int32_t>(i);
  }
  cpu::parallel_for(size(), grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* vector = vectors_.data<float>() + row * width();
      lengths_[static_cast<size_t>(row)] = std::sqrt(dot(vector, vector, width()));
    }
  });
  for (size_t i = 0; i < words_.size(); ++i)
    require(std::isfinite(lengths_[i]), "word_vectors", "the vector of {} (row {}) is not finite", io::shown(words_[i]),
            i);
}

WordVectors::WordVectors(std::vector<std::string> words, const Tensor& vectors, Subwords subwords, const Tensor& pieces)
    : WordVectors(std::move(words), vectors) {
  subwords_ = std::move(subwords);
  pieces_ = pieces.to(cpu_device).contiguous();
  require(pieces_.shape() == Shape({subwords_.size(), width()}) && pieces_.dtype() == f32, "word_vectors",
          "expected pieces {} of f32, got {} of {}", Shape{subwords_.size(), width()}, pieces_.shape(),
          pieces_.dtype());
  for (int64_t row = 0; row < pieces_.size(0); ++row)
    require(std::isfinite(dot(pieces_.data<float>() + row * width(), pieces_.data<float>() + row * width(), width())),
            "word_vectors", "the vector of piece {} is not finite", row);
}

std::optional<std::vector<float>> WordVectors::vector_of(std::string_view word) const {
  if (const int64_t row = find(word); row >= 0) {
    const float* vector = vectors_.data<float>() + row * width();
    return std::vector<float>(vector, vector + width());
  }
  if (!pieces_.defined()) return std::nullopt;
  const std::vector<int32_t> known = subwords_.of(word);
  if (known.empty()) return std::nullopt;
  std::vector<float> mean(static_cast<size_t>(width()), 0.0f);
  for (const int32_t piece : known)
    for (int64_t i = 0; i < width(); ++i)
      mean[static_cast<size_t>(i)] += pieces_.data<float>()[piece * width() + i] / static_cast<float>(known.size());
  return mean;
}

int64_t WordVectors::find(std::string_view word) const {
  if (slots_.empty()) return -1;
  for (size_t at = hash_of(word) & (slots_.size() - 1); slots_[at] >= 0; at = (at + 1) & (slots_.size() - 1))
    if (words_[static_cast<size_t>(slots_[at])] == word) return slots_[at];
  return -1;
}

int64_t WordVectors::row(std::string_view word) const {
  const int64_t found = find(word);
  require(found >= 0, "word_vectors", "there is no vector for {}", io::shown(word));
  return found;
}

double WordVectors::similarity(int64_t a, int64_t b, Distance distance) const {
  const float* data = vectors_.data<float>();
  return similarity_of(dot(data + a * width(), data + b * width(), width()), lengths_[static_cast<size_t>(a)],
                       lengths_[static_cast<size_t>(b)], distance);
}

double WordVectors::similarity(const std::vector<float>& a, const std::vector<float>& b, Distance distance) const {
  const auto product = [](const std::vector<float>& x, const std::vector<float>& y) {
    return dot(x.data(), y.data(), static_cast<int64_t>(x.size()));
  };
  return similarity_of(product(a, b), std::sqrt(product(a, a)), std::sqrt(product(b, b)), distance);
}

std::vector<WordVectors::Neighbour> WordVectors::nearest(const std::vector<float>& vector, int64_t count,
                                                         Distance distance, const std::vector<int64_t>& without) const {
  require(static_cast<int64_t>(vector.size()) == width(), "nearest", "expected a vector of {} numbers, got {}", width(),
          vector.size());
  const double length = std::sqrt(dot(vector.data(), vector.data(), width()));
  std::vector<Neighbour> rows(words_.size());
  cpu::parallel_for(size(), grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const double product = dot(vectors_.data<float>() + row * width(), vector.data(), width());
      rows[static_cast<size_t>(row)] = {row,
                                        similarity_of(product, lengths_[static_cast<size_t>(row)], length, distance)};
    }
  });
  std::erase_if(rows, [&](const Neighbour& row) { return std::count(without.begin(), without.end(), row.first) > 0; });
  const auto end = rows.begin() + std::min<int64_t>(std::max<int64_t>(count, 0), static_cast<int64_t>(rows.size()));
  std::partial_sort(rows.begin(), end, rows.end(), [](const Neighbour& a, const Neighbour& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  rows.erase(end, rows.end());
  return rows;
}

std::vector<WordVectors::Neighbour> WordVectors::nearest(std::string_view word, int64_t count,
                                                         Distance distance) const {
  const std::optional<std::vector<float>> vector = vector_of(word);
  require(vector.has_value(), "word_vectors", "there is no vector for {}", io::shown(word));
  return nearest(*vector, count, distance, {find(word)});
}

std::vector<float> WordVectors::unit(int64_t row) const {
  const float* vector = vectors_.data<float>() + row * width();
  std::vector<float> unit(vector, vector + width());
  const double length = lengths_[static_cast<size_t>(row)];
  for (float& number : unit) number = length > 0 ? static_cast<float>(number / length) : 0;
  return unit;
}

std::vector<WordVectors::Neighbour> WordVectors::analogy(std::string_view a, std::string_view b, std::string_view c,
                                                         int64_t count) const {
  const std::vector<int64_t> rows = {row(a), row(b), row(c)};
  const std::vector<float> from = unit(rows[0]), to = unit(rows[1]), start = unit(rows[2]);
  std::vector<float> wanted(from.size());
  for (size_t i = 0; i < wanted.size(); ++i) wanted[i] = to[i] - from[i] + start[i];
  return nearest(wanted, count, Distance::cosine, rows);
}

}  // namespace percale::language
