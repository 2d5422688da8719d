#include "split.h"

#include <algorithm>
#include <numeric>

#include "data_loader.h"

namespace percale::data {
namespace {

constexpr int64_t split_epoch = int64_t{1} << 40;  // no epoch of training: its order is the split's own

}  // namespace

Split split_rows(int64_t count, int64_t validation, int64_t test, uint64_t seed) {
  require(validation >= 0 && test >= 0 && validation < count && test < count - validation, "split",
          "{} rows for validation and {} for the test leave none of {} to learn from", validation, test, count);
  const Tensor order = shuffled_order(count, seed, split_epoch);
  const int64_t* rows = order.data<int64_t>();
  const auto part = [&](int64_t begin, int64_t end) {
    std::vector<int64_t> numbers(rows + begin, rows + end);
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  };
  return {part(validation + test, count), part(test, test + validation), part(0, test)};
}

Split split_in_order(int64_t count, int64_t train, int64_t validation, int64_t test) {
  require(train > 0 && validation >= 0 && test >= 0 && train <= count && validation <= count - train &&
              test <= count - train - validation,
          "split", "{} rows to learn from, {} for validation and {} for the test: there are {}", train, validation,
          test, count);
  const auto part = [](int64_t begin, int64_t length) {
    std::vector<int64_t> numbers(static_cast<size_t>(length));
    std::iota(numbers.begin(), numbers.end(), begin);
    return numbers;
  };
  return {part(0, train), part(train, validation), part(train + validation, test)};
}

}  // namespace percale::data
