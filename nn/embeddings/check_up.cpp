#include "check_up.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <numeric>
#include <span>
#include <string_view>
#include <unordered_map>

#include "../../core/autograd.h"
#include "../../core/io/file.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/index_select/index_select.h"
#include "../../kernels/matmul/matmul.h"
#include "../../kernels/reduction/reduction.h"
#include "neighbour_lists.h"

namespace percale::embeddings {
namespace {

template <class... Values>
std::string words(const char* format, Values... values) {
  char text[320];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string of_rows(int64_t count, int64_t all) {
  return words("%lld of %lld", static_cast<long long>(count), static_cast<long long>(all));
}

/// The numbers of the rows that `is_right(row)` holds for.
template <class Test>
std::vector<int64_t> rows_where(const Tensor& vectors, Test is_right) {
  std::vector<int64_t> rows;
  const int64_t width = vectors.size(1);
  for (int64_t i = 0; i < vectors.size(0); ++i)
    if (is_right(vectors.data<float>() + i * width, width)) rows.push_back(i);
  return rows;
}

bool is_finite(const float* row, int64_t width) {
  return std::all_of(row, row + width, [](float value) { return std::isfinite(value); });
}
bool is_zero(const float* row, int64_t width) {
  return std::all_of(row, row + width, [](float value) { return value == 0; });
}

Tensor as_tensor(const std::vector<int64_t>& values) {
  const Tensor tensor = Tensor::empty({static_cast<int64_t>(values.size())}, {i64, cpu_device});
  std::copy(values.begin(), values.end(), tensor.data<int64_t>());
  return tensor;
}

/// The rows that are looked at.
struct Rows {
  Tensor vectors;
  Tensor numbers;                         ///< i64: which of the rows that were given they are
  const std::vector<std::string>& names;  ///< of all that were given

  std::string name(int64_t row) const { return row_name(names, numbers.data<int64_t>()[row]); }
};

constexpr size_t most_examples = 5;

Finding not_finite(const std::vector<int64_t>& bad, const Tensor& given, const std::vector<std::string>& names) {
  Finding found{"not finite", of_rows(std::ssize(bad), given.size(0)) + " rows",
                bad.empty()
                    ? "no NaN, no infinity"
                    : "rows with NaN or infinity poison every search: mend them first (they are left out below)",
                static_cast<double>(bad.size()), bad.empty()};
  for (size_t i = 0; i < std::min(bad.size(), most_examples); ++i) found.examples.push_back(row_name(names, bad[i]));
  return found;
}

Finding zeros_found(const Rows& rows) {
  const std::vector<int64_t> zero = rows_where(rows.vectors, is_zero);
  Finding found{"zeros", of_rows(std::ssize(zero), rows.vectors.size(0)) + " rows",
                zero.empty() ? "no row is zero"
                             : "a zero vector has no direction: its cosine is not defined (an empty input? padding?)",
                static_cast<double>(zero.size()), zero.empty()};
  for (size_t i = 0; i < std::min(zero.size(), most_examples); ++i) found.examples.push_back(rows.name(zero[i]));
  return found;
}

Finding dead_dimensions(const Rows& given) {
  const Tensor& vectors = given.vectors;
  const int64_t rows = vectors.size(0), width = vectors.size(1);
  const float* first = vectors.data<float>();
  int64_t dead = 0;
  std::vector<char> varies(static_cast<size_t>(width));
  for (int64_t i = 1; i < rows; ++i)
    for (int64_t c = 0; c < width; ++c) varies[static_cast<size_t>(c)] |= first[i * width + c] != first[c];
  if (rows > 1) dead = std::count(varies.begin(), varies.end(), 0);
  return {"dead dims", of_rows(dead, width),
          dead ? "these columns are the same in every row: they cost memory and say nothing" : "every dimension varies",
          static_cast<double>(dead), dead == 0};
}

Finding norms(const Rows& given) {
  const Tensor& vectors = given.vectors;
  const int64_t width = vectors.size(1);
  double least = INFINITY, largest = 0, sum = 0, squares = 0;
  for (int64_t i = 0; i < vectors.size(0); ++i) {
    double square = 0;
    for (const float value : std::span(vectors.data<float>() + i * width, static_cast<size_t>(width)))
      square += static_cast<double>(value) * value;
    const double norm = std::sqrt(square);
    least = std::min(least, norm), largest = std::max(largest, norm), sum += norm, squares += square;
  }
  const auto rows = static_cast<double>(vectors.size(0));
  const double mean = sum / rows, deviation = std::sqrt(std::max(0.0, squares / rows - mean * mean));
  const double spread = mean > 0 ? deviation / mean : 0;
  const bool unit = std::abs(least - 1) < 1e-3 && std::abs(largest - 1) < 1e-3;
  return {"norms", words("%.4g to %.4g, mean %.4g", least, largest, mean),
          unit           ? "all of length 1: dot product, cosine and distance rank alike"
          : spread > 0.5 ? "lengths differ widely: a dot product ranks long vectors first; use cosine, or normalise"
                         : "lengths differ: dot product and cosine rank differently",
          spread, unit || spread <= 0.5};
}

Finding duplicates(const Rows& given) {
  const Tensor& vectors = given.vectors;
  const auto bytes = static_cast<size_t>(vectors.size(1)) * sizeof(float);
  std::unordered_map<std::string_view, int64_t> seen;
  seen.reserve(static_cast<size_t>(vectors.size(0)));
  std::vector<std::string> examples;
  int64_t count = 0;
  for (int64_t i = 0; i < vectors.size(0); ++i) {
    const auto [earlier, is_new] =
        seen.try_emplace({reinterpret_cast<const char*>(vectors.data<float>() + i * vectors.size(1)), bytes}, i);
    if (is_new) continue;
    ++count;
    if (examples.size() < most_examples) examples.push_back(given.name(i) + " = " + given.name(earlier->second));
  }
  const double share = static_cast<double>(count) / static_cast<double>(vectors.size(0));
  return {"duplicates",
          of_rows(count, vectors.size(0)) + " rows",
          count == 0 ? "no two rows are equal"
          : share < 0.01
              ? "a few rows are equal to earlier ones: the same inputs, perhaps"
              : "many rows are equal to earlier ones: inputs stand there twice, or the model cannot tell them "
                "apart",
          static_cast<double>(count),
          share < 0.01,
          examples};
}

/// The participation ratio: the covariance's trace squared over its squared Frobenius norm, in f64, some rows at a
/// time.
double participation_ratio(const Tensor& vectors) {
  constexpr int64_t block = 4096;
  const int64_t rows = vectors.size(0), width = vectors.size(1);
  Tensor mean_row = zeros({width}, {f64, cpu_device}), covariance = zeros({width, width}, {f64, cpu_device});
  for (int64_t begin = 0; begin < rows; begin += block)
    mean_row = add(mean_row, sum(vectors.slice(0, begin, std::min(rows, begin + block)).to(f64), {0}));
  mean_row = div(mean_row, static_cast<double>(rows));
  for (int64_t begin = 0; begin < rows; begin += block) {
    const Tensor centred = sub(vectors.slice(0, begin, std::min(rows, begin + block)).to(f64), mean_row);
    covariance = add(covariance, matmul(centred.t(), centred));
  }
  double trace = 0;
  for (int64_t c = 0; c < width; ++c) trace += covariance.data<double>()[c * width + c];
  const double square = sum(mul(covariance, covariance)).item<double>();
  return square > 0 ? trace * trace / square : 0;
}

Finding rank(const Rows& given) {
  const Tensor& vectors = given.vectors;
  const double ratio = participation_ratio(vectors), share = ratio / static_cast<double>(vectors.size(1));
  const bool good = share >= 0.1 || vectors.size(1) <= 8;
  return {"rank", words("%.1f of %lld dims", ratio, static_cast<long long>(vectors.size(1))),
          ratio <= 1.5 && vectors.size(1) > 2 ? "nearly all variance lies along one line: the model has collapsed"
          : good                              ? "the variance is spread over many dimensions"
                 : "few dimensions carry the variance: a narrower model, or PCA, would do as well",
          ratio, good && !(ratio <= 1.5 && vectors.size(1) > 2)};
}

/// Of all pairs of different rows that are not zero: from the sum of the unit vectors.
Finding mean_cosine(const Rows& given) {
  const Tensor& vectors = given.vectors;
  const int64_t width = vectors.size(1);
  std::vector<double> sums(static_cast<size_t>(width));
  double count = 0;
  for (int64_t i = 0; i < vectors.size(0); ++i) {
    const float* row = vectors.data<float>() + i * width;
    double square = 0;
    for (int64_t c = 0; c < width; ++c) square += static_cast<double>(row[c]) * row[c];
    if (square == 0) continue;
    ++count;
    for (int64_t c = 0; c < width; ++c) sums[static_cast<size_t>(c)] += row[c] / std::sqrt(square);
  }
  const double square = std::inner_product(sums.begin(), sums.end(), sums.begin(), 0.0);
  const double mean = count > 1 ? (square - count) / (count * (count - 1)) : 0;
  return {"mean cosine", words("%.3f", mean),
          mean > 0.5   ? "all vectors point one way, so that cosines hardly differ: subtract the mean vector"
          : mean > 0.2 ? "vectors lean one way: subtracting the mean vector makes cosines tell more"
                       : "vectors point all ways",
          mean, mean <= 0.2};
}

Finding hubs(const Rows& given, const Tensor& neighbours) {
  std::vector<double> occurrences(static_cast<size_t>(given.vectors.size(0)));
  for (const int64_t row : neighbours.span<int64_t>()) ++occurrences[static_cast<size_t>(row)];
  const auto rows = static_cast<double>(occurrences.size()), mean = static_cast<double>(neighbours.numel()) / rows;
  double second = 0, third = 0;
  for (const double each : occurrences) second += std::pow(each - mean, 2), third += std::pow(each - mean, 3);
  second /= rows, third /= rows;
  const double skewness = second > 0 ? third / std::pow(second, 1.5) : 0;
  std::vector<int64_t> order(occurrences.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto leading = order.begin() + static_cast<int64_t>(std::min(order.size(), most_examples));
  std::partial_sort(order.begin(), leading, order.end(), [&](int64_t a, int64_t b) {
    return std::pair(-occurrences[static_cast<size_t>(a)], a) < std::pair(-occurrences[static_cast<size_t>(b)], b);
  });
  const std::string times = words("%.0f times", occurrences[static_cast<size_t>(order[0])] / mean),
                    most = given.name(order[0]);
  Finding found{"hubs", words("skewness %.2f", skewness),
                skewness > 3 ? "a few rows are neighbours of very many others (" + most + " of " + times +
                                   " as many as a row on average): searches return them too often; centre or "
                                   "normalise the vectors"
                             : "no row is everyone's neighbour (the most frequent, " + most + ", " + times +
                                   " as often as a row on average)",
                skewness, skewness <= 3};
  if (!found.good)
    std::for_each(order.begin(), leading, [&](int64_t row) { found.examples.push_back(given.name(row)); });
  return found;
}

Tensor checked(const Tensor& vectors, const char* operation) {
  require(vectors.rank() == 2 && vectors.numel() > 0 && vectors.dtype() == f32 && vectors.device().is_cpu(), operation,
          "vectors must be f32 [rows, width] on the CPU, got {} {}", vectors.dtype(), vectors.shape());
  return vectors.detach().contiguous();
}

}  // namespace

std::string row_name(const std::vector<std::string>& names, int64_t row) {
  return names.empty() ? "row " + std::to_string(row) : io::shown(names[static_cast<size_t>(row)]);
}

CheckUp check_up(const Tensor& vectors, const CheckUpOptions& options) {
  const NoGradGuard no_grad;
  const Tensor given = checked(vectors, "check_up");
  require(options.names.empty() || std::ssize(options.names) == given.size(0), "check_up",
          "{} rows need as many names, got {}", given.size(0), options.names.size());
  const std::vector<int64_t> sound = rows_where(given, is_finite),
                             bad = rows_where(given, [](auto... row) { return !is_finite(row...); });
  CheckUp result;
  result.findings.push_back(not_finite(bad, given, options.names));
  if (sound.empty()) return result;
  const Rows finite{.vectors = bad.empty() ? given : index_select(given, 0, as_tensor(sound)),
                    .numbers = as_tensor(sound),
                    .names = options.names};
  for (const auto look : {zeros_found, dead_dimensions, norms, duplicates, rank, mean_cosine})
    result.findings.push_back(look(finite));
  const int64_t count = finite.vectors.size(0), k = std::min(options.neighbours, count - 1);
  if (k < 1) return result;
  const Tensor queries = spread_rows(count, options.most_queries);
  const Tensor neighbours = neighbours_of(finite.vectors, queries, k);
  result.findings.push_back(hubs(finite, neighbours));
  // In the numbers of the rows as they were given.
  result.queries = index_select(finite.numbers, 0, queries);
  result.neighbours = index_select(finite.numbers, 0, neighbours.reshape({-1})).reshape(neighbours.shape());
  return result;
}

double label_accuracy(const CheckUp& checked, const Tensor& labels) {
  require(checked.queries.defined(), "label_accuracy", "there were too few rows for neighbours");
  const int64_t count = checked.queries.numel(), k = checked.neighbours.size(1);
  int64_t right = 0;
  for (int64_t i = 0; i < count; ++i)
    right += labels.data<int64_t>()[checked.queries.data<int64_t>()[i]] ==
             labels.data<int64_t>()[checked.neighbours.data<int64_t>()[i * k]];
  return static_cast<double>(right) / static_cast<double>(count);
}

namespace {

double cosine_of(const Tensor& a, const Tensor& b, const Tensor& rows) {
  double total = 0;
  for (const int64_t row : rows.span<int64_t>()) {
    const float *x = a.data<float>() + row * a.size(1), *y = b.data<float>() + row * b.size(1);
    double product = 0, of_x = 0, of_y = 0;
    for (int64_t c = 0; c < a.size(1); ++c)
      product += double{x[c]} * y[c], of_x += double{x[c]} * x[c], of_y += double{y[c]} * y[c];
    if (of_x > 0 && of_y > 0) total += product / std::sqrt(of_x * of_y);
  }
  return total / static_cast<double>(rows.numel());
}

std::vector<int64_t> finite_in_both(const Tensor& a, const Tensor& b) {
  const std::vector<int64_t> of_a = rows_where(a, is_finite), of_b = rows_where(b, is_finite);
  std::vector<int64_t> both;
  std::set_intersection(of_a.begin(), of_a.end(), of_b.begin(), of_b.end(), std::back_inserter(both));
  return both;
}

std::string verdict_of(const Comparison& found) {
  if (found.overlap < 0.5)
    return "the index is broken: most neighbours are others now; rebuild it and test what uses it";
  if (!(found.cosine > 0.9))
    return "neighbours are much the same, but in another space: rebuild the whole index, and never mix old and new "
           "vectors";
  if (found.overlap < 0.9) return "neighbours have changed: rebuild the index";
  return "the index holds: old and new vectors may stand side by side";
}

}  // namespace

Comparison compare(const Tensor& now, const Tensor& before, const CheckUpOptions& options) {
  const NoGradGuard no_grad;
  Tensor fresh = checked(now, "compare"), old = checked(before, "compare");
  require(fresh.size(0) == old.size(0) && old.size(0) >= 3, "compare",
          "both must have the same rows, three or more, got {} and {}", fresh.size(0), old.size(0));
  const Tensor numbers = as_tensor(finite_in_both(fresh, old));
  require(numbers.numel() >= 3, "compare", "three rows or more must be finite in both, got {}", numbers.numel());
  if (numbers.numel() < old.size(0)) fresh = index_select(fresh, 0, numbers), old = index_select(old, 0, numbers);
  const int64_t k = std::min(options.neighbours, old.size(0) - 2);
  const Tensor queries = spread_rows(old.size(0), options.most_queries);
  const Tensor a = neighbours_of(fresh, queries, k), b = neighbours_of(old, queries, k);
  std::vector<double> kept(static_cast<size_t>(queries.numel()));
  Comparison result;
  for (size_t i = 0; i < kept.size(); ++i) {
    const int64_t *first = a.data<int64_t>() + static_cast<int64_t>(i) * k,
                  *second = b.data<int64_t>() + static_cast<int64_t>(i) * k;
    kept[i] = static_cast<double>(
                  std::count_if(first, first + k, [&](int64_t row) { return std::count(second, second + k, row); })) /
              static_cast<double>(k);
    result.overlap += kept[i];
  }
  result.overlap /= static_cast<double>(kept.size());
  std::vector<size_t> order(kept.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) { return kept[x] < kept[y]; });
  for (size_t i = 0; i < std::min<size_t>(10, order.size()) && kept[order[i]] < 1; ++i) {
    result.moved.push_back(numbers.data<int64_t>()[queries.data<int64_t>()[order[i]]]);
    result.kept.push_back(kept[order[i]]);
  }
  result.cosine = fresh.size(1) == old.size(1) ? cosine_of(fresh, old, queries) : NAN;
  result.verdict = verdict_of(result);
  result.good = result.overlap >= 0.9 && result.cosine > 0.9;
  return result;
}

}  // namespace percale::embeddings
