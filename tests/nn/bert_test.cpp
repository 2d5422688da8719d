// BERT's files, good and bad, and what its forward promises beside numbers (tests/goldens/bert_test.cpp has those).
#include <gtest/gtest.h>
#include <percale/nn/data/sha1.h>
#include <percale/nn/data/sha256.h>
#include <percale/percale.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "../testing/check.h"
#include "../testing/message_of.h"
#include "small_bert.h"

namespace percale::models {
namespace {

namespace fs = std::filesystem;
using testing::Folder;
using testing::message_of;
using testing::same_bytes;
using testing::small_config;

Bert small_bert(bool with_pooler = true) {
  manual_seed(3);
  return Bert(small_config(), with_pooler);
}

BertConfig config_of(const std::string& json) { return BertConfig::from_source({json, "config.json"}); }

TEST(BertConfig, NamesFileFieldAndReason) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "config.json: expected JSON in UTF-8, found an empty file"},
      {"[1]", "config.json: expected an object, found a list"},
      {"{}", "config.json: model_type: expected bert, found nothing"},
      {R"({"model_type": "roberta"})", "config.json: model_type: expected bert, found 'roberta'"},
      {R"({"model_type": "bert", "hidden_size": "wide"})",
       "config.json: hidden_size: expected a whole number from 1 to 16777216, found 'wide'"},
      {R"({"model_type": "bert", "hidden_size": 0})",
       "hidden_size: expected a whole number from 1 to 16777216, found 0"},
      {R"({"model_type": "bert", "vocab_size": 1e30})", "vocab_size: expected a whole number"},
      {R"({"model_type": "bert", "vocab_size": 18446744073709551615})", "vocab_size: expected a whole number"},
      {R"({"model_type": "bert", "hidden_size": 100, "num_attention_heads": 12})",
       "num_attention_heads: expected a number that divides the hidden_size of 100, found 12"},
      {R"({"model_type": "bert", "hidden_act": "relu"})", "hidden_act: expected gelu, gelu_new or gelu_pytorch_tanh"},
      {R"({"model_type": "bert", "hidden_dropout_prob": 1.5})", "hidden_dropout_prob: expected a number from 0 to 1"},
      {R"({"model_type": "bert", "position_embedding_type": "relative_key"})", "position_embedding_type: expected"},
      {R"({"model_type": "bert", "is_decoder": true})", "is_decoder: expected false, found true"},
  };
  for (const auto& [json, says] : cases)
    EXPECT_NE(message_of([&] { config_of(json); }).find(says), std::string::npos)
        << json << ": " << message_of([&] { config_of(json); });
  EXPECT_NE(message_of([&] { config_of(std::string(100'000, '[')); }).find("nested"), std::string::npos);
  EXPECT_NE(message_of([&] { config_of(std::string(2'000'000, ' ')); }).find("at most 1000000 bytes"),
            std::string::npos);
  EXPECT_NE(message_of([&] { config_of(std::string("{}\0", 3)); }).find("a NUL at byte 2"), std::string::npos);
}

TEST(BertConfig, WritesWhatItReads) {
  BertConfig config = small_config();
  config.hidden_act = "gelu_new";
  config.layer_norm_eps = 1e-7;
  EXPECT_EQ(config_of(config.json()).json(), config.json());
  EXPECT_NE(config.json("BertForMaskedLM", R"({"id2label": {"0": "no"}})").find("\"0\": \"no\""), std::string::npos);
}

TEST(Bert, HasHuggingFacesNames) {
  const auto state = small_bert().state_dict();
  const auto has = [&](const std::string& name) {
    return std::any_of(state.begin(), state.end(), [&](const auto& entry) { return entry.first == name; });
  };
  for (const char* name :
       {"embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight",
        "embeddings.token_type_embeddings.weight", "embeddings.LayerNorm.weight",
        "encoder.layer.0.attention.self.query.weight", "encoder.layer.1.attention.self.value.bias",
        "encoder.layer.1.attention.output.dense.weight", "encoder.layer.0.attention.output.LayerNorm.bias",
        "encoder.layer.0.intermediate.dense.weight", "encoder.layer.1.output.dense.bias",
        "encoder.layer.1.output.LayerNorm.weight", "pooler.dense.weight"})
    EXPECT_TRUE(has(name)) << name;
  EXPECT_EQ(state.size(), 5u + 2 * 16 + 2);
}

Tensor some_ids(int64_t rows, int64_t length) {
  Tensor ids = Tensor::empty({rows, length}, {i64, cpu_device});
  for (int64_t i = 0; i < ids.numel(); ++i)
    ids.data<int64_t>()[i] = 1 + static_cast<int64_t>(goldens::bits(5, static_cast<uint64_t>(i)) >> 40) % 60;
  return ids;
}

TEST(Bert, PaddingChangesNoByte) {
  const NoGradGuard no_grad;
  const Bert bert = small_bert();
  const Tensor ids = some_ids(1, 9), alone = bert(ids).last_hidden_state;
  const Tensor padded = cat({ids, zeros({1, 5}, {i64, cpu_device})}, 1);
  const Tensor mask = cat({ones({1, 9}), zeros({1, 5})}, 1).to(i64);
  const Tensor batch = cat({padded, some_ids(1, 14)}, 0);
  const BertResult result = bert(batch, cat({mask, ones({1, 14}, {i64, cpu_device})}, 0));
  EXPECT_TRUE(same_bytes(result.last_hidden_state[0].slice(0, 0, 9), alone[0]));
  EXPECT_TRUE(same_bytes(result.last_hidden_state[0].slice(0, 9), zeros({5, 96})));
  EXPECT_TRUE(same_bytes(result.pooler_output[0], bert(ids).pooler_output[0]));
}

TEST(Bert, AttentionsOnRequestAreSharesAndChangeNothingElse) {
  const NoGradGuard no_grad;
  const Bert bert = small_bert();
  const Tensor ids = some_ids(3, 8);
  const BertResult with = bert(ids, Tensor(), Tensor(), BertForwardOptions{.attentions = true});
  ASSERT_EQ(with.attentions.size(), 2u);
  EXPECT_EQ(with.attentions[0].shape(), (Shape{3, 3, 8, 8}));
  EXPECT_LE(testing::relative_difference(sum(with.attentions[1], {3}), ones({3, 3, 8})), 1e-6);
  EXPECT_LE(testing::relative_difference(with.last_hidden_state, bert(ids).last_hidden_state), 2e-6);
}

TEST(Bert, RefusesWhatItCannotRead) {
  const Bert bert = small_bert();
  const Tensor ids = some_ids(2, 4);
  const auto says = [&](const auto& action, const char* words) {
    EXPECT_NE(message_of(action).find(words), std::string::npos) << message_of(action);
  };
  says([&] { bert(full({1, 2}, 62, {i64, cpu_device})); }, "62 at position");
  says([&] { bert(full({1, 2}, -1, {i64, cpu_device})); }, "-1 at position");
  says([&] { bert(ids, Tensor(), full({2, 4}, 2, {i64, cpu_device})); }, "2 at position");
  says([&] { bert(some_ids(1, 81)); }, "longer than the model's 80 positions");
  says([&] { bert(ids, zeros({2, 4}, {i64, cpu_device})); }, "row 0 of the mask has no tokens");
  says([&] { bert(ids, ones({2, 3}, {i64, cpu_device})); }, "as the ids");
  says([&] { bert(ids.to(f32)); }, "ids must be i64 [batch, length]");
  says(
      [&] {
        PackedTokens::from(some_ids(1, 4)[0], tensor({int64_t{0}, int64_t{4}, int64_t{4}}));
      },
      "sequence 1 has no tokens");
  says(
      [&] {
        PackedTokens::from(some_ids(1, 4)[0], tensor({int64_t{0}, int64_t{5}}));
      },
      "offsets must go from 0 to the 4 tokens");
}

/// A model's folder whose weights have been changed by `change`.
struct Published {
  Folder folder;
  explicit Published(const std::function<void(io::NamedTensors&)>& change = {}) {
    const Bert bert = small_bert();
    bert.save_pretrained(folder.path());
    if (!change) return;
    io::NamedTensors tensors = io::load_safetensors(folder / "model.safetensors").tensors;
    change(tensors);
    io::save_safetensors(folder / "model.safetensors", tensors);
  }
  Bert load(std::string* warned = nullptr) const {
    return Bert::from_pretrained(folder.path(), {.warn = [=](const std::string& line) {
                                   if (warned) *warned += line;
                                 }});
  }
};

bool same_weights(const Bert& a, const Bert& b) {
  const auto left = a.state_dict(), right = b.state_dict();
  bool same = left.size() == right.size();
  for (size_t i = 0; same && i < left.size(); ++i)
    same = left[i].first == right[i].first && same_bytes(left[i].second, right[i].second);
  return same;
}

TEST(BertFiles, ComeBackAsTheyWere) {
  std::string warned;
  EXPECT_TRUE(same_weights(Published().load(&warned), small_bert()));
  EXPECT_EQ(warned, "");
  EXPECT_FALSE(Published().load().training());
}

// Weights lie in memory that the file is mapped to.
TEST(BertFiles, WhatIsWrittenStaysWithTheModelUntilItIsSaved) {
  const Published published;
  const Bert bert = published.load();
  {
    const NoGradGuard no_grad;
    bert.pooler->dense.bias.fill_(2);
  }
  EXPECT_TRUE(same_weights(published.load(), small_bert()));
  bert.save_pretrained(published.folder.path());
  EXPECT_TRUE(same_weights(published.load(), bert));
  EXPECT_FALSE(same_weights(published.load(), small_bert()));
}

TEST(BertFiles, NamesOfOtherTimesAndModels) {
  std::string warned;
  const Published published([](io::NamedTensors& tensors) {
    for (auto& [name, tensor] : tensors) {
      if (const size_t at = name.find("LayerNorm.weight"); at != std::string::npos) name.replace(at + 10, 6, "gamma");
      if (const size_t at = name.find("LayerNorm.bias"); at != std::string::npos) name.replace(at + 10, 4, "beta");
      name = "bert." + name;
    }
    tensors.emplace_back("bert.embeddings.position_ids", zeros({1, 80}, {i64, cpu_device}));
    tensors.emplace_back("cls.predictions.bias", zeros({62}));
  });
  EXPECT_TRUE(same_weights(published.load(&warned), small_bert()));
  EXPECT_NE(warned.find("passed over, as no part of BERT: 'cls.predictions.bias'"), std::string::npos) << warned;
  EXPECT_EQ(warned.find("position_ids"), std::string::npos);
}

TEST(BertFiles, NarrowNumbersAreWidened) {
  for (const DType dtype : {f16, bf16, f64}) {
    const Published published([&](io::NamedTensors& tensors) {
      for (auto& [name, tensor] : tensors) tensor = tensor.to(dtype);
    });
    const auto found = published.load().state_dict(), expected = small_bert().state_dict();
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_TRUE(same_bytes(found[i].second, expected[i].second.to(dtype).to(f32))) << found[i].first;
  }
}

TEST(BertInBf16, RoundsBetweenLayersOnlyWhereNoGradientIsWanted) {
  manual_seed(3);
  BertConfig config = small_config();
  config.initializer_range = .1;  // so that layers do something
  const Bert bert(config);
  const Tensor ids = some_ids(3, 20);
  const BertForwardOptions options{.hidden_states = true};
  const auto is_rounded = [](const Tensor& x) { return same_bytes(x, x.to(bf16).to(f32)); };
  const PrecisionScope scope(Precision::bf16);
  EXPECT_FALSE(is_rounded(bert.forward(ids, {}, {}, options).last_hidden_state.detach()));
  const NoGradGuard no_grad;
  const BertResult found = bert.forward(ids, {}, {}, options);
  const PrecisionScope exact(Precision::fp32);
  const BertResult expected = bert.forward(ids, {}, {}, options);
  ASSERT_EQ(found.hidden_states.size(), 3u);
  for (size_t i = 0; i < found.hidden_states.size(); ++i) {
    EXPECT_EQ(found.hidden_states[i].dtype(), f32);
    EXPECT_TRUE(is_rounded(found.hidden_states[i])) << i;
    EXPECT_LE(testing::relative_difference(found.hidden_states[i], expected.hidden_states[i]), 2e-2)
        << i;  // some 5 halves of its last bit
  }
  EXPECT_TRUE(same_bytes(found.last_hidden_state, found.hidden_states[2]));
}

TEST(BertFiles, WithoutAPooler) {
  const Published published([](io::NamedTensors& tensors) {
    std::erase_if(tensors, [](const auto& entry) { return entry.first.starts_with("pooler."); });
  });
  const Bert bert = published.load();
  EXPECT_FALSE(bert.pooler.has_value());
  EXPECT_FALSE(bert(some_ids(1, 3)).pooler_output.defined());
}

TEST(BertFiles, ErrorsNameFileTensorAndReason) {
  const auto says = [](const Published& published, const std::string& words) {
    const std::string message = message_of([&] { published.load(); });
    EXPECT_NE(message.find(words), std::string::npos) << message;
    EXPECT_NE(message.find(published.folder.path()), std::string::npos) << message;
  };
  says(Published([](auto& tensors) { tensors.erase(tensors.begin() + 3); }), "found no ");
  says(Published([](auto& tensors) {
         for (auto& [name, tensor] : tensors)
           if (name == "embeddings.word_embeddings.weight") tensor = zeros({61, 96});
       }),
       "'embeddings.word_embeddings.weight': expected [62, 96] by config.json, found [61, 96]");
  says(Published([](auto& tensors) {
         for (auto& [name, tensor] : tensors)
           if (name == "pooler.dense.bias") tensor = tensor.to(i64);
       }),
       "'pooler.dense.bias': expected F32, F16, BF16 or F64, found i64");
  says(Published([](auto& tensors) { tensors.emplace_back("bert.pooler.dense.bias", zeros({96})); }),
       "expected one tensor pooler.dense.bias, found ");
  Published half;
  const std::string whole = io::read_file(half.folder / "model.safetensors");
  std::ofstream(half.folder / "model.safetensors") << whole.substr(0, whole.size() / 2);
  says(half, "model.safetensors");
  Published large;  // of which the file has nothing: no memory is spent on it
  BertConfig config = small_config();
  config.vocab_size = 1 << 24, config.hidden_size = 3 << 20;
  io::write_file(large.folder / "config.json", config.json());
  says(large, "by config.json, found");
  config = small_config(), config.num_hidden_layers = 9'999;
  io::write_file(large.folder / "config.json", config.json());
  says(large, "expected the 9999 layers of config.json");
  Published none;
  fs::remove(none.folder / "model.safetensors");
  says(none, "model.safetensors");
  io::write_file(none.folder / "pytorch_model.bin", "");
  says(none, "expected model.safetensors, found pytorch_model.bin");
}

/// The hub's cache, and the hub itself as a folder behind file://.
class PretrainedFolder : public ::testing::Test {
 protected:
  PretrainedFolder() {
    for (const char* name : {"HF_HUB_CACHE", "HF_HUB_OFFLINE", "PERCALE_OFFLINE"}) unsetenv(name);
    setenv("HF_HOME", (folder_ / "home").c_str(), 1);
    setenv("HF_ENDPOINT", ("file://" + folder_ / "hub").c_str(), 1);
  }
  ~PretrainedFolder() override {
    for (const char* name : {"HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE"}) unsetenv(name);
  }
  std::string cached(const std::string& name) const { return folder_ / "home/hub/" + name; }

  void put_in_cache(const std::string& name, const std::string& commit) const {
    small_bert().save_pretrained(cached(name) + "/snapshots/" + commit);
  }

  /// `organisation/small` on the hub, its weights of the given SHA-256, its config.json of the given size and SHA-1.
  void put_on_hub(const std::string& sha256, const std::string& wrong_size = "",
                  const std::string& config_sha1 = "") const {
    const std::string files = folder_ / "hub/organisation/small/resolve/c0ffee/";
    small_bert().save_pretrained(files);
    const auto size = [&](const char* name) { return std::to_string(fs::file_size(files + name)); };
    const std::string weights_size = size("model.safetensors");
    const std::string answer = R"({"sha": "c0ffee", "siblings": [{"rfilename": "config.json", "blobId": ")" +
                               (config_sha1.empty() ? data::git_sha1_of_file(files + "config.json") : config_sha1) +
                               R"(", "size": )" + (wrong_size.empty() ? size("config.json") : wrong_size) +
                               R"(}, {"rfilename": "../evil", "blobId": "ee", "size": 1}, )" +
                               R"({"rfilename": "onnx/config.json", "blobId": "ef", "size": 1}, )" +
                               R"({"rfilename": "model.safetensors", "blobId": "bb22", "size": )" + weights_size +
                               R"(, "lfs": {"sha256": ")" + sha256 + R"(", "size": )" + weights_size + "}}]}";
    fs::create_directories(folder_ / "hub/api/models/organisation/small/revision");
    io::write_file(folder_ / "hub/api/models/organisation/small/revision/main", answer);
  }
  std::string hub_digest() const {
    return data::sha256_of_file(folder_ / "hub/organisation/small/resolve/c0ffee/model.safetensors");
  }

  const Folder folder_;
};

TEST_F(PretrainedFolder, AFolderIsItself) { EXPECT_EQ(pretrained_folder(folder_.path()), folder_.path()); }

TEST_F(PretrainedFolder, TheCachesRevision) {
  put_in_cache("models--organisation--small", "abc");
  put_in_cache("models--organisation--small", "def");
  fs::create_directories(cached("models--organisation--small/refs"));
  io::write_file(cached("models--organisation--small/refs/main"), "abc\n");
  EXPECT_EQ(pretrained_folder("organisation/small"), cached("models--organisation--small/snapshots/abc"));
  EXPECT_EQ(pretrained_folder("organisation/small", {.revision = "def"}),
            cached("models--organisation--small/snapshots/def"));
}

TEST_F(PretrainedFolder, ABareNameIsLookedForUnderSentenceTransformersToo) {
  put_in_cache("models--sentence-transformers--small", "abc");
  EXPECT_EQ(pretrained_folder("small"), cached("models--sentence-transformers--small/snapshots/abc"));
}

TEST_F(PretrainedFolder, ComesFromTheHubIntoTheCache) {
  put_on_hub(std::string(64, '0'));  // to make the files
  put_on_hub(hub_digest());
  const std::string found = pretrained_folder("organisation/small");
  EXPECT_EQ(found, cached("models--organisation--small/snapshots/c0ffee"));
  EXPECT_TRUE(same_weights(Bert::from_pretrained(found), small_bert()));
  EXPECT_TRUE(fs::is_symlink(found + "/config.json"));
  EXPECT_EQ(io::read_file(cached("models--organisation--small/refs/main")), "c0ffee");
  EXPECT_FALSE(fs::exists(found + "/onnx"));
  fs::remove_all(folder_ / "hub");
  EXPECT_EQ(pretrained_folder("organisation/small"), found);
}

TEST_F(PretrainedFolder, OtherBytesThanTheHubPromisesAreRefused) {
  put_on_hub(std::string(64, '0'));
  EXPECT_NE(message_of([] { pretrained_folder("organisation/small"); }).find("expected SHA-256 0000"),
            std::string::npos);
  put_on_hub(hub_digest(), "3");
  const std::string message = message_of([] { pretrained_folder("organisation/small"); });
  EXPECT_NE(message.find("expected 3 bytes"), std::string::npos) << message;
  put_on_hub(hub_digest(), "", std::string(40, '1'));
  const std::string other = message_of([] { pretrained_folder("organisation/small"); });
  EXPECT_NE(other.find("config.json: expected git's SHA-1 1111"), std::string::npos) << other;
}

TEST_F(PretrainedFolder, SaysWhatToDo) {
  const std::string message = message_of([] { pretrained_folder("organisation/small"); });
  for (const char* words : {"organisation/small: is no folder", "home/hub", "could not be fetched", "set HF_HOME"})
    EXPECT_NE(message.find(words), std::string::npos) << message;
  setenv("HF_HUB_OFFLINE", "1", 1);
  EXPECT_NE(message_of([] { pretrained_folder("small"); }).find("HF_HUB_OFFLINE is set"), std::string::npos);
  for (const char* name : {"../up", "/nowhere/at/all", "a/b/c", "with space", ""})
    EXPECT_NE(message_of([&] { pretrained_folder(name); }).find("expected a folder or a model id"), std::string::npos)
        << name;
}

}  // namespace
}  // namespace percale::models
