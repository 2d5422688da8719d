#include "checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "../../core/io/safetensors.h"

namespace percale::train {
namespace {

constexpr const char *format = "percale.checkpoint", *version = "1";
constexpr std::string_view model_prefix = "model.", optimizer_prefix = "optimizer.", best_prefix = "best.",
                           number_prefix = "number.";

void add(io::NamedTensors& tensors, std::string_view prefix, const nn::StateDict& state) {
  for (const auto& [name, tensor] : state) tensors.emplace_back(std::string(prefix) + name, tensor);
}

/// Hexadecimal, so that it reads back bit for bit.
std::string exact_text(double value) {
  char digits[40];
  std::snprintf(digits, sizeof digits, "%a", value);
  return digits;
}

class Fields {
 public:
  Fields(const std::string& file, const io::Metadata& metadata) : file_(file), metadata_(metadata) {}

  const std::string& text(const std::string& name) const {
    const auto field = metadata_.find(name);
    require(field != metadata_.end(), "checkpoint", "{}: expected the field {}, found none", file_, name);
    return field->second;
  }

  template <class T>
  T count(const std::string& name) const {
    const std::string& digits = text(name);
    T value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    require(error == std::errc() && end == digits.data() + digits.size() && value >= 0, "checkpoint",
            "{}: expected a count as {}, found {}", file_, name, io::shown(digits));
    return value;
  }

  double number(const std::string& name) const {
    const std::string& digits = text(name);
    char* end = nullptr;
    const double value = std::strtod(digits.c_str(), &end);
    require(!digits.empty() && end == digits.c_str() + digits.size(), "checkpoint",
            "{}: expected a number as {}, found {}", file_, io::shown(name), io::shown(digits));
    return value;
  }

 private:
  const std::string& file_;
  const io::Metadata& metadata_;
};

}  // namespace

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  io::NamedTensors tensors;
  add(tensors, model_prefix, checkpoint.model);
  add(tensors, optimizer_prefix, checkpoint.optimizer);
  add(tensors, best_prefix, checkpoint.best);
  io::Metadata metadata = {{"format", format},
                           {"version", version},
                           {"epoch", std::to_string(checkpoint.position.epoch)},
                           {"step", std::to_string(checkpoint.position.step)},
                           {"random.seed", std::to_string(checkpoint.random.seed)},
                           {"random.step", std::to_string(checkpoint.random.step)},
                           {"random.call", std::to_string(checkpoint.random.call)},
                           {"arguments", checkpoint.arguments}};
  for (const auto& [name, value] : checkpoint.numbers) metadata[std::string(number_prefix) + name] = exact_text(value);
  io::save_safetensors(path, tensors, {.metadata = std::move(metadata), .sorted = true});
}

Checkpoint load_checkpoint(const std::string& path) { return load_checkpoint(io::Source(path)); }

Checkpoint load_checkpoint(const io::Source& source) {
  const io::Safetensors file = io::load_safetensors(source);
  const auto kind = file.metadata.find("format");
  require(kind != file.metadata.end() && kind->second == format, "checkpoint", "{}: expected the format {}, found {}",
          source.name(), format, kind == file.metadata.end() ? "none" : io::shown(kind->second));
  const Fields fields(source.name(), file.metadata);
  require(fields.text("version") == version, "checkpoint", "{}: expected version {}, found {}", source.name(), version,
          io::shown(fields.text("version")));
  Checkpoint checkpoint;
  checkpoint.position = {fields.count<int64_t>("epoch"), fields.count<int64_t>("step")};
  checkpoint.random = {fields.count<uint64_t>("random.seed"), fields.count<int64_t>("random.step"),
                       fields.count<uint32_t>("random.call")};
  checkpoint.arguments = fields.text("arguments");
  for (const auto& [name, value] : file.metadata)
    if (name.starts_with(number_prefix)) checkpoint.numbers[name.substr(number_prefix.size())] = fields.number(name);
  const std::pair<std::string_view, nn::StateDict*> parts[] = {
      {model_prefix, &checkpoint.model}, {optimizer_prefix, &checkpoint.optimizer}, {best_prefix, &checkpoint.best}};
  for (const auto& tensor : file.tensors) {
    const std::string& name = tensor.first;
    const auto* part = std::find_if(std::begin(parts), std::end(parts),
                                    [&](const auto& candidate) { return name.starts_with(candidate.first); });
    require(part != std::end(parts), "checkpoint", "{}: expected names model.*, optimizer.* and best.*, found {}",
            source.name(), io::shown(name));
    part->second->emplace_back(name.substr(part->first.size()), tensor.second);
  }
  return checkpoint;
}

void require_arguments(const std::string& path, const Checkpoint& checkpoint, const std::string& arguments) {
  require(checkpoint.arguments == arguments, "checkpoint",
          "{}: expected the checkpoint of a run with {}, found one with {}", path, arguments, checkpoint.arguments);
}

}  // namespace percale::train
