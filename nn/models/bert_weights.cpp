// BERT's weights from and into a published model's files.
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "../../core/autograd.h"
#include "../../core/io/safetensors.h"
#include "bert.h"

namespace percale::models {
namespace {

namespace fs = std::filesystem;
using Entry = io::SafetensorsReader::Entry;

[[noreturn]] void refuse(const std::string& file, std::string_view pattern, std::initializer_list<std::string> values) {
  fail("Bert", "{}: {}", {file, format_text(pattern, values)});
}

/// The name that BertModel has for a tensor of the file: without the prefix of a model around it, and without the names
/// that the first, TensorFlow's, files gave to a norm's two parameters.
std::string model_name(std::string name) {
  if (name.starts_with("bert.")) name.erase(0, 5);
  if (name.ends_with(".gamma")) name.replace(name.size() - 5, 5, "weight");
  if (name.ends_with(".beta")) name.replace(name.size() - 4, 4, "bias");
  return name;
}

/// Up to eight names, and how many more there are.
std::string list(const std::vector<std::string>& names) {
  std::string result;
  const size_t shown = std::min<size_t>(names.size(), 8);
  for (size_t i = 0; i < shown; ++i) result += (i ? ", " : "") + io::shown(names[i]);
  if (names.size() > shown) result += " and " + std::to_string(names.size() - shown) + " more";
  return result;
}

/// The file's tensors by the model's names.
std::map<std::string, const Entry*> by_model_name(const std::string& file, const io::SafetensorsReader& reader) {
  std::map<std::string, const Entry*> result;
  for (const Entry& entry : reader.entries()) {
    const auto [found, is_new] = result.emplace(model_name(entry.name), &entry);
    if (!is_new)
      refuse(file, "expected one tensor {}, found {} and {}",
             {found->first, io::shown(found->second->name), io::shown(entry.name)});
  }
  return result;
}

/// The shape that the configuration demands of each parameter, before memory is spent on any: a config.json may ask for
/// far more than the file has.
std::vector<std::pair<std::string, Shape>> expected_shapes(const BertConfig& config, bool with_pooler) {
  std::vector<std::pair<std::string, Shape>> result;
  const int64_t width = config.hidden_size, wide = config.intermediate_size;
  const auto linear = [&](const std::string& name, int64_t out, int64_t in) {
    result.push_back({name + ".weight", {out, in}});
    result.push_back({name + ".bias", {out}});
  };
  const auto norm = [&](const std::string& name) {
    result.push_back({name + ".LayerNorm.weight", {width}});
    result.push_back({name + ".LayerNorm.bias", {width}});
  };
  result.push_back({"embeddings.word_embeddings.weight", {config.vocab_size, width}});
  result.push_back({"embeddings.position_embeddings.weight", {config.max_position_embeddings, width}});
  result.push_back({"embeddings.token_type_embeddings.weight", {config.type_vocab_size, width}});
  norm("embeddings");
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string layer = "encoder.layer." + std::to_string(i) + ".";
    for (const char* part : {"query", "key", "value"}) linear(layer + "attention.self." + part, width, width);
    linear(layer + "attention.output.dense", width, width);
    norm(layer + "attention.output");
    linear(layer + "intermediate.dense", wide, width);
    linear(layer + "output.dense", width, wide);
    norm(layer + "output");
  }
  if (with_pooler) linear("pooler.dense", width, width);
  return result;
}

void check_weights(const std::string& file, const std::map<std::string, const Entry*>& entries,
                   const BertConfig& config, bool with_pooler) {
  std::vector<std::string> missing;
  for (const auto& [name, shape] : expected_shapes(config, with_pooler)) {
    const auto found = entries.find(name);
    if (found == entries.end()) {
      missing.push_back(name);
      continue;
    }
    const Entry& entry = *found->second;
    if (!is_floating(entry.dtype))
      refuse(file, "{}: expected F32, F16, BF16 or F64, found {}", {io::shown(entry.name), text(entry.dtype)});
    if (entry.shape != shape)
      refuse(file, "{}: expected {} by config.json, found {}", {io::shown(entry.name), text(shape), text(entry.shape)});
  }
  if (!missing.empty()) refuse(file, "expected the tensors of BERT, found no {}", {list(missing)});
}

/// The file's elements in the parameter: f32 in place, where the file lies in memory. Of a large vocabulary few rows
/// are ever read, and to clear and fill memory for all of MiniLM takes 90 ms.
void load(const io::SafetensorsReader& reader, const Entry& entry, const std::shared_ptr<std::byte>& mapped,
          const Tensor& parameter) {
  if (entry.dtype != f32) {
    const Tensor narrow = Tensor::empty(entry.shape, {entry.dtype, cpu_device});
    reader.read(entry, narrow);
    parameter.copy_(narrow);
  } else if (mapped && entry.begin % sizeof(float) == 0) {
    parameter.set_data(Tensor::from_blob(mapped.get() + entry.begin, entry.shape, {}, [mapped](void*) {}));
  } else {
    reader.read(entry, parameter);
    parameter.mark_written("from_pretrained");
  }
}

/// Tensors that have no place in the model; `position_ids`, the numbers 0 to 511, are none.
void name_unknown(const std::string& file, const std::map<std::string, const Entry*>& entries,
                  const std::set<std::string>& known, const PretrainedOptions& options) {
  std::vector<std::string> unknown;
  for (const auto& [name, entry] : entries)
    if (!known.contains(name) && name != "embeddings.position_ids") unknown.push_back(entry->name);
  if (!unknown.empty()) warn(options, file + ": passed over, as no part of BERT: " + list(unknown));
}

}  // namespace

Bert Bert::from_files(const io::Source& config_file, const io::Source& weights, const PretrainedOptions& options) {
  const BertConfig config = BertConfig::from_source(config_file);
  const io::SafetensorsReader reader(weights);
  const auto entries = by_model_name(weights.name(), reader);
  const int64_t layers = config.num_hidden_layers;
  if (layers > static_cast<int64_t>(entries.size()))
    refuse(weights.name(), "expected the {} layers of config.json, found {} tensors",
           {text(layers), text(entries.size())});
  const bool with_pooler = entries.contains("pooler.dense.weight") || entries.contains("pooler.dense.bias");
  check_weights(weights.name(), entries, config, with_pooler);
  const nn::init::SkipGuard skip;
  Bert bert(config, with_pooler);
  const NoGradGuard no_grad;
  const std::shared_ptr<std::byte> mapped = weights.map();
  std::set<std::string> known;
  for (const auto& [name, parameter] : bert.named_parameters()) {
    load(reader, *entries.at(name), mapped, parameter);
    known.insert(name);
  }
  name_unknown(weights.name(), entries, known, options);
  return bert;
}

Bert Bert::from_pretrained(const std::string& folder_or_id, const PretrainedOptions& options) {
  const std::string folder = pretrained_folder(folder_or_id, options);
  const fs::path path = folder;
  if (!fs::exists(path / "model.safetensors") && fs::exists(path / "pytorch_model.bin"))
    refuse(folder, "expected model.safetensors, found pytorch_model.bin, which is a program of Python's: {}",
           {"save it again with transformers' save_pretrained"});
  const io::Source config((path / "config.json").string()), weights((path / "model.safetensors").string());
  Bert bert = from_files(config, weights, options);
  bert.folder_ = folder;
  return bert;
}

void Bert::save_pretrained(const std::string& folder, const BertSaveOptions& options) const {
  fs::create_directories(folder);
  nn::StateDict state;
  for (auto& [name, tensor] : state_dict()) state.emplace_back(options.prefix + name, tensor);
  state.insert(state.end(), options.others.begin(), options.others.end());
  io::save_safetensors((fs::path(folder) / "model.safetensors").string(), state, {.sorted = true});
  io::write_file((fs::path(folder) / "config.json").string(), config_.json(options.architecture, options.more_config));
}

}  // namespace percale::models
