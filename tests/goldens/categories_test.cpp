// Category codes against pandas (categories.py): every column of three data sets and of a file of hard cases.
#include "../../nn/data/categories.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "../../nn/data/sha256.h"

namespace percale::data {
namespace {

const nlohmann::json& golden() {
  static const auto all =
      nlohmann::json::parse(std::ifstream(PERCALE_SOURCE_DIR "/tests/goldens/categories.json")).at("files");
  return all;
}

std::string sha256(std::string_view bytes) {
  Sha256 sum;
  sum.add(bytes);
  return sum.finish();
}

std::string codes_sha256(const Tensor& codes) {
  return sha256({static_cast<const char*>(codes.data()), static_cast<size_t>(codes.numel()) * sizeof(int64_t)});
}

std::string dtype(ColumnKind kind, bool missing) {
  if (kind == ColumnKind::whole) return "int64";
  if (kind == ColumnKind::natural) return "uint64";
  if (kind == ColumnKind::real || kind == ColumnKind::whole_as_real) return "float64";
  if (kind == ColumnKind::truth) return missing ? "object" : "bool";
  return kind == ColumnKind::huge ? "object" : "str";
}

void expect_equal(const std::string& path, const nlohmann::json& expected) {
  const Table table = read_table(path);
  EXPECT_EQ(table.rows(), expected.at("rows"));
  ASSERT_EQ(table.columns.size(), expected.at("columns").size());
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const nlohmann::json& pandas = expected["columns"][i];
    const TextColumn& column = table.columns[i];
    SCOPED_TRACE(column.name());
    EXPECT_EQ(column.name(), pandas.at("name"));
    const Categories categories(column);
    const Tensor codes = categories.codes(column);
    const auto all = codes.span<int64_t>();
    EXPECT_EQ(dtype(categories.kind(), std::find(all.begin(), all.end(), -1) != all.end()), pandas.at("dtype"));
    EXPECT_EQ(categories.count(), pandas.at("count"));
    std::string names;
    for (const std::string& name : categories.names()) names += name + '\0';
    const auto first = pandas.at("names").get<std::vector<std::string>>();
    EXPECT_TRUE(std::equal(first.begin(), first.end(), categories.names().begin()));
    EXPECT_EQ(sha256(names), pandas.at("names_sha256"));
    EXPECT_EQ(codes_sha256(codes), pandas.at("codes_sha256"));

    // Saved and loaded, the dictionary gives the same codes.
    const Categories loaded(categories.kind(), categories.names());
    EXPECT_EQ(codes_sha256(loaded.codes(column)), pandas.at("codes_sha256"));
  }
}

TEST(Categories, OfHardCasesArePandas) {
  expect_equal(PERCALE_SOURCE_DIR "/tests/goldens/hard.csv", golden().at("hard.csv"));
}

class CategoriesOf : public ::testing::TestWithParam<const char*> {};

TEST_P(CategoriesOf, IsPandas) {
  const char* data = std::getenv("PERCALE_DATA");
  const std::string path = std::string(data ? data : PERCALE_SOURCE_DIR "/../shared/data") + "/csv/" + GetParam();
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path << "; $PERCALE_DATA names the folder of data sets";
  expect_equal(path, golden().at(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Files, CategoriesOf, ::testing::Values("titanic.csv", "penguins.csv", "adult.csv"));

}  // namespace
}  // namespace percale::data
