// A sentence's vector: the same bytes whatever stands beside it, and its folder's files.
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <numeric>
#include <thread>

#include "../testing/check.h"
#include "../testing/instruction_set.h"
#include "../testing/message_of.h"
#include "small_bert.h"

namespace percale::models {
namespace {

namespace fs = std::filesystem;
using Sentences = std::vector<std::string>;
using testing::Folder;
using testing::message_of;
using testing::same_bytes;
using testing::small_encoder;
using testing::small_sentences;

/// Restores the number of threads.
struct Threads {
  const int before = cpu::num_threads();
  explicit Threads(int count) { cpu::set_num_threads(count); }
  ~Threads() { cpu::set_num_threads(before); }
};

/// How many of the sentences have other bytes alone, shuffled, in batches of 1, 32 and 257, with other budgets or at
/// one thread.
int64_t changed(const SentenceEncoder& encoder, const Sentences& sentences, const SentenceEncodeOptions& options) {
  const Tensor expected = encoder.encode(sentences, options);
  int64_t changes = 0;
  const auto compare = [&](const Tensor& row, size_t i) {
    changes += !same_bytes(row, expected[static_cast<int64_t>(i)]);
  };
  for (const size_t batch : {1, 32, 257}) {
    for (size_t first = 0; first < sentences.size(); first += batch) {
      const size_t end = std::min(first + batch, sentences.size());
      const Tensor some = encoder.encode(
          Sentences(sentences.begin() + static_cast<int64_t>(first), sentences.begin() + static_cast<int64_t>(end)),
          options);
      for (size_t i = first; i < end; ++i) compare(some[static_cast<int64_t>(i - first)], i);
    }
  }
  std::vector<size_t> order(sentences.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [](size_t a, size_t b) { return goldens::bits(9, a) < goldens::bits(9, b); });
  Sentences shuffled;
  for (const size_t i : order) shuffled.push_back(sentences[i]);
  for (const int64_t budget : {37, 5'000}) {
    const Threads one(budget == 37 ? 1 : 2);
    SentenceEncodeOptions other = options;
    other.batch_tokens = budget;
    const Tensor some = encoder.encode(shuffled, other);
    for (size_t i = 0; i < order.size(); ++i) compare(some[static_cast<int64_t>(i)], order[i]);
  }
  return changes;
}

// CTest runs these also with ONEDNN_MAX_CPU_ISA held to AVX2 and AVX512_CORE.
TEST(SentenceEncoderBytes, DoNotDependOnTheBatch) {
  const SentenceEncoder encoder = small_encoder({.normalize = true});
  for (const SentencePooling pooling : {SentencePooling::mean, SentencePooling::cls, SentencePooling::max})
    EXPECT_EQ(changed(encoder, small_sentences(pooling == SentencePooling::mean ? 1'000 : 100), {.pooling = pooling}),
              0)
        << name_of(pooling);
}

TEST(SentenceEncoderBytes, DoNotDependOnTheBatchInBf16) {
  const PrecisionScope bf16(Precision::bf16);
  EXPECT_EQ(changed(small_encoder({.normalize = true}), small_sentences(300), {}), 0);
}

// fp32 is computed without oneDNN.
TEST(SentenceEncoderBytes, AreThoseOfAvx512WithAvx2) {
  const SentenceEncoder encoder = small_encoder({.normalize = true});
  const Sentences sentences = small_sentences(100);
  testing::expect_same_bytes_on_any_processor([&]() -> Tensors {
    EXPECT_EQ(changed(encoder, sentences, {}), 0);
    return {encoder.encode(sentences)};
  });
}

TEST(SentenceEncoderBytes, EightThreadsWithOneModel) {
  const SentenceEncoder encoder = small_encoder({.normalize = true});
  const Sentences sentences = small_sentences(200);
  const Tensor expected = encoder.encode(sentences);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back(
        [&, i] { wrong += !same_bytes(encoder.encode(sentences, {.batch_tokens = 50 << i}), expected); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(SentenceEncoder, PoolsTheStatesOfItsTokens) {
  const NoGradGuard no_grad;
  const SentenceEncoder encoder = small_encoder();
  const Sentences sentences = {"hello world", "a", "some words, and more words."};
  const Tensors states = encoder.encode_tokens(sentences);
  const Tensor mean_vectors = encoder.encode(sentences),
               max_vectors = encoder.encode(sentences, {.pooling = SentencePooling::max});
  const Tensor first = encoder.encode(sentences, {.pooling = SentencePooling::cls});
  const Tensor unit = encoder.encode(sentences, {.normalize = true});
  for (int64_t i = 0; i < 3; ++i) {
    const Tensor& own = states[static_cast<size_t>(i)];
    EXPECT_EQ(own.size(0), static_cast<int64_t>(encoder.tokenizer().ids(sentences[static_cast<size_t>(i)]).size()));
    EXPECT_LE(testing::relative_difference(mean_vectors[i], mean(own, {0})), 1e-6);
    EXPECT_TRUE(same_bytes(max_vectors[i], max(own, {0})));
    EXPECT_TRUE(same_bytes(first[i], own[0]));
    EXPECT_NEAR(sum(unit[i] * unit[i]).item<double>(), 1, 1e-6);
  }
  const Tensor cosines = SentenceEncoder::similarity(mean_vectors, mean_vectors);
  EXPECT_LE(testing::relative_difference(SentenceEncoder::pairwise_similarity(mean_vectors, unit), ones({3})), 1e-6);
  const auto [values, rows] = SentenceEncoder::search(mean_vectors, mean_vectors, 2);
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(rows[i][0].item<int64_t>(), i);
  EXPECT_NEAR(values[0][1].item<double>(), std::max(cosines[0][1].item<double>(), cosines[0][2].item<double>()), 1e-6);
}

TEST(SentenceEncoder, LayersCountFromTheEmbeddings) {
  const SentenceEncoder encoder = small_encoder();
  const Tensors last = encoder.encode_tokens({"hello"}, {}, -1);
  EXPECT_TRUE(same_bytes(encoder.encode_tokens({"hello"}, {}, 2)[0], last[0]));
  EXPECT_TRUE(same_bytes(encoder.encode_tokens({"hello"}, {}, 0)[0], encoder.encode_tokens({"hello"}, {}, -3)[0]));
  EXPECT_FALSE(same_bytes(encoder.encode_tokens({"hello"}, {}, 1)[0], last[0]));
  EXPECT_NE(message_of([&] { encoder.encode_tokens({"hello"}, {}, 3); }).find("layer must be from -3 to 2"),
            std::string::npos);
}

TEST(SentenceEncoder, LongAndOddTexts) {
  const SentenceEncoder encoder = small_encoder({.max_seq_length = 16});
  const std::string long_text(500, 'a'), spaced = [] {
    std::string words;
    for (int i = 0; i < 50; ++i) words += "a ";
    return words;
  }();
  int64_t truncated = 0;
  const Tensor vectors =
      encoder.encode({spaced, "", std::string("a\0b", 3), "\xff\xfe", long_text}, {.truncated = &truncated});
  EXPECT_EQ(truncated, 1);  // the word of 500 letters is one [UNK]
  EXPECT_EQ(vectors.shape(), (Shape{5, 96}));
  EXPECT_TRUE(same_bytes(vectors[2], encoder.encode("ab")));  // a control character is dropped
  EXPECT_EQ(encoder.encode_tokens({spaced})[0].size(0), 16);
  EXPECT_EQ(encoder.encode_tokens({spaced}, {.max_length = 40})[0].size(0), 40);
  EXPECT_NE(message_of([&] {
              encoder.encode({"a", spaced}, {.truncate = false});
            }).find("sentence 1 has 52 tokens, more than 16"),
            std::string::npos);
  EXPECT_EQ(encoder.encode(Sentences{}).shape(), (Shape{0, 96}));
  encoder.train();
  EXPECT_NE(message_of([&] { encoder.encode("a"); }).find("eval mode"), std::string::npos);
}

TEST(SentenceEncoder, TellsHowFarItIs) {
  const SentenceEncoder encoder = small_encoder();
  std::vector<int64_t> seen;
  encoder.encode(small_sentences(20), {.batch_tokens = 100, .progress = [&](int64_t done, int64_t total) {
                                         EXPECT_EQ(total, 20);
                                         seen.push_back(done);
                                       }});
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_GT(seen.size(), 3u);
  EXPECT_EQ(seen.back(), 20);
}

// Batches are computed at once, but a hook need not be ready for that.
TEST(SentenceEncoder, CallsHooksInTheCallingThread) {
  const SentenceEncoder encoder = small_encoder();
  const Sentences sentences = small_sentences(200);
  const Tensor expected = encoder.encode(sentences, {.batch_tokens = 50});
  int calls = 0, elsewhere = 0;
  const nn::HookHandle handle = encoder.bert.encoder.layer[0].register_forward_hook(
      [&, here = std::this_thread::get_id()](const nn::Module&, const Tensors&, const Tensors&) {
        ++calls;
        elsewhere += std::this_thread::get_id() != here;
      });
  EXPECT_TRUE(same_bytes(encoder.encode(sentences, {.batch_tokens = 50}), expected));
  EXPECT_GT(calls, 10);
  EXPECT_EQ(elsewhere, 0);
}

TEST(SentenceEncoder, LearnsThroughPooledVectors) {
  const SentenceEncoder encoder = small_encoder({.normalize = true});
  encoder.train();
  optim::Adam optimizer(encoder.parameters(), {.lr = 1e-3});
  const PackedTokens tokens = encoder.tokenize({"hello world", "a b c d", "some words", "hello"});
  const auto loss_of = [&] {
    const Tensor vectors = encoder(tokens);
    return sum(vectors[0] * vectors[1]) - sum(vectors[0] * vectors[3]);
  };
  double first = 0, last = 0;
  for (int step = 0; step < 12; ++step) {
    const Tensor loss = loss_of();
    last = loss.item<double>();
    if (step == 0) first = last;
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  }
  EXPECT_LT(last, first - .2);
}

TEST(SentenceFiles, ComeBackAsTheyWere) {
  const Folder folder;
  manual_seed(5);
  const SentenceEncoder plain = small_encoder();
  const SentenceEncoder encoder(plain.bert, plain.tokenizer(),
                                {.max_seq_length = 20, .pooling = SentencePooling::cls, .normalize = true},
                                {SentenceDense(96, 40, true, "tanh"), SentenceDense(40, 24, false, "identity")});
  encoder.save_pretrained(folder.path());
  const SentenceEncoder again = SentenceEncoder::from_pretrained(folder.path());
  EXPECT_EQ(again.width(), 24);
  EXPECT_EQ(again.options().max_seq_length, 20);
  EXPECT_TRUE(same_bytes(again.encode(small_sentences(9)), encoder.encode(small_sentences(9))));
}

TEST(SentenceFiles, ErrorsNameFileAndField) {
  const Folder folder;
  small_encoder({.normalize = true}).save_pretrained(folder.path());
  const auto says = [&](const std::string& file, const std::string& content, const std::string& words) {
    const std::string path = folder / file, before = io::read_file(path);
    io::write_file(path, content);
    const std::string message = message_of([&] { SentenceEncoder::from_pretrained(folder.path()); });
    EXPECT_NE(message.find(words), std::string::npos) << message;
    EXPECT_NE(message.find(file), std::string::npos) << message;
    io::write_file(path, before);
  };
  says("modules.json", "{}", "expected a list, found an object");
  says("modules.json", "[]", "expected a Transformer and a Pooling, found no module");
  says("modules.json", R"([{"type": "sentence_transformers.models.CNN", "path": ""}])",
       "type: expected Transformer, Pooling");
  says("modules.json", R"([{"type": "a.Transformer", "path": "../up"}])", "path: expected a folder within the model's");
  says("modules.json", "[1]", "expected an object, found 1");
  says("1_Pooling/config.json", R"({"word_embedding_dimension": 7})",
       "word_embedding_dimension: expected the hidden_size 96");
  says("1_Pooling/config.json", R"({"pooling_mode_lasttoken": true})", "pooling_mode_lasttoken: expected false");
  says("1_Pooling/config.json", R"({"pooling_mode_cls_token": true, "pooling_mode_max_tokens": true})",
       "one way of pooling");
  says("1_Pooling/config.json", "{}", "pooling_mode: expected cls, mean or max, found none");
  says("sentence_bert_config.json", R"({"max_seq_length": -1})", "max_seq_length: expected a whole number");
  says("vocab.txt", "hello\n", "[UNK]");
  says("vocab.txt", io::read_file(folder / "vocab.txt") + "more\n",
       "expected at most the 62 pieces of config.json's vocab_size, found 63");
  EXPECT_NE(message_of([] {
              manual_seed(1);
              BertConfig config = testing::small_config();
              config.vocab_size = 61;
              SentenceEncoder(Bert(config), testing::small_tokenizer());
            }).find("the tokenizer has 62 pieces, more than the 61 rows"),
            std::string::npos);
}

/// One that is too short is told of, unless the embedding is only filled up to a multiple of 8.
TEST(SentenceFiles, AShorterVocabularyIsToldOf) {
  const auto told = [](int64_t rows) {
    const Folder folder;
    BertConfig config = testing::small_config();
    config.vocab_size = rows;
    SentenceEncoder(Bert(config), testing::small_tokenizer()).save_pretrained(folder.path());
    std::string message;
    SentenceEncoder::from_pretrained(folder.path(), {.warn = [&](const std::string& line) { message += line; }});
    return message;
  };
  EXPECT_EQ(told(62), "");
  EXPECT_EQ(told(64), "");
  EXPECT_NE(told(63).find("vocab.txt: expected the 63 pieces of config.json's vocab_size, found 62"), std::string::npos)
      << told(63);
  EXPECT_NE(told(192), "");
}

}  // namespace
}  // namespace percale::models
