// Token ids, offsets and texts against Hugging Face's fast tokenizer.
#include <gtest/gtest.h>
#include <percale/core/io/gzip.h>
#include <percale/nn/text/unicode.h>
#include <percale/nn/text/wordpiece.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

namespace percale::language {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<int64_t>;

std::string data_folder() {
  const char* data = std::getenv("PERCALE_DATA");
  return data ? data : PERCALE_SOURCE_DIR "/../shared/data";
}

WordPiece minilm(bool lowercase) {
  return WordPiece::from_file(data_folder() + "/minilm/vocab.txt", {.lowercase = lowercase});
}

std::vector<std::string> lines_of(const std::string& name) {
  const io::Source source(data_folder() + "/wordpiece/" + name);
  io::UnpackingReader reader(source);
  std::string bytes;
  for (size_t got = 1 << 20; got == 1 << 20;) {
    const size_t size = bytes.size();
    bytes.resize(size + (1 << 20));
    bytes.resize(size + (got = reader.read(bytes.data() + size, 1 << 20)));
  }
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < bytes.size();) {
    const size_t end = bytes.find('\n', begin);
    lines.push_back(bytes.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

Ids numbers_in(const std::string& line) {
  Ids result;
  std::istringstream stream(line);
  for (int64_t id; stream >> id;) result.push_back(id);
  return result;
}

/// Row `row` of a tensor [batch, length] as far as the mask reaches.
Ids row_of(const Encoding& encoding, const Tensor& tensor, int64_t row) {
  Ids result;
  for (int64_t i = 0; i < tensor.size(1); ++i)
    if (encoding.attention_mask.data<int64_t>()[row * tensor.size(1) + i])
      result.push_back(tensor.data<int64_t>()[row * tensor.size(1) + i]);
  return result;
}

std::vector<Ids> offsets_of(const Encoding& encoding, int64_t row) {
  std::vector<Ids> result;
  const int64_t length = encoding.input_ids.size(1);
  for (int64_t i = 0; i < length; ++i) {
    const int64_t* offsets = encoding.offsets.data<int64_t>() + (row * length + i) * 2;
    if (encoding.attention_mask.data<int64_t>()[row * length + i]) result.push_back({offsets[0], offsets[1]});
  }
  return result;
}

TEST(WordPiece, CutsAndJoinsAsTheReference) {
  std::string path = PERCALE_SOURCE_DIR "/tests/goldens/wordpiece.json";
  const Json goldens = Json::parse(io::read_file(path));
  std::string pieces;
  for (const Json& piece : goldens["vocabulary"]) pieces += piece.get<std::string>() + "\n";
  for (const Json& group : goldens["groups"]) {
    const Json& flags = group["flags"];
    Normalization normalization{flags["clean_text"], flags["handle_chinese_chars"], {}, flags["lowercase"]};
    if (!flags["strip_accents"].is_null()) normalization.strip_accents = flags["strip_accents"].get<bool>();
    const WordPiece tokenizer = WordPiece::from_vocabulary({pieces, "goldens"}, normalization);
    for (const Json& expected : group["cases"]) {
      const std::vector<std::string> text = {expected["text"]};
      const EncodeOptions options{.max_length = expected.value("max_length", 0), .offsets = OffsetUnit::code_points};
      const Encoding encoding = expected.contains("pair")
                                    ? tokenizer(text, std::vector<std::string>{expected["pair"]}, options)
                                    : tokenizer(text, options);
      const Ids ids = expected["ids"];
      ASSERT_EQ(row_of(encoding, encoding.input_ids, 0), ids) << flags << expected;
      ASSERT_EQ(row_of(encoding, encoding.token_type_ids, 0), expected["types"].get<Ids>()) << flags << expected;
      ASSERT_EQ(offsets_of(encoding, 0), expected["offsets"].get<std::vector<Ids>>()) << flags << expected;
      ASSERT_EQ(tokenizer.decode(ids), expected["decoded"].get<std::string>()) << flags << expected;
      ASSERT_EQ(tokenizer.decode(ids, true), expected["plain"].get<std::string>()) << flags << expected;
    }
  }
}

class WordPieceGoldens : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = data_folder() + "/wordpiece/texts.txt.gz";
    if (!std::filesystem::exists(path))
      GTEST_SKIP() << "no " << path << "; $PERCALE_DATA names the folder of data sets";
  }
};

TEST_F(WordPieceGoldens, TwentyThousandTexts) {
  std::vector<std::string> texts;
  for (const std::string& line : lines_of("texts.txt.gz")) texts.push_back(Json::parse(line));
  ASSERT_EQ(texts.size(), 20'000u);
  for (bool lowercase : {true, false}) {
    const std::vector<std::string> expected = lines_of(lowercase ? "expected_uncased.txt.gz" : "expected_cased.txt.gz");
    const PackedEncoding encoding = minilm(lowercase).encode_packed(texts);
    const int64_t* starts = encoding.starts.data<int64_t>();
    for (size_t i = 0; i < texts.size(); ++i) {
      const int64_t* ids = encoding.input_ids.data<int64_t>();
      ASSERT_EQ(Ids(ids + starts[i], ids + starts[i + 1]), numbers_in(expected[i])) << lowercase << " " << texts[i];
    }
  }
  const PackedEncoding from_json = WordPiece::from_pretrained(data_folder() + "/minilm").encode_packed(texts);
  const PackedEncoding from_text = minilm(true).encode_packed(texts);
  ASSERT_EQ(from_json.input_ids.shape(), from_text.input_ids.shape());
  EXPECT_TRUE(std::ranges::equal(from_json.input_ids.span<int64_t>(), from_text.input_ids.span<int64_t>()));
}

TEST_F(WordPieceGoldens, Pairs) {
  std::vector<std::string> texts, pairs;
  std::vector<Json> rows;
  for (const std::string& line : lines_of("pairs_expected.jsonl.gz")) {
    rows.push_back(Json::parse(line));
    texts.push_back(rows.back()["a"]), pairs.push_back(rows.back()["b"]);
  }
  ASSERT_EQ(rows.size(), 500u);
  const Encoding encoding = minilm(true)(texts, pairs);
  for (size_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ(row_of(encoding, encoding.input_ids, static_cast<int64_t>(i)), rows[i]["ids"].get<Ids>()) << texts[i];
    ASSERT_EQ(row_of(encoding, encoding.token_type_ids, static_cast<int64_t>(i)), rows[i]["type_ids"].get<Ids>());
  }
}

TEST_F(WordPieceGoldens, Offsets) {
  const WordPiece uncased = minilm(true), cased = minilm(false);
  const std::vector<std::string> lines = lines_of("offsets_expected.jsonl.gz");
  ASSERT_EQ(lines.size(), 500u);
  for (const std::string& line : lines) {
    const Json row = Json::parse(line);
    const std::string text = row["text"];
    for (const bool lowercase : {true, false}) {
      const Encoding encoding = (lowercase ? uncased : cased)(text, {.offsets = OffsetUnit::code_points});
      ASSERT_EQ(row_of(encoding, encoding.input_ids, 0), row[lowercase ? "ids" : "cased_ids"].get<Ids>()) << text;
      ASSERT_EQ(offsets_of(encoding, 0), row[lowercase ? "offsets" : "cased_offsets"].get<std::vector<Ids>>()) << text;
    }
  }
}

TEST_F(WordPieceGoldens, Truncation) {
  const WordPiece tokenizer = minilm(true);
  const std::vector<std::string> lines = lines_of("truncation_expected.jsonl.gz");
  ASSERT_EQ(lines.size(), 200u);
  for (const std::string& line : lines) {
    const Json row = Json::parse(line);
    const std::string text = row["a"];
    const EncodeOptions options{.max_length = row["max_length"]};
    const Encoding encoding = row["b"].is_null()
                                  ? tokenizer(text, options)
                                  : tokenizer(std::vector{text}, std::vector{row["b"].get<std::string>()}, options);
    ASSERT_EQ(row_of(encoding, encoding.input_ids, 0), row["ids"].get<Ids>()) << line;
    ASSERT_EQ(row_of(encoding, encoding.token_type_ids, 0), row["type_ids"].get<Ids>()) << line;
  }
}

TEST_F(WordPieceGoldens, EveryCodePoint) {
  const WordPiece uncased = minilm(true), cased = minilm(false);
  int64_t seen = 0;
  for (const std::string& line : lines_of("codepoints.txt.gz")) {
    const size_t first_tab = line.find('\t'), second_tab = line.find('\t', first_tab + 1);
    size_t rest = 0;
    const auto first = static_cast<char32_t>(std::stoul(line, &rest, 16));
    const auto last = static_cast<char32_t>(std::stoul(line.substr(rest), nullptr, 16));
    const Ids lower = numbers_in(line.substr(first_tab + 1, second_tab - first_tab - 1));
    const Ids upper = numbers_in(line.substr(second_tab + 1));
    for (char32_t code = first; code <= last; ++code, ++seen) {
      if (code == 0xd800) code = 0xe000;
      char bytes[6] = {'a'};
      const size_t size = unicode::encode(code, bytes + 1);
      bytes[1 + size] = 'b';
      const std::string_view text(bytes, size + 2);
      ASSERT_EQ(uncased.ids(text, false), lower) << std::hex << static_cast<uint32_t>(code);
      ASSERT_EQ(cased.ids(text, false), upper) << std::hex << static_cast<uint32_t>(code);
    }
  }
  EXPECT_EQ(seen, 0x110000 - 0x800);
}

}  // namespace
}  // namespace percale::language
