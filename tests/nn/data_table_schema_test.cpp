// Tables as models see them: which columns are categories and which numbers, what is missing, what is wrong.
#include <gtest/gtest.h>
#include <percale/nn/data/table_schema.h>

#include <numeric>

#include "../testing/message_of.h"

namespace percale::data {
namespace {

using percale::testing::message_of;

const std::string people =
    "name,size,year,old,weight\n"
    "cat,3,2001,true,1.5\n"
    "dog,10,2002,false,\n"
    ",4,2001,true,2.5\n"
    "cat,,2003,NA,0.5\n";

Table table_of(const std::string& bytes) { return read_table(io::Source(bytes, "x.csv")); }

std::vector<std::string> names(const auto& columns) {
  std::vector<std::string> result;
  for (const auto& [name, _] : columns) result.push_back(name);
  return result;
}

using Names = std::vector<std::string>;

TEST(TableSchema, TextAndTruthAreCategoriesAndNumbersAreNumbers) {
  const Table table = table_of(people);
  const TableSchema all = TableSchema::of(table, {.target = "weight"});
  EXPECT_EQ(names(all.categories), (Names{"name", "old"}));
  EXPECT_EQ(names(all.numbers), (Names{"size", "year"}));
  EXPECT_FALSE(all.classes);
  const TableSchema chosen =
      TableSchema::of(table, {.columns = {"year", "size"}, .categories = {"year"}, .target = "old"});
  EXPECT_EQ(names(chosen.categories), Names{"year"});
  EXPECT_EQ(chosen.categories[0].second.names(), (Names{"2001", "2002", "2003"}));
  EXPECT_EQ(names(chosen.numbers), Names{"size"});
  EXPECT_EQ(chosen.classes->names(), (Names{"False", "True"}));
}

TEST(TableSchema, FewWholeNumbersAreClassesAndMoreAreNumbers) {
  std::string bytes = "few,many,x\n";
  for (int i = 0; i < 21; ++i) bytes += std::to_string(i % 20) + "," + std::to_string(i) + ",1\n";
  const Table table = table_of(bytes);
  EXPECT_EQ(TableSchema::of(table, {.target = "few"}).classes->count(), 20);
  EXPECT_FALSE(TableSchema::of(table, {.target = "many"}).classes);
}

TEST(TableSchema, MissingIsACodeOfItsOwnAndTheMean) {
  const Table table = table_of(people);
  TableSchema schema = TableSchema::of(table, {.columns = {"name", "size"}, .target = "weight"});
  schema.fit(table, {0, 1, 3});
  const Tensor codes = schema.codes(table), values = schema.values(table);
  const std::vector<int64_t> expected_codes = {0, 1, 2, 0};
  EXPECT_TRUE(std::equal(expected_codes.begin(), expected_codes.end(), codes.data<int64_t>()));
  // Of the rows 0, 1 and 3 two have a size: 3 and 10.
  EXPECT_EQ(schema.numbers[0].second.mean, 6.5);
  EXPECT_EQ(schema.numbers[0].second.deviation, 3.5);
  const std::vector<float> expected_values = {-1, 1, (4 - 6.5f) / 3.5f, 0};
  for (int i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(values.data<float>()[i], expected_values[static_cast<size_t>(i)]);
  EXPECT_EQ(schema.target_scale.mean, 1);
  EXPECT_EQ(schema.target_scale.deviation, 0.5);
  const Table present = select_rows(table, present_rows(table, "weight"));
  EXPECT_EQ(present.rows(), 3);
  EXPECT_FLOAT_EQ(schema.targets(present).data<float>()[1], 3);
  EXPECT_NE(message_of([&] { schema.targets(table); }).find("line 3, column 5 (weight): expected a number"),
            std::string::npos);
}

TEST(TableSchema, AnotherTableIsEncodedAlike) {
  const Table table = table_of(people);
  TableSchema schema = TableSchema::of(table, {.columns = {"name", "size", "old"}, .target = "weight"});
  schema.fit(table, {0, 1, 2, 3});
  const TableSchema loaded = TableSchema::from_json(schema.json());
  EXPECT_EQ(loaded.json(), schema.json());
  const std::string other = "size,old,name\n5,TRUE,dog\n6,,fish\n";
  const Table rows = table_of(other);
  const Tensor codes = loaded.codes(rows);
  const std::vector<int64_t> expected = {1, 1, 2, 2};  // fish is unseen, nothing is missing
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), codes.data<int64_t>()));
  EXPECT_EQ(loaded.values(rows).data<float>()[0], schema.values(rows).data<float>()[0]);
}

TEST(TableSchema, EachFaultHasItsLine) {
  const Table table = table_of(people);
  const auto of = [&](const TableSchemaOptions& options) {
    return message_of([&] { TableSchema::of(table, options); });
  };
  EXPECT_EQ(of({.target = "income"}),
            "[csv] x.csv: expected a column called income, found name, size, year, old, weight");
  EXPECT_NE(of({.columns = {"nam"}}).find("expected a column called nam"), std::string::npos);
  EXPECT_NE(of({.categories = {"nam"}}).find("expected a column called nam"), std::string::npos);
  EXPECT_EQ(of({.columns = {"name", "name"}}), "[table] x.csv: the column name is named twice");
  EXPECT_EQ(of({.columns = {"name"}, .target = "name"}), "[table] x.csv: the target name cannot be an input too");
  const Table constant = table_of("a,b,c\n1,x,\n2,x,NA\n3,,\n");
  EXPECT_EQ(message_of([&] { TableSchema::of(constant, {.target = "b"}); }),
            "[table] x.csv: expected a target that varies, found b = 'x' in every row");
  EXPECT_EQ(message_of([&] { TableSchema::of(constant, {.target = "c"}); }),
            "[table] x.csv: expected values of the target c, found it missing in every row");
  const Table alone = table_of("a\n1\n2\n");
  EXPECT_NE(message_of([&] { TableSchema::of(alone, {.target = "a"}); }).find("beside the target"), std::string::npos);

  TableSchema schema = TableSchema::of(table, {.columns = {"size"}, .target = "name"});
  const Table wrong = table_of("name,size\ncat,1\nbird,big\n");
  EXPECT_EQ(message_of([&] { schema.values(wrong); }),
            "[csv] x.csv, line 3, column 2 (size): expected a number, found 'big'");
  EXPECT_EQ(message_of([&] { schema.targets(wrong); }),
            "[csv] x.csv, line 3, column 1 (name): expected one of the 2 classes of the target, found 'bird'");
}

TEST(TableSchema, OnlyItsOwnJsonIsRead) {
  const std::string json = TableSchema::of(table_of(people), {.target = "old"}).json();
  EXPECT_EQ(TableSchema::from_json(json).json(), json);
  for (const std::string& bad : {std::string("x"), std::string("{}"), json.substr(0, json.size() / 2)})
    EXPECT_NE(message_of([&] { TableSchema::from_json(bad); }).find("[table] expected"), std::string::npos) << bad;
  std::string unsorted = json;
  unsorted.replace(unsorted.find("\"cat\"") + 1, 3, "zoo");
  EXPECT_NE(message_of([&] { TableSchema::from_json(unsorted); }).find("in order"), std::string::npos);
}

}  // namespace
}  // namespace percale::data
