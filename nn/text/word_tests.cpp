#include "word_tests.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "../../core/autograd.h"
#include "../../core/error.h"
#include "../../core/io/file.h"
#include "../../kernels/matmul/matmul.h"

namespace percale::language {
namespace {

std::vector<double> ranks_of(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = static_cast<double>(begin + end - 1) / 2;
  }
  return ranks;
}

std::string lower(std::string word) {
  for (char& letter : word)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter + 32);
  return word;
}

int64_t find(const WordVectors& vectors, const std::string& word) {
  const int64_t found = vectors.find(word);
  return found >= 0 ? found : vectors.find(lower(word));
}

std::vector<std::string> parts_of(std::string_view line, std::string_view between) {
  std::vector<std::string> parts;
  for (size_t begin = line.find_first_not_of(between); begin < line.size();) {
    const size_t end = std::min(line.find_first_of(between, begin), line.size());
    parts.emplace_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(between, end);
  }
  return parts;
}

/// Calls `visit(number, line)` for each line that is neither empty nor a comment.
template <class Visit>
void for_each_line(const std::string& text, Visit visit) {
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = std::string_view(text).substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (!line.empty() && line[0] != '#') visit(number, line);
    begin = end + 1;
  }
}

/// Of one word: the cosines of those that go with it, and of those that do not.
struct Judged {
  std::map<int64_t, double> near, far;
};

void count_triplets(const std::map<int64_t, Judged>& words, PairScore& score) {
  for (const auto& [word, judged] : words)
    for (const auto& [near, higher] : judged.near)
      for (const auto& [far, lower] : judged.far) {
        ++score.triplets;
        score.in_order += higher > lower;
      }
}

struct Question {
  int64_t rows[4];
};

/// How many of the questions have their answer nearest: by one product of all words with all that is asked for.
int64_t count_correct(const std::vector<Question>& questions, size_t begin, size_t end, const Tensor& units) {
  const int64_t width = units.size(1), words = units.size(0), count = static_cast<int64_t>(end - begin);
  const Tensor wanted = Tensor::empty({count, width});
  const float* unit = units.data<float>();
  for (int64_t q = 0; q < count; ++q) {
    const int64_t* rows = questions[begin + static_cast<size_t>(q)].rows;
    for (int64_t i = 0; i < width; ++i)
      wanted.data<float>()[q * width + i] =
          unit[rows[1] * width + i] - unit[rows[0] * width + i] + unit[rows[2] * width + i];
  }
  const Tensor products = matmul(wanted, units.t());
  int64_t correct = 0;
  for (int64_t q = 0; q < count; ++q) {
    const int64_t* rows = questions[begin + static_cast<size_t>(q)].rows;
    float* product = products.data<float>() + q * words;
    for (int k = 0; k < 3; ++k) product[rows[k]] = -std::numeric_limits<float>::infinity();
    correct += std::max_element(product, product + words) - product == rows[3];
  }
  return correct;
}

Tensor units_of(const WordVectors& vectors) {
  const Tensor units = vectors.vectors().clone();
  const int64_t width = vectors.width();
  for (int64_t row = 0; row < vectors.size(); ++row) {
    float* unit = units.data<float>() + row * width;
    double square = 0;
    for (int64_t i = 0; i < width; ++i) square += static_cast<double>(unit[i]) * static_cast<double>(unit[i]);
    const auto factor = static_cast<float>(square > 0 ? 1 / std::sqrt(square) : 0);
    for (int64_t i = 0; i < width; ++i) unit[i] *= factor;
  }
  return units;
}

}  // namespace

double spearman(const std::vector<double>& a, const std::vector<double>& b) {
  require(a.size() == b.size(), "spearman", "expected lists of one length, got {} and {}", a.size(), b.size());
  const std::vector<double> x = ranks_of(a), y = ranks_of(b);
  const double middle = (static_cast<double>(a.size()) - 1) / 2;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - middle) * (y[i] - middle);
    xx += (x[i] - middle) * (x[i] - middle);
    yy += (y[i] - middle) * (y[i] - middle);
  }
  return xy / std::sqrt(xx * yy);
}

PairScore score_pairs(const std::string& path, const WordVectors& vectors) {
  PairScore score;
  std::vector<double> given, found;
  std::map<int64_t, Judged> words;
  for_each_line(io::read_file(path), [&](int64_t number, std::string_view line) {
    const std::vector<std::string> parts = parts_of(line, " \t,");
    double value = 0;
    const bool three = parts.size() == 3;
    const char* end = three ? parts[2].data() + parts[2].size() : nullptr;
    const auto parsed = three ? std::from_chars(parts[2].data(), end, value)
                              : std::from_chars_result{nullptr, std::errc::invalid_argument};
    if (number == 1 && three && parsed.ec != std::errc()) return;  // a heading
    require(three && parsed.ec == std::errc() && parsed.ptr == end, "score_pairs",
            "{}: line {}: expected two words and a score, found {}", path, number, io::shown(line));
    const int64_t a = find(vectors, parts[0]), b = find(vectors, parts[1]);
    if (a < 0 || b < 0) {
      ++score.missing;
      return;
    }
    given.push_back(value);
    found.push_back(vectors.similarity(a, b));
    for (const auto& [word, other] : {std::pair{a, b}, {b, a}}) {
      if (value >= 7) words[word].near[other] = found.back();
      if (value <= 4) words[word].far[other] = found.back();
    }
  });
  require(!given.empty() || score.missing > 0, "score_pairs", "{}: expected lines of two words and a score, found none",
          path);
  score.pairs = static_cast<int64_t>(given.size());
  score.correlation = spearman(given, found);
  count_triplets(words, score);
  return score;
}

QuestionScore score_questions(const std::string& path, const WordVectors& vectors) {
  const NoGradGuard no_grad;
  QuestionScore score;
  std::vector<Question> questions;
  for_each_line(io::read_file(path), [&](int64_t number, std::string_view line) {
    if (line[0] == ':') return;
    const std::vector<std::string> parts = parts_of(line, " \t");
    require(parts.size() == 4, "score_questions", "{}: line {}: expected four words, found {}", path, number,
            io::shown(line));
    Question question;
    bool known = true;
    for (size_t k = 0; k < 4; ++k) known &= (question.rows[k] = find(vectors, parts[k])) >= 0;
    if (known)
      questions.push_back(question);
    else
      ++score.missing;
  });
  const Tensor units = units_of(vectors);
  constexpr size_t batch = 256;
  for (size_t begin = 0; begin < questions.size(); begin += batch)
    score.correct += count_correct(questions, begin, std::min(begin + batch, questions.size()), units);
  score.questions = static_cast<int64_t>(questions.size());
  return score;
}

bool has_questions(const std::string& path) {
  const io::Source source(path);
  char first = 0;
  if (source.size() > 0) source.read_at(0, &first, 1);
  return first == ':';
}

}  // namespace percale::language
