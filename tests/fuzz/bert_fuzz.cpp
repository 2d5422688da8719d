// Any bytes as the JSON files of a published model, and as weights for a small configuration: a model, or an error of
// Percale's.
#include <percale/core/error.h>
#include <percale/nn/models/sentence_encoder.h>

using namespace percale;

namespace {

constexpr std::string_view small = R"({"model_type": "bert", "vocab_size": 3, "hidden_size": 2, "num_hidden_layers": 0,
 "num_attention_heads": 1, "intermediate_size": 1, "max_position_embeddings": 1, "type_vocab_size": 1})";

template <class Read>
void attempt(Read read) {
  try {
    read();
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const io::Source source(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  const models::PretrainedOptions quiet{.warn = [](const std::string&) {}};
  attempt([&] {
    const models::BertConfig config = models::BertConfig::from_source(source);
    const std::string written = config.json();
    if (models::BertConfig::from_source({written, "again"}).json() != written) __builtin_trap();
  });
  attempt([&] { models::SentenceModules::from_source(source); });
  attempt([&] { models::SentenceModules::read_pooling(source, 384); });
  attempt([&] { models::Bert::from_files({small, "config.json"}, source, quiet); });
  return 0;
}
