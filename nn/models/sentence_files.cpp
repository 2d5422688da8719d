// The folders that sentence-transformers reads and writes: modules.json and what it names.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "../../core/autograd.h"
#include "../../core/io/safetensors.h"
#include "config_file.h"
#include "sentence_encoder.h"

namespace percale::models {
namespace {

namespace fs = std::filesystem;

constexpr const char* owner = "SentenceEncoder";
constexpr int64_t widest = 1 << 24;

std::string path_of(const fs::path& folder, const std::string& name) { return (folder / name).string(); }

/// What stands behind the last `.`: `Pooling` of `sentence_transformers.models.Pooling`.
std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

/// The text of a folder's `config.json` beside its weights.
SentenceDense read_dense(const std::string& folder) {
  const ConfigFile config(owner, io::Source(path_of(folder, "config.json")));
  for (const char* field : {"in_features", "out_features"})
    if (!config.has(field)) config.refuse(field, "a whole number");
  const int64_t in = config.whole("in_features", 0, 1, widest), out = config.whole("out_features", 0, 1, widest);
  const bool bias = config.flag("bias", true);
  std::string activation = last_part(config.string("activation_function", "torch.nn.modules.activation.Tanh"));
  std::transform(activation.begin(), activation.end(), activation.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  constexpr const char* known[] = {"identity", "tanh", "relu", "gelu", "sigmoid"};
  if (std::find(std::begin(known), std::end(known), activation) == std::end(known))
    config.refuse("activation_function", "Identity, Tanh, ReLU, GELU or Sigmoid");
  const io::Source source(path_of(folder, "model.safetensors"));
  const io::SafetensorsReader reader(source);
  const auto find = [&](const char* name, const Shape& shape) {
    for (const auto& entry : reader.entries()) {
      if (entry.name != name) continue;
      require(entry.shape == shape && is_floating(entry.dtype), owner,
              "{}: {}: expected {} by config.json, found {} {}", source.name(), name, shape, entry.dtype, entry.shape);
      const Tensor tensor = Tensor::empty(shape, {entry.dtype, cpu_device});
      reader.read(entry, tensor);
      return tensor;
    }
    fail(owner, "{}: expected a tensor {}, found none", {source.name(), name});
  };
  const Tensor weight = find("linear.weight", {out, in});
  const nn::init::SkipGuard skip;
  SentenceDense dense(in, out, bias, activation);
  const NoGradGuard no_grad;
  dense.linear.weight.copy_(weight);
  if (bias) dense.linear.bias.copy_(find("linear.bias", {out}));
  return dense;
}

/// More pieces than the embedding has rows would be ids out of range. Fewer are another model's vocabulary or a part of
/// the right one, which nothing else would tell; but many a published model has its rows filled up to a multiple of 8,
/// 64 or 128.
void check_vocabulary(const std::string& folder, int64_t pieces, int64_t rows, const PretrainedOptions& options) {
  const bool is_json = fs::exists(path_of(folder, "tokenizer.json"));
  const std::string file = path_of(folder, is_json ? "tokenizer.json" : "vocab.txt");
  require(pieces <= rows, owner, "{}: expected at most the {} pieces of config.json's vocab_size, found {}", file, rows,
          pieces);
  const bool filled_up = rows % 8 == 0 && rows - pieces < 128;
  if (pieces < rows && !filled_up)
    warn(options, file + ": expected the " + text(rows) + " pieces of config.json's vocab_size, found " + text(pieces) +
                      ": is it this model's?");
}

}  // namespace

SentenceModules SentenceModules::from_source(const io::Source& source) {
  const ConfigFile file(owner, source, true);
  SentenceModules result;
  std::string before;
  for (const auto& entry : file.json()) {
    const ConfigFile module(owner, source.name(), entry);
    const std::string type = last_part(module.string("type", "")), path = module.string("path", "");
    const fs::path relative = path;
    if (relative.is_absolute() ||
        std::any_of(relative.begin(), relative.end(), [](const fs::path& p) { return p == ".."; }))
      module.refuse("path", "a folder within the model's");
    const bool fits = type == "Transformer" ? before.empty()
                      : type == "Pooling"   ? before == "Transformer"
                      : type == "Dense"     ? before == "Pooling" || before == "Dense"
                      : type == "Normalize" ? before == "Pooling" || before == "Dense"
                                            : false;
    if (!fits) module.refuse("type", "Transformer, Pooling, any number of Dense and perhaps Normalize, in this order");
    if (type == "Transformer") result.transformer = path;
    if (type == "Pooling") result.pooling = path;
    if (type == "Dense") result.dense.push_back(path);
    if (type == "Normalize") result.normalize = true;
    before = type;
  }
  if (before.empty() || before == "Transformer")
    fail(owner, "{}: expected a Transformer and a Pooling, found {}",
         {source.name(), before.empty() ? "no module" : "no Pooling"});
  return result;
}

SentencePooling SentenceModules::read_pooling(const io::Source& source, int64_t hidden_size) {
  const ConfigFile file(owner, source);
  const char* width = file.has("embedding_dimension") ? "embedding_dimension" : "word_embedding_dimension";
  if (file.whole(width, hidden_size, 1, widest) != hidden_size)
    file.refuse(width, "the hidden_size " + std::to_string(hidden_size) + " of the model");
  std::string chosen = file.string("pooling_mode", "");
  const std::pair<const char*, const char*> flags[] = {
      {"pooling_mode_cls_token", "cls"},        {"pooling_mode_mean_tokens", "mean"},
      {"pooling_mode_max_tokens", "max"},       {"pooling_mode_mean_sqrt_len_tokens", ""},
      {"pooling_mode_weightedmean_tokens", ""}, {"pooling_mode_lasttoken", ""}};
  for (const auto& [field, name] : flags) {
    if (!file.flag(field, false)) continue;
    if (!*name) file.refuse(field, "false: cls, mean or max");
    if (!chosen.empty() && chosen != name) file.refuse(field, "false beside " + chosen + ": one way of pooling");
    chosen = name;
  }
  if (chosen != "cls" && chosen != "mean" && chosen != "max")
    file.refuse("pooling_mode", "cls, mean or max", chosen.empty() ? "none" : io::shown(chosen));
  return pooling_named(chosen);
}

SentenceEncoder SentenceEncoder::from_pretrained(const std::string& folder_or_id, const PretrainedOptions& options) {
  const std::string folder = pretrained_folder(folder_or_id, options);
  SentenceModules modules;
  if (fs::exists(path_of(folder, "modules.json")))
    modules = SentenceModules::from_source(io::Source(path_of(folder, "modules.json")));
  const std::string transformer = modules.transformer.empty() ? folder : path_of(folder, modules.transformer);
  const Bert bert = Bert::from_pretrained(transformer, options);
  SentenceEncoderOptions how{.normalize = modules.normalize};
  if (!modules.pooling.empty())
    how.pooling = SentenceModules::read_pooling(io::Source(path_of(path_of(folder, modules.pooling), "config.json")),
                                                bert.config().hidden_size);
  if (const std::string path = path_of(transformer, "sentence_bert_config.json"); fs::exists(path)) {
    const ConfigFile file(owner, io::Source(path));
    how.max_seq_length = file.whole("max_seq_length", 0, 3, widest);
    how.lower_case = file.flag("do_lower_case", false);
  }
  std::vector<SentenceDense> dense;
  for (const std::string& path : modules.dense) dense.push_back(read_dense(path_of(folder, path)));
  const auto tokenizer = language::WordPiece::from_pretrained(transformer);
  check_vocabulary(transformer, tokenizer.vocabulary_size(), bert.config().vocab_size, options);
  return SentenceEncoder(bert, tokenizer, how, dense);
}

void SentenceEncoder::save_pretrained(const std::string& folder) const {
  bert.save_pretrained(folder);
  tokenizer_.save_pretrained(folder);
  nlohmann::ordered_json modules = nlohmann::ordered_json::array();
  const auto add_module = [&](const std::string& type, bool has_folder) {
    const std::string number = std::to_string(modules.size());
    const std::string path = has_folder ? number + "_" + type : "";
    modules.push_back(
        {{"idx", modules.size()}, {"name", number}, {"path", path}, {"type", "sentence_transformers.models." + type}});
    return path_of(folder, path);
  };
  const auto write = [](const std::string& where, const char* name, const nlohmann::ordered_json& json) {
    fs::create_directories(where);
    io::write_file(path_of(where, name), json.dump(2) + "\n");
  };
  add_module("Transformer", false);
  write(add_module("Pooling", true), "config.json",
        {{"word_embedding_dimension", bert.config().hidden_size},
         {"pooling_mode_cls_token", options_.pooling == SentencePooling::cls},
         {"pooling_mode_mean_tokens", options_.pooling == SentencePooling::mean},
         {"pooling_mode_max_tokens", options_.pooling == SentencePooling::max},
         {"pooling_mode_mean_sqrt_len_tokens", false}});
  const std::pair<const char*, const char*> classes[] = {{"identity", "torch.nn.modules.linear.Identity"},
                                                         {"tanh", "torch.nn.modules.activation.Tanh"},
                                                         {"relu", "torch.nn.modules.activation.ReLU"},
                                                         {"gelu", "torch.nn.modules.activation.GELU"},
                                                         {"sigmoid", "torch.nn.modules.activation.Sigmoid"}};
  for (const SentenceDense& layer : dense) {
    const std::string where = add_module("Dense", true);
    const auto* activation = std::find_if(std::begin(classes), std::end(classes),
                                          [&](const auto& known) { return layer.activation == known.first; });
    write(where, "config.json",
          {{"in_features", layer.linear.weight.size(1)},
           {"out_features", layer.linear.weight.size(0)},
           {"bias", layer.linear.bias.defined()},
           {"activation_function", activation->second}});
    io::save_safetensors(path_of(where, "model.safetensors"), layer.state_dict(), {.sorted = true});
  }
  if (options_.normalize) fs::create_directories(add_module("Normalize", true));
  write(folder, "modules.json", modules);
  write(folder, "sentence_bert_config.json",
        {{"max_seq_length", options_.max_seq_length}, {"do_lower_case", options_.lower_case}});
}

}  // namespace percale::models
