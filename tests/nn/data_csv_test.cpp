// CSV files: what RFC 4180 allows, one line for each thing that can be wrong, and the meaning of fields.
#include <gtest/gtest.h>
#include <percale/nn/data/categories.h>
#include <percale/nn/data/field.h>
#include <percale/nn/data/table.h>

#include <cmath>

#include "../testing/folder.h"
#include "../testing/message_of.h"

namespace percale::data {
namespace {

using percale::testing::message_of;

using Rows = std::vector<std::vector<std::string>>;

/// Header and rows of `bytes`.
Rows rows_of(const std::string& bytes) {
  const io::Source source(bytes, "x.csv");
  Csv file(source);
  Rows rows = {file.columns()};
  while (file.next()) {
    rows.emplace_back();
    for (size_t i = 0; i < file.columns().size(); ++i) rows.back().emplace_back(file.field(i));
  }
  return rows;
}

std::string refusal(const std::string& bytes) {
  return message_of([&] { read_table(io::Source(bytes, "x.csv")); });
}

TEST(Csv, QuotesHoldCommasLinesAndQuotes) {
  EXPECT_EQ(rows_of("a,b\n\"x,y\",\"say \"\"hi\"\"\"\n\"one\ntwo\",\"\"\n"),
            (Rows{{"a", "b"}, {"x,y", "say \"hi\""}, {"one\ntwo", ""}}));
  EXPECT_EQ(rows_of("a\n\"\"\"\"\n\"\r\n\"\n5\" pipe\n"), (Rows{{"a"}, {"\""}, {"\r\n"}, {"5\" pipe"}}));
}

TEST(Csv, LinesEndInAnyWay) {
  const Rows rows = {{"a", "b"}, {"1", "2"}, {"3", "4"}};
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    EXPECT_EQ(rows_of("a,b" + end + "1,2" + end + "3,4" + end), rows);
    EXPECT_EQ(rows_of("a,b" + end + "1,2" + end + "3,4"), rows);
    EXPECT_EQ(rows_of("\xef\xbb\xbf" + end + "\"a\",b" + end + end + "1,2" + end + " \t " + end + "3,4" + end + end),
              rows);
  }
  EXPECT_EQ(rows_of("a,b\n,\n"), (Rows{{"a", "b"}, {"", ""}}));
}

TEST(Csv, NamesAreMadeUnique) {
  EXPECT_EQ(rows_of(",a,a,a.1,,a\n")[0],
            (std::vector<std::string>{"Unnamed: 0", "a", "a.2", "a.1", "Unnamed: 4", "a.3"}));
}

TEST(Csv, RowsLongerThanItsBufferAndFilesLongerThanItsMemory) {
  const percale::testing::Folder folder;
  const std::string path = folder / "long.csv";
  const std::string wide(200'000, 'w');
  std::string bytes = "a,b\n";
  for (int i = 0; i < 300; ++i) bytes += wide + ",\"" + std::to_string(i) + "\n\"\n";
  io::write_file(path, bytes);
  bytes = {};
  Csv file(path);
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(file.next());
    EXPECT_EQ(file.line(), 2 + 2 * i);
    EXPECT_EQ(file.field(0), wide);
    EXPECT_EQ(file.field(1), std::to_string(i) + "\n");
  }
  EXPECT_FALSE(file.next());
  EXPECT_FALSE(file.next());
}

TEST(Csv, EachFaultHasItsLine) {
  EXPECT_EQ(refusal(""), "[csv] x.csv: expected a header and rows, found an empty file");
  EXPECT_EQ(refusal("\xef\xbb\xbf\n \n"), "[csv] x.csv: expected a header and rows, found blank lines alone");
  EXPECT_EQ(refusal("a,b\n"), "[csv] x.csv: expected rows below the header, found none");
  EXPECT_EQ(refusal("1,2\n3,4\n"),
            "[csv] x.csv, line 1, column 1: expected a header of column names, found '1': a row of values");
  EXPECT_NE(refusal("39,Private\n40,Private\n").find("expected a header"), std::string::npos);
  EXPECT_EQ(refusal("country,2019,2020\nCuba,1,2\n"), "no error");
  EXPECT_EQ(refusal("a,b\n1,2\n1,\"x\ny\n"),
            "[csv] x.csv, line 3, column 2 (b): expected a closing quote, found the end of the file");
  EXPECT_EQ(refusal("a,b\n1,\"x\"y\n"),
            "[csv] x.csv, line 2, column 2 (b): expected a comma or the end of the line after the closing quote, found "
            "'y?' (a quote within quotes is doubled)");
  EXPECT_EQ(refusal("a,b\n\"1\n1\",2\n1\n"),
            "[csv] x.csv, line 4, column 2 (b): expected 2 fields as in the header, found 1");
  EXPECT_EQ(refusal("a,b\n1,2\n1,2,3\n"), "[csv] x.csv, line 3, column 3: expected 2 fields as in the header, found 3");
  EXPECT_EQ(refusal("a,b\nx,\xff\n"), "[csv] x.csv, line 2, column 2 (b): expected UTF-8, found the byte 0xff");
  EXPECT_EQ(refusal(std::string("a,b\nx,\0\n", 8)),
            "[csv] x.csv, line 2, column 2 (b): expected text, found a NUL byte (is the file UTF-16?)");
  EXPECT_EQ(
      refusal("a,b\n1,\"" + std::string(17 << 20, 'x') + "\"\n"),
      "[csv] x.csv, line 2, column 2 (b): expected rows of at most 16 MB, found a longer one: is a quote not closed?");
  EXPECT_NE(message_of([] { read_table("/nowhere.csv"); }).find("/nowhere.csv"), std::string::npos);
}

TEST(Csv, OnlyWellFormedUtf8) {
  for (const std::string good :
       {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_EQ(refusal("a\n" + good + "\n"), "no error");
  for (const std::string bad : {"\x80", "\xc1\x81", "\xc2", "\xe0\x9f\x80", "\xed\xa0\x80", "\xe2\x82",
                                "\xf0\x8f\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x9f\x98"})
    EXPECT_NE(refusal("a\n" + bad + "\n").find("UTF-8"), std::string::npos);
}

TEST(Csv, WrittenLinesReadBack) {
  const Rows rows = {{"a", "b,\"c\"", "line\nbreak", "cr\r"}, {"", " x ", "\"", "é"}};
  EXPECT_EQ(rows_of(csv_line(rows[0]) + csv_line(rows[1])), rows);
  EXPECT_EQ(csv_line({"a", "b"}), "a,b\n");
  EXPECT_EQ(rows_of("a\n" + csv_line({""}) + csv_line({" "})), (Rows{{"a"}, {""}, {" "}}));
}

TEST(Table, NamesTheFieldThatIsWrong) {
  const std::string bytes = "a,b\n1,x\n\n2,y\n";
  const Table table = read_table(io::Source(bytes, "x.csv"));
  EXPECT_EQ(table["b"][1], "y");
  EXPECT_EQ(message_of([&] { table["c"]; }), "[csv] x.csv: expected a column called c, found a, b");
  EXPECT_EQ(message_of([&] { table.refuse(table["b"], 1, "a number"); }),
            "[csv] x.csv, line 4, column 2 (b): expected a number, found 'y'");
}

TEST(Categories, UnseenAndMissingHaveNoCode) {
  const std::string bytes = "name,size,weight,old\ncat,3,1.5,true\ndog,10,2.5,false\nbird,3,,true\n";
  const Table table = read_table(io::Source(bytes, "x.csv"));
  const Categories names(table["name"]), sizes(table["size"]), weights(table["weight"]), old(table["old"]);
  EXPECT_EQ(names.names(), (std::vector<std::string>{"bird", "cat", "dog"}));
  EXPECT_EQ(names.code("dog"), 2);
  EXPECT_EQ(names.code("fish"), -1);
  EXPECT_EQ(names.code("NA"), -1);
  EXPECT_EQ(sizes.names(), (std::vector<std::string>{"3", "10"}));
  for (const char* three : {"3", "+3", "03", "3.0", "30e-1"}) EXPECT_EQ(sizes.code(three), 0) << three;
  for (const char* other : {"", "4", "3.5", "x", "1e300", "-1e300", "inf"}) EXPECT_EQ(sizes.code(other), -1) << other;
  EXPECT_EQ(weights.names(), (std::vector<std::string>{"1.5", "2.5"}));
  EXPECT_EQ(weights.codes(table["weight"]).span<int64_t>()[2], -1);
  EXPECT_EQ(old.names(), (std::vector<std::string>{"False", "True"}));
  EXPECT_EQ(old.code("TRUE"), 1);
}

TEST(Categories, ADictionaryIsOfItsKindAndInOrder) {
  EXPECT_EQ(Categories(ColumnKind::real, {"-inf", "0.1", "inf"}).code("1e-1"), 1);
  EXPECT_THROW(Categories(ColumnKind::real, {"0.1", "x"}), Error);
  EXPECT_THROW(Categories(ColumnKind::whole, {"2", "1"}), Error);
  EXPECT_THROW(Categories(ColumnKind::text, {"a", "a"}), Error);
  EXPECT_THROW(Categories(ColumnKind::huge, {"007"}), Error);
  EXPECT_THROW(kind_named("colour"), Error);
  EXPECT_EQ(kind_named(name_of(ColumnKind::whole_as_real)), ColumnKind::whole_as_real);
}

TEST(Field, NumbersAreRoundedOnce) {
  EXPECT_EQ(parse_real("0.30000000000000004"), 0.30000000000000004);
  EXPECT_EQ(parse_real("1e400"), INFINITY);
  EXPECT_EQ(parse_real("-0.01e403"), -INFINITY);
  EXPECT_EQ(parse_real("1e-400"), 0.0);
  EXPECT_EQ(parse_real("1e99999999999999999999"), INFINITY);
  EXPECT_EQ(parse_real("1e-99999999999999999999"), 0.0);
  EXPECT_TRUE(std::signbit(*parse_real("-1e-400")));
  for (const char* none : {"", " ", "nan", "-", "+", ".", "e5", "1e", "1e+", "0x10", "1_0", "+-1", "1 2", "infinit"})
    EXPECT_FALSE(parse_real(none)) << none;
}

}  // namespace
}  // namespace percale::data
