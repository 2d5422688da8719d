// Rows to learn from, rows to choose by, and rows to be judged by.
#pragma once

#include <cstdint>
#include <vector>

namespace percale::data {

/// Numbers of rows, ascending in each part.
struct Split {
  std::vector<int64_t> train, validation, test;
};

/// `validation` and `test` of `count` rows drawn by the seed alone, the same on every machine; all others are to learn
/// from. An error if none are left.
Split split_rows(int64_t count, int64_t validation, int64_t test, uint64_t seed);
/// The first `train` rows, the next `validation`, the next `test`; the rest is in no part. An error if there are fewer.
Split split_in_order(int64_t count, int64_t train, int64_t validation, int64_t test);

}  // namespace percale::data
