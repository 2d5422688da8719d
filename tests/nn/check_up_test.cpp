// The check-up of vectors: each fault is found where it was put, and sound vectors are called sound.
#include <gtest/gtest.h>
#include <percale/nn/embeddings/check_up.h>
#include <percale/nn/embeddings/vector_files.h>
#include <percale/percale.h>

#include <algorithm>
#include <cmath>

namespace percale {
namespace {

using embeddings::CheckUp;
using embeddings::Finding;

const Finding& finding(const CheckUp& checked, const std::string& name) {
  for (const Finding& one : checked.findings)
    if (one.name == name) return one;
  throw Error("no finding " + name);
}

Tensor sound(int64_t rows = 600, int64_t width = 16, uint64_t seed = 1) {
  manual_seed(seed);
  return randn({rows, width});
}

float* row_of(const Tensor& vectors, int64_t row) { return vectors.data<float>() + row * vectors.size(1); }

TEST(CheckUp, CallsSoundVectorsSound) {
  for (const Finding& one : embeddings::check_up(sound()).findings)
    EXPECT_TRUE(one.good) << one.name << ": " << one.verdict;
}

TEST(CheckUp, FindsEachFaultWhereItWasPut) {
  const Tensor vectors = sound();
  row_of(vectors, 5)[3] = NAN;
  row_of(vectors, 7)[0] = INFINITY;
  std::fill_n(row_of(vectors, 9), 16, 0.0f);
  for (const int64_t row : {20, 30, 40, 50, 60, 70, 80}) std::copy_n(row_of(vectors, 10), 16, row_of(vectors, row));
  for (int64_t row = 0; row < 600; ++row) row_of(vectors, row)[15] = 0;
  const CheckUp checked = embeddings::check_up(vectors);
  for (const auto& [name, value] :
       {std::pair{"not finite", 2.0}, {"zeros", 1.0}, {"duplicates", 7.0}, {"dead dims", 1.0}}) {
    EXPECT_EQ(finding(checked, name).value, value) << name;
    EXPECT_FALSE(finding(checked, name).good) << name;
  }
  for (const int64_t row : checked.queries.span<int64_t>()) EXPECT_TRUE(row != 5 && row != 7);
  EXPECT_EQ(checked.queries.data<int64_t>()[597], 599);  // numbered as they were given
  using Names = std::vector<std::string>;
  EXPECT_EQ(finding(checked, "not finite").examples, Names({"row 5", "row 7"}));
  EXPECT_EQ(finding(checked, "zeros").examples, Names({"row 9"}));
  EXPECT_EQ(finding(checked, "duplicates").examples[0], "row 20 = row 10");
  EXPECT_EQ(finding(checked, "duplicates").examples.size(), 5u);
  Names names;
  for (int i = 0; i < 600; ++i) names.push_back(std::to_string(i));
  EXPECT_EQ(finding(embeddings::check_up(vectors, {.names = names}), "duplicates").examples[0], "'20' = '10'");
  EXPECT_THROW(embeddings::check_up(vectors, {.names = {"one"}}), Error);
}

TEST(CheckUp, ComparesWhatIsFiniteInBoth) {
  const Tensor now = sound(), before = now.clone();
  row_of(now, 3)[0] = NAN;
  row_of(before, 8)[1] = INFINITY;
  std::swap_ranges(row_of(before, 20), row_of(before, 20) + 16, row_of(before, 50));
  const embeddings::Comparison found = embeddings::compare(now, before);
  EXPECT_GT(found.overlap, 0.97);
  EXPECT_GT(found.cosine, 0.99);
  EXPECT_EQ(std::min(found.moved[0], found.moved[1]), 20);
  EXPECT_EQ(std::max(found.moved[0], found.moved[1]), 50);
}

TEST(CheckUp, WordsAreMatchedByName) {
  const embeddings::NamedVectors now{sound(3, 2), {"a", "b", "c"}}, before{sound(3, 2, 2), {"c", "x", "a"}};
  const auto [fresh, old] = embeddings::in_common(now, before);
  EXPECT_EQ(fresh.names, std::vector<std::string>({"a", "c"}));
  EXPECT_EQ(old.names, fresh.names);
  EXPECT_EQ(fresh.vectors[1].data<float>()[0], row_of(now.vectors, 2)[0]);
  EXPECT_EQ(old.vectors[0].data<float>()[1], row_of(before.vectors, 2)[1]);
  EXPECT_EQ(embeddings::in_common({now.vectors, {}}, before).second.vectors.size(0), 3);
}

TEST(CheckUp, MeasuresWhatItSaysItMeasures) {
  const Tensor vectors = sound(300, 6);
  for (int64_t row = 0; row < 300; ++row)
    for (int64_t c = 0; c < 6; ++c)
      row_of(vectors, row)[c] = row_of(vectors, row)[c] * (c < 2 ? 1.0f : 0.01f) + (c == 5);
  const CheckUp checked = embeddings::check_up(vectors);
  EXPECT_NEAR(finding(checked, "rank").value, 2, 0.1);  // two dimensions carry the variance
  double total = 0;
  for (int64_t i = 0; i < 300; ++i)
    for (int64_t j = 0; j < i; ++j) {
      double product = 0, of_i = 0, of_j = 0;
      for (int64_t c = 0; c < 6; ++c) {
        const double x = row_of(vectors, i)[c], y = row_of(vectors, j)[c];
        product += x * y, of_i += x * x, of_j += y * y;
      }
      total += product / std::sqrt(of_i * of_j);
    }
  EXPECT_NEAR(finding(checked, "mean cosine").value, total / (300 * 299 / 2.0), 1e-9);
  EXPECT_FALSE(finding(checked, "mean cosine").good);
  const Tensor line = zeros({50, 3});
  for (int64_t row = 0; row < 50; ++row) row_of(line, row)[1] = static_cast<float>(row);
  EXPECT_NEAR(finding(embeddings::check_up(line), "rank").value, 1, 1e-9);
  EXPECT_FALSE(finding(embeddings::check_up(line), "rank").good);
}

/// One row that is near to all others, which are far from each other.
TEST(CheckUp, FindsAHub) {
  const Tensor vectors = sound(400, 64);
  for (int64_t c = 0; c < 64; ++c) {
    float mean = 0;
    for (int64_t row = 1; row < 400; ++row) mean += row_of(vectors, row)[c] += 0.3f;
    row_of(vectors, 0)[c] = mean;
  }
  const Finding hubs = finding(embeddings::check_up(vectors), "hubs");
  EXPECT_FALSE(hubs.good) << hubs.measure;
  EXPECT_NE(hubs.verdict.find("(row 0 of"), std::string::npos) << hubs.verdict;
  EXPECT_GT(hubs.value, 3);
}

TEST(CheckUp, LabelsAreThoseOfTheNearest) {
  const Tensor vectors = sound(200, 4), labels = zeros({200}, {i64, cpu_device});
  for (int64_t row = 0; row < 200; ++row) {
    labels.data<int64_t>()[row] = row % 2;
    row_of(vectors, row)[0] = row % 2 ? 40.0f : -40.0f;
  }
  const CheckUp checked = embeddings::check_up(vectors);
  EXPECT_EQ(embeddings::label_accuracy(checked, labels), 1);
  labels.data<int64_t>()[0] = 1;
  EXPECT_LT(embeddings::label_accuracy(checked, labels), 1);
}

TEST(CheckUp, ComparesANewModelWithTheOldOne) {
  const Tensor old = sound(500, 8);
  const auto same = embeddings::compare(old, old);
  EXPECT_EQ(same.overlap, 1);
  EXPECT_NEAR(same.cosine, 1, 1e-6);
  EXPECT_TRUE(same.good && same.moved.empty());
  // Turned about: all cosines between rows stay, and none with the old ones.
  const auto turned = embeddings::compare(mul(old, -1.0), old);
  EXPECT_GT(turned.overlap, 0.99);
  EXPECT_FALSE(turned.good);
  EXPECT_NE(turned.verdict.find("never mix"), std::string::npos) << turned.verdict;
  // One row elsewhere.
  const Tensor moved = old.clone();
  for (int64_t c = 0; c < 8; ++c) row_of(moved, 123)[c] = -row_of(old, 123)[c];
  const auto one = embeddings::compare(moved, old);
  ASSERT_FALSE(one.moved.empty());
  EXPECT_EQ(one.moved[0], 123);
  EXPECT_EQ(one.kept[0], 0);
  EXPECT_TRUE(one.good) << one.overlap;
  const auto other = embeddings::compare(sound(500, 8, 2), old);
  EXPECT_LT(other.overlap, 0.1);
  EXPECT_NE(other.verdict.find("broken"), std::string::npos);
  EXPECT_THROW(embeddings::compare(sound(499, 8), old), Error);
}

TEST(CheckUp, LooksAtLittleAndRefusesNothing) {
  EXPECT_THROW(embeddings::check_up(zeros({0, 3})), Error);
  EXPECT_THROW(embeddings::check_up(zeros({3, 3}, {f64, cpu_device})), Error);
  EXPECT_EQ(embeddings::check_up(full({1, 3}, 2.0)).findings.size(), 7u);  // one row has no neighbours
  EXPECT_EQ(embeddings::check_up(full({2, 3}, NAN)).findings.size(), 1u);
  EXPECT_EQ(embeddings::check_up(sound(2, 3)).neighbours.shape(), Shape({2, 1}));
}

}  // namespace
}  // namespace percale
