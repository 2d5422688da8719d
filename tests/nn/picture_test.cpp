// Pictures: principal components against what is known of them, and files that are whole PNGs or not there.
#include "../../nn/picture/picture.h"

#include <gtest/gtest.h>

#include <cmath>

#include "../../core/cpu/threads.h"
#include "../../core/io/file.h"
#include "../../kernels/fill/fill.h"
#include "../../nn/picture/axis.h"
#include "../testing/folder.h"

/// fontconfig keeps what it has read in ways that LeakSanitizer does not follow; it grows no further with more
/// pictures.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig.so\n"; }

namespace percale {
namespace {

/// A long thin cloud along (3, 4, 0) with some width along (-4, 3, 0) and nearly none along the third axis.
Tensor cloud(int64_t count) {
  Tensor points = Tensor::empty({count, 3});
  for (int64_t i = 0; i < count; ++i) {
    const double along = std::sin(static_cast<double>(i) * 0.7) * 10, across = std::cos(static_cast<double>(i) * 1.3);
    float* row = points.data<float>() + 3 * i;
    row[0] = static_cast<float>(0.6 * along - 0.8 * across + 5);
    row[1] = static_cast<float>(0.8 * along + 0.6 * across - 2);
    row[2] = static_cast<float>(0.001 * std::sin(static_cast<double>(i)));
  }
  return points;
}

TEST(Picture, PrincipalComponentsFindTheDirections) {
  const auto found = picture::principal_components(cloud(1000), 2);
  const double* first = found.directions.data<double>();
  EXPECT_NEAR(first[0], 0.6, 1e-2);
  EXPECT_NEAR(first[1], 0.8, 1e-2);
  EXPECT_NEAR(first[0] * first[3] + first[1] * first[4] + first[2] * first[5], 0, 1e-12);
  EXPECT_NEAR(found.mean.data<double>()[0], 5, 0.1);
  EXPECT_GT(found.share.data<double>()[0], 0.98);
  const Tensor flat = found.project(cloud(1000));
  double variance[2] = {};
  for (int64_t i = 0; i < 1000; ++i)
    for (int k = 0; k < 2; ++k) variance[k] += std::pow(flat.data<float>()[2 * i + k], 2) / 1000;
  EXPECT_NEAR(variance[1] / variance[0], found.share.data<double>()[1] / found.share.data<double>()[0], 1e-5);
}

TEST(Picture, PrincipalComponentsAreTheSameBytesAtAnyNumberOfThreads) {
  const int threads = cpu::num_threads();
  std::string bytes[2];
  for (int i = 0; i < 2; ++i) {
    cpu::set_num_threads(i + 1);
    const auto found = picture::principal_components(cloud(500), 3);
    bytes[i] = std::string(reinterpret_cast<const char*>(found.directions.data()), 9 * sizeof(double));
  }
  cpu::set_num_threads(threads);
  EXPECT_EQ(bytes[0], bytes[1]);
}

TEST(Picture, PrincipalComponentsOfPointsWithoutSpread) {
  const auto found = picture::principal_components(ones({4, 3}), 2);
  EXPECT_EQ(found.share.data<double>()[0], 0);
  for (const float value : found.project(ones({4, 3})).span<float>()) EXPECT_EQ(value, 0);
  EXPECT_THROW(picture::principal_components(full({2, 2}, NAN)), Error);
  EXPECT_THROW(picture::principal_components(ones({2, 2}), 3), Error);
  EXPECT_THROW(picture::principal_components(zeros({0, 2})), Error);
}

TEST(Picture, AxesOfComponentsSayHowMuchTheyShow) {
  const picture::PrincipalComponents found{.mean = {}, .directions = {}, .share = full({2}, 0.256, {f64, cpu_device})};
  EXPECT_EQ(found.x_label(), "first principal component (26 % of the variance)");
  EXPECT_EQ(found.y_label(), "second (26 %)");
}

TEST(Picture, AxesHaveRoundNumbers) {
  const picture::Axis axis = picture::make_axis(0, 0.93, 5);
  ASSERT_EQ(axis.ticks.size(), 5u);
  EXPECT_NEAR(axis.ticks.back(), 0.8, 1e-12);
  EXPECT_EQ(axis.digits, 1);
  EXPECT_EQ(picture::make_axis(1, 5, 8, true).ticks.size(), 5u);
  EXPECT_EQ(picture::make_axis(3, 3, 5).ticks.empty(), false);
  EXPECT_EQ(picture::number(1234567, 0), "1,234,567");
  EXPECT_EQ(picture::number(-1234.5), "-1,234.5");
  EXPECT_EQ(picture::number(0.25), "0.25");
  EXPECT_EQ(picture::percent(0.9752, 1), "97.5 %");
}

TEST(Picture, EveryPanelIsWrittenAsOnePng) {
  const testing::Folder folder;
  const std::string path = folder / "panels.png", metrics = folder / "metrics.jsonl";
  io::write_file(metrics, "{\"epoch\":1,\"loss\":0.5}\n{\"epoch\":2,\"loss\":0.25}\n{\"final\":true}\n");
  Tensor classes = tensor({0, 1, 2, 1, 11});
  const auto flat = picture::principal_components(cloud(5)).project(cloud(5));
  std::string bytes[2];
  for (std::string& written : bytes) {
    picture::save(
        path,
        {picture::heat_map(eye(3), {.title = "A", .row_names = {"cat", "dog", "bird"}}),
         picture::scatter(flat, classes, {.x_label = "x", .y_label = "y"}), picture::metrics_chart(metrics, {"loss"}),
         picture::labelled_scatter(flat, {"one", "two", "three", "four", "five"}, {.title = "B", .x_label = "x"}),
         picture::heat_map(ones({2, 60}), {.column_names = std::vector<std::string>(60, "a long name")}),
         picture::image_grid(zeros({3, 3, 8, 5}), {.captions = {"a", "b"}})},
        {.title = "Title", .note = "Note"});
    written = io::read_file(path);
  }
  EXPECT_EQ(bytes[0].substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(bytes[0], bytes[1]);
}

TEST(Picture, RefusesWhatItCannotDraw) {
  EXPECT_THROW(picture::heat_map(zeros({3})), Error);
  EXPECT_THROW(picture::heat_map(full({2, 2}, -1)), Error);
  EXPECT_THROW(picture::scatter(zeros({3, 2}), zeros({3})), Error);
  EXPECT_THROW(picture::scatter(zeros({3, 3}), zeros({3}, {i64, cpu_device})), Error);
  EXPECT_THROW(picture::labelled_scatter(zeros({3, 2}), {"a", "b"}), Error);
  EXPECT_THROW(picture::labelled_scatter(zeros({3}), {"a", "b", "c"}), Error);
  EXPECT_THROW(picture::labelled_scatter(full({1, 2}, NAN), {"a"}), Error);
  EXPECT_THROW(picture::image_grid(zeros({2, 2, 4, 4})), Error);
  EXPECT_THROW(picture::line_chart({}), Error);
  EXPECT_THROW(picture::save("/nowhere/at/all.png", picture::heat_map(eye(2))), Error);
}

}  // namespace
}  // namespace percale
