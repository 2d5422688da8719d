#include "bert_config.h"

#include <cmath>
#include <string_view>

#include "../../core/error.h"
#include "config_file.h"

namespace percale::models {
namespace {

constexpr int64_t most_layers = 10'000, largest = 1 << 24;

bool is_activation(std::string_view name) {
  return name == "gelu" || name == "gelu_new" || name == "gelu_pytorch_tanh";
}

}  // namespace

BertConfig BertConfig::from_file(const std::string& path) { return from_source(io::Source(path)); }

BertConfig BertConfig::from_source(const io::Source& source) {
  const ConfigFile file("Bert", source);
  if (file.string("model_type", "") != "bert") file.refuse("model_type", "bert");
  if (file.string("position_embedding_type", "absolute") != "absolute")
    file.refuse("position_embedding_type", "absolute");
  if (file.flag("is_decoder", false)) file.refuse("is_decoder", "false");
  BertConfig config;
  config.vocab_size = file.whole("vocab_size", config.vocab_size, 1, largest);
  config.hidden_size = file.whole("hidden_size", config.hidden_size, 1, largest);
  config.num_hidden_layers = file.whole("num_hidden_layers", config.num_hidden_layers, 0, most_layers);
  config.num_attention_heads = file.whole("num_attention_heads", config.num_attention_heads, 1, largest);
  if (config.hidden_size % config.num_attention_heads)
    file.refuse("num_attention_heads",
                "a number that divides the hidden_size of " + std::to_string(config.hidden_size));
  config.intermediate_size = file.whole("intermediate_size", config.intermediate_size, 1, largest);
  config.hidden_act = file.string("hidden_act", config.hidden_act);
  if (!is_activation(config.hidden_act)) file.refuse("hidden_act", "gelu, gelu_new or gelu_pytorch_tanh");
  config.hidden_dropout_prob = file.real("hidden_dropout_prob", config.hidden_dropout_prob, 0, 1);
  config.attention_probs_dropout_prob =
      file.real("attention_probs_dropout_prob", config.attention_probs_dropout_prob, 0, 1);
  config.max_position_embeddings = file.whole("max_position_embeddings", config.max_position_embeddings, 1, largest);
  config.type_vocab_size = file.whole("type_vocab_size", config.type_vocab_size, 1, largest);
  config.initializer_range = file.real("initializer_range", config.initializer_range, 0, 1e6);
  config.layer_norm_eps = file.real("layer_norm_eps", config.layer_norm_eps, 0, 1);
  config.pad_token_id = file.whole("pad_token_id", config.pad_token_id, -1, largest);
  return config;
}

void BertConfig::check(const std::string& owner) const {
  const std::string written = json();
  from_source(io::Source(std::string_view(written), owner));
}

std::string BertConfig::json(const std::string& architecture, const std::string& more) const {
  nlohmann::ordered_json result = {{"architectures", {architecture}},
                                   {"attention_probs_dropout_prob", attention_probs_dropout_prob},
                                   {"hidden_act", hidden_act},
                                   {"hidden_dropout_prob", hidden_dropout_prob},
                                   {"hidden_size", hidden_size},
                                   {"initializer_range", initializer_range},
                                   {"intermediate_size", intermediate_size},
                                   {"layer_norm_eps", layer_norm_eps},
                                   {"max_position_embeddings", max_position_embeddings},
                                   {"model_type", "bert"},
                                   {"num_attention_heads", num_attention_heads},
                                   {"num_hidden_layers", num_hidden_layers},
                                   {"pad_token_id", pad_token_id},
                                   {"position_embedding_type", "absolute"},
                                   {"type_vocab_size", type_vocab_size},
                                   {"vocab_size", vocab_size}};
  const nlohmann::ordered_json others = nlohmann::ordered_json::parse(more, nullptr, false);
  require(others.is_object(), "BertConfig", "more must be an object of JSON, got {}", io::shown(more));
  result.update(others);
  return result.dump(2) + "\n";
}

}  // namespace percale::models
