// What the tokenizer does beside cutting: batches, padding, threads, bad bytes, and files that are not as they should
// be.
#include <gtest/gtest.h>
#include <percale/core/cpu/threads.h>
#include <percale/nn/text/unicode.h>
#include <percale/nn/text/wordpiece.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "../testing/folder.h"
#include "../testing/message_of.h"

namespace percale::language {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<int64_t>;

const std::string vocabulary =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\n##s\na\nb\n##b\n.\n\xe4\xb8\xad\nu\n##\xc3\xa9\n\xef\xbf\xbd\n##"
    "\xef\xbf\xbd\n";

WordPiece small(const Normalization& normalization = {}) {
  return WordPiece::from_vocabulary({vocabulary, "vocab.txt"}, normalization);
}

Ids all(const Tensor& tensor) {
  const auto values = tensor.span<int64_t>();
  return {values.begin(), values.end()};
}

Json small_json() {
  Json pieces = Json::object();
  for (const char* piece :
       {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", "##s", "a", "b", "##b", "."})
    pieces.emplace(piece, pieces.size());
  const auto special = [](const char* token, int type) {
    return Json{{"SpecialToken", {{"id", token}, {"type_id", type}}}};
  };
  const auto sequence = [](const char* name, int type) {
    return Json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  return {
      {"truncation", {{"max_length", 2}}},
      {"padding", {{"strategy", {{"Fixed", 99}}}}},
      {"added_tokens",
       {{{"content", "[MASK]"}, {"id", 4}, {"special", true}, {"lstrip", true}, {"rstrip", false}},
        {{"content", "<new>"}, {"id", 12}, {"special", false}, {"rstrip", true}}}},
      {"normalizer", {{"type", "BertNormalizer"}, {"lowercase", true}, {"strip_accents", nullptr}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"pair", {special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0), sequence("B", 1), special("[SEP]", 1)}}}},
      {"decoder", {{"type", "WordPiece"}, {"cleanup", true}}},
      {"model", {{"type", "WordPiece"}, {"vocab", pieces}, {"max_input_chars_per_word", 6}}}};
}

WordPiece from_json(const Json& json) {
  const std::string bytes = json.dump();
  return WordPiece::from_json({bytes, "tokenizer.json"});
}

TEST(WordPiece, PadsToTheLongest) {
  const Encoding encoding = small()({"Hello worlds.", "a", ""});
  EXPECT_EQ(encoding.input_ids.shape(), (Shape{3, 6}));
  EXPECT_EQ(all(encoding.input_ids), (Ids{2, 5, 6, 7, 11, 3, 2, 8, 3, 0, 0, 0, 2, 3, 0, 0, 0, 0}));
  EXPECT_EQ(all(encoding.attention_mask), (Ids{1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0}));
  EXPECT_EQ(all(encoding.token_type_ids), Ids(18, 0));
  EXPECT_FALSE(encoding.offsets.defined());
  EXPECT_EQ(encoding.truncated, 0);
}

TEST(WordPiece, PadsAndCutsAsAsked) {
  const WordPiece tokenizer = small();
  EXPECT_EQ(tokenizer({"a", "b"}, {.max_length = 8}).input_ids.shape(), (Shape{2, 3}));
  EXPECT_EQ(tokenizer({"a", "b"}, {.max_length = 8, .padding = Padding::max_length}).input_ids.shape(), (Shape{2, 8}));
  EXPECT_EQ(tokenizer({"a", "b"}, {.pad_to_multiple_of = 4}).input_ids.shape(), (Shape{2, 4}));
  const Encoding cut = tokenizer({"a b a b", "a"}, {.max_length = 4});
  EXPECT_EQ(all(cut.input_ids), (Ids{2, 8, 9, 3, 2, 8, 3, 0}));
  EXPECT_EQ(cut.truncated, 1);
  const std::vector<std::string> none;
  EXPECT_EQ(tokenizer(none).input_ids.shape(), (Shape{0, 0}));
  EXPECT_EQ(tokenizer("a b", {.add_special_tokens = false}).input_ids.shape(), (Shape{1, 2}));
  EXPECT_EQ(tokenizer.ids("a b"), (Ids{2, 8, 9, 3}));
  EXPECT_EQ(tokenizer.tokenize("worlds q[MASK]"), (std::vector<std::string>{"world", "##s", "[UNK]", "[MASK]"}));
}

TEST(WordPiece, PacksWithoutPadding) {
  const std::vector<std::string_view> texts = {"a", "", "b b"}, pairs = {"b", "b", ""};
  const PackedEncoding packed = small().encode_packed(texts, pairs, {.offsets = OffsetUnit::bytes});
  EXPECT_EQ(all(packed.input_ids), (Ids{2, 8, 3, 9, 3, 2, 3, 9, 3, 2, 9, 9, 3, 3}));
  EXPECT_EQ(all(packed.token_type_ids), (Ids{0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1}));
  EXPECT_EQ(all(packed.starts), (Ids{0, 5, 9, 14}));
  EXPECT_EQ(packed.offsets.shape(), (Shape{14, 2}));
  EXPECT_EQ(all(packed.offsets[11]), (Ids{2, 3}));
}

TEST(WordPiece, OffsetsCountBytesOrCodePoints) {
  const std::string text = "\xc3\xa1 \xe4\xb8\xad\xffhello";
  const auto offsets = [&](OffsetUnit unit) {
    return all(small()(text, {.add_special_tokens = false, .offsets = unit}).offsets);
  };
  EXPECT_EQ(offsets(OffsetUnit::code_points), (Ids{0, 1, 2, 3, 4, 9}));
  EXPECT_EQ(offsets(OffsetUnit::bytes), (Ids{0, 2, 3, 6, 7, 12}));
}

TEST(WordPiece, RepairsWhatIsNotUtf8AsRustDoes) {
  const auto repaired = [](std::string_view text) {
    std::string result = unicode::repair(text).text;
    for (size_t at = 0; (at = result.find("\xef\xbf\xbd")) != std::string::npos;) result.replace(at, 3, 1, '?');
    return result;
  };
  EXPECT_EQ(repaired("a\xe4\xb8"
                     "b"),
            "a?b");
  EXPECT_EQ(repaired("\xf0\x9f\x98"), "?");
  EXPECT_EQ(repaired("\xf0\x9f\x98\x80\xf0\x9f"), "\xf0\x9f\x98\x80?");
  EXPECT_EQ(repaired("\xc0\x80 \xc1\xbf \xff\xfe"), "?? ?? ??");
  EXPECT_EQ(repaired("\xed\xa0\x80 \xed\x9f\xbf"), "??? \xed\x9f\xbf");
  EXPECT_EQ(repaired("\xe0\x80\x80 \xf0\x80\x80\x80 \xf4\x90\x80\x80 \xf5\x80"), "??? ???? ???? ??");
  EXPECT_EQ(repaired("\x80\xbf"), "??");
  EXPECT_EQ(unicode::valid_prefix("12345678\xe4\xb8\xad\xf4\x8f\xbf\xbf"), 15u);
  EXPECT_EQ(unicode::valid_prefix("1234567\xe4\xb8"), 7u);
  // Cleaning takes U+FFFD out; without it, it is a character like others.
  EXPECT_EQ(small().ids(std::string_view("b\xff\0b", 4), false), (Ids{9, 10}));
  EXPECT_EQ(small({.clean_text = false}).ids("\xff\xe4\xb8", false), (Ids{15, 16}));
}

TEST(WordPiece, IsTheSameAtAnyNumberOfThreads) {
  std::vector<std::string> texts;
  for (int i = 0; i < 500; ++i)
    texts.push_back(std::string(static_cast<size_t>(i % 40), 'b') + " \xc3\xa9\xd7\x90 worlds a");
  const int threads = cpu::num_threads();
  cpu::set_num_threads(1);
  const Encoding one = small()(texts, {.max_length = 30, .offsets = OffsetUnit::bytes});
  cpu::set_num_threads(4);
  const Encoding four = small()(texts, {.max_length = 30, .offsets = OffsetUnit::bytes});
  cpu::set_num_threads(threads);
  EXPECT_EQ(all(one.input_ids), all(four.input_ids));
  EXPECT_EQ(all(one.attention_mask), all(four.attention_mask));
  EXPECT_EQ(all(one.offsets), all(four.offsets));
  EXPECT_EQ(one.truncated, four.truncated);
  EXPECT_GT(one.truncated, 0);
}

TEST(WordPiece, ServesManyThreadsAtOnce) {
  const WordPiece tokenizer = small();
  const std::string text = "a \xd0\xb6\xe1\xbc\x80\xea\xb0\x80\xf0\x9f\x98\x80 b\xe3\x80\xae worlds";
  const Ids expected = small().ids(text);
  std::vector<Ids> results(8);
  std::vector<std::thread> threads;
  for (Ids& result : results) threads.emplace_back([&] { result = tokenizer.ids(text); });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, expected);
}

TEST(WordPiece, ReadsTokenizerJson) {
  const WordPiece tokenizer = from_json(small_json());
  EXPECT_EQ(all(tokenizer({"Hello a b a b"}).input_ids), (Ids{2, 5, 8, 9, 8, 9, 3}))
      << "no truncation or padding of the file's";
  EXPECT_EQ(tokenizer.ids("abbbbb abbbbbb", false), (Ids{8, 10, 10, 10, 10, 10, 1})) << "six characters at most";
  EXPECT_EQ(tokenizer.vocabulary_size(), 13);
  EXPECT_EQ(tokenizer.id("<new>"), 12);
  EXPECT_EQ(tokenizer.token(12), "<new>");
  EXPECT_EQ(tokenizer.id("b"), 9);
  EXPECT_EQ(tokenizer.id("new"), -1);
  const Encoding encoding = tokenizer("a \t[MASK] <new>  b", {.offsets = OffsetUnit::bytes});
  EXPECT_EQ(all(encoding.input_ids), (Ids{2, 8, 4, 12, 9, 3}));
  EXPECT_EQ(all(encoding.offsets), (Ids{0, 0, 0, 1, 1, 9, 10, 17, 17, 18, 0, 0})) << "spaces taken along";
  EXPECT_EQ(tokenizer.decode(Ids{2, 5, 7, 12, 11, 4, 99, -1, 3}), "[CLS] hellos <new>. [MASK] [SEP]");
  EXPECT_EQ(tokenizer.decode(Ids{2, 5, 7, 12, 11, 4, 3}, true), "[CLS] hellos <new>. [SEP]")
      << "[MASK] alone is special";
  Json bert = small_json();
  bert["post_processor"] = {{"type", "BertProcessing"}, {"sep", {".", 11}}, {"cls", {"a", 8}}};
  EXPECT_EQ(from_json(bert).ids("b"), (Ids{8, 9, 11}));
}

TEST(WordPiece, ReadsAPublishedFolder) {
  const percale::testing::Folder folder;
  const auto load = [&] { return WordPiece::from_pretrained(folder.path()); };
  EXPECT_NE(
      percale::testing::message_of(load).find("expected a folder with tokenizer.json or vocab.txt, found neither"),
      std::string::npos);
  io::write_file(folder / "vocab.txt", vocabulary);
  EXPECT_EQ(load().ids("Hello", false), Ids{5});
  io::write_file(folder / "tokenizer_config.json", R"({"do_lower_case": false, "strip_accents": true})");
  EXPECT_EQ(load().ids("Hello hello", false), (Ids{1, 5}));
  EXPECT_EQ(load().normalization().strips_accents(), true);
  io::write_file(folder / "tokenizer.json", small_json().dump());
  EXPECT_EQ(load().vocabulary_size(), 13);
}

TEST(WordPiece, SaysWhatIsWrongWithAVocabulary) {
  const auto wrong = [](const std::string& bytes) {
    return percale::testing::message_of([&] { WordPiece::from_vocabulary({bytes, "vocab.txt"}); });
  };
  const std::string start = "[tokenizer] vocab.txt: ";
  EXPECT_EQ(wrong(vocabulary + "hello \t\r\n"), start + "expected each token once, found 'hello' in lines 6 and 18");
  EXPECT_EQ(wrong("[PAD]\n[CLS]\n[SEP]\na\n"), start + "expected the token [UNK] among the 4, found none");
  EXPECT_EQ(wrong(""), start + "expected the token [UNK] among the 0, found none");
  EXPECT_EQ(wrong("[UNK]\n[CLS]\n[SEP]\n"), start + "expected the token [PAD] among the 3, found none");
  EXPECT_EQ(wrong(vocabulary + "a\xff\n"), start + "line 18: expected UTF-8, found byte 255 at position 79");
  EXPECT_EQ(wrong("[UNK]\n\n[PAD]\n"), start + "line 2: expected a token, found none");
  EXPECT_EQ(small().vocabulary_size(), 17);
  EXPECT_EQ(WordPiece::from_vocabulary({vocabulary + "\n \n", "vocab.txt"}).vocabulary_size(), 17)
      << "empty lines at the end";
}

TEST(WordPiece, SaysWhatIsWrongWithATokenizerJson) {
  const auto wrong = [](const char* pointer, const Json& value) {
    Json json = small_json();
    json[Json::json_pointer(pointer)] = value;
    const std::string error = percale::testing::message_of([&] { from_json(json); }),
                      start = "[tokenizer] tokenizer.json: ";
    EXPECT_EQ(error.substr(0, start.size()), start);
    return error.substr(start.size());
  };
  EXPECT_EQ(wrong("/model/type", "BPE"), "model: expected the type WordPiece, found '\"BPE\"'");
  EXPECT_EQ(wrong("/model", 3), "expected the field model, found none");
  EXPECT_EQ(wrong("/model/vocab", Json::array()), "model.vocab: expected an object of tokens and ids, found none");
  EXPECT_EQ(wrong("/model/vocab/hello", 6), "model.vocab: expected each id once, found 6 for 'hello' and 'world'");
  EXPECT_EQ(wrong("/model/vocab/hello", -1), "model.vocab: expected an id of 0 to 1048575 for 'hello', found '-1'");
  EXPECT_EQ(wrong("/model/vocab/hello", 1 << 20),
            "model.vocab: expected an id of 0 to 1048575 for 'hello', found '1048576'");
  EXPECT_EQ(wrong("/model/vocab/hello", {5}), "model.vocab: expected an id of 0 to 1048575 for 'hello', found none");
  EXPECT_EQ(wrong("/model/vocab", {{"a", 0}}), "expected the token [UNK] among the 1, found none");
  EXPECT_EQ(wrong("/model/max_input_chars_per_word", "x"),
            "model.max_input_chars_per_word: expected a number of 0 to 1048576, found '\"x\"'");
  EXPECT_EQ(wrong("/normalizer", nullptr), "normalizer: expected the type BertNormalizer, found none");
  EXPECT_EQ(wrong("/normalizer/lowercase", 1), "lowercase: expected true or false, found '1'");
  EXPECT_EQ(wrong("/pre_tokenizer/type", "Whitespace"),
            "pre_tokenizer: expected the type BertPreTokenizer, found '\"Whitespace\"'");
  EXPECT_EQ(wrong("/post_processor/type", "ByteLevel"),
            "post_processor: expected the type TemplateProcessing, found '\"ByteLevel\"'");
  EXPECT_NE(wrong("/post_processor/pair/3/Sequence/type_id", 0)
                .find("expected BERT's [CLS] A [SEP] B [SEP] of types 0 and 1"),
            std::string::npos);
  EXPECT_NE(wrong("/post_processor/pair", Json::array()).find("expected BERT's [CLS] A [SEP] B [SEP]"),
            std::string::npos);
  EXPECT_EQ(wrong("/added_tokens/0/id", 3), "added_tokens: expected each id once, found 3 for '[SEP]' and '[MASK]'");
  EXPECT_EQ(wrong("/added_tokens/0/id", 20), "added_tokens: expected one id for '[MASK]', found 4 and 20");
  EXPECT_NE(wrong("/added_tokens/0/normalized", true).find("expected normalized and single_word to be false"),
            std::string::npos);
  EXPECT_NE(wrong("/added_tokens/0/content", "").find("expected a content and an id"), std::string::npos);
  const auto read = [](const std::string& bytes) {
    return percale::testing::message_of([&] { WordPiece::from_json({bytes, "tokenizer.json"}); });
  };
  EXPECT_NE(read("{").find("tokenizer.json: expected JSON, found an error: parse error at line 1, column 2"),
            std::string::npos);
  EXPECT_NE(read("{\"a\": \"\xff\"}").find("ill-formed UTF-8"), std::string::npos);
  std::string twice = small_json().dump();
  twice.replace(twice.find("\"hello\":5"), 9, "\"hello\":5,\"hello\":30");
  EXPECT_EQ(read(twice),
            "[tokenizer] tokenizer.json: model.vocab: expected each token once, found 'hello' with the ids 5 and 30");
  EXPECT_NE(read(R"({"model": {"vocab": {}, "vocab": {}}})").find("expected one model.vocab, found two"),
            std::string::npos);
  EXPECT_NE(read(std::string(100'000, '[')).find("expected at most 16 levels of brackets"), std::string::npos);
  EXPECT_EQ(read("[]"), "[tokenizer] tokenizer.json: expected an object, found '[]'");
}

TEST(WordPiece, SaysWhatIsWrongWithACall) {
  const WordPiece tokenizer = small();
  EXPECT_EQ(percale::testing::message_of([&] { tokenizer({"a"}, {.max_length = 1}); }),
            "[tokenizer] max_length must be 0 or at least 2, got 1");
  EXPECT_EQ(percale::testing::message_of(
                [&] { tokenizer(std::vector<std::string>{"a"}, std::vector<std::string>{"b"}, {.max_length = 2}); }),
            "[tokenizer] max_length must be 0 or at least 3, got 2");
  EXPECT_EQ(percale::testing::message_of([&] { tokenizer({"a"}, {.max_length = -1}); }),
            "[tokenizer] max_length must be 0 or at least 2, got -1");
  EXPECT_EQ(percale::testing::message_of([&] { tokenizer({"a"}, {.padding = Padding::max_length}); }),
            "[tokenizer] padding to max_length needs a max_length, got 0");
  EXPECT_EQ(percale::testing::message_of([&] { tokenizer({"a"}, {.pad_to_multiple_of = 0}); }),
            "[tokenizer] pad_to_multiple_of must be at least 1, got 0");
  EXPECT_EQ(percale::testing::message_of([&] {
              tokenizer(std::vector<std::string>{"a", "b"}, std::vector<std::string>{"b"});
            }),
            "[tokenizer] needs a pair for each of 2 texts, got 1");
  EXPECT_EQ(percale::testing::message_of([&] { tokenizer.token(17); }),
            "[tokenizer] id 17 is none of the 17 in the vocabulary");
  EXPECT_EQ(tokenizer({"a"}, {.max_length = 2}).input_ids.shape(), (Shape{1, 2}));
}

}  // namespace
}  // namespace percale::language
