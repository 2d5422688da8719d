// Texts with labels, in three parts: to learn from, for validation, for the test.
#pragma once

#include <percale/percale.h>

#include <cstdint>
#include <string>
#include <vector>

namespace percale::apps {

struct Task {
  std::vector<std::string> texts = {};  ///< the three parts behind one another, each in the order of the file
  Tensor labels = {};                   ///< i64 [texts]
  int64_t train = 0, validation = 0, test = 0;
  std::string name = {};  ///< where they come from

  int64_t test_begin() const { return train + validation; }
  /// Of the part that is looked at while learning goes on: validation, or the test where there is none.
  int64_t watched_begin() const { return validation > 0 ? train : test_begin(); }
  int64_t watched_end() const { return validation > 0 ? test_begin() : test_begin() + test; }
};

}  // namespace percale::apps
