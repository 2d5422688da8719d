#include "config_file.h"

#include <cmath>
#include <utility>

#include "../../core/error.h"

namespace percale::models {
namespace {

using Json = nlohmann::json;

constexpr uint64_t longest_file = 1'000'000;
constexpr int deepest = 16;

/// What a value is, as an error shows it.
std::string described(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  return value.is_string() ? io::shown(value.get<std::string>()) : value.dump();
}

}  // namespace

ConfigFile::ConfigFile(std::string owner, const io::Source& source, bool wants_list)
    : owner_(std::move(owner)), name_(source.name()) {
  const auto refuse_file = [&](const std::string& expected, const std::string& found) {
    fail(owner_, "{}: expected {}, found {}", {name_, expected, found});
  };
  if (source.size() > longest_file) refuse_file("at most 1000000 bytes", text(source.size()));
  std::string bytes(source.size(), '\0');
  source.read_at(0, bytes.data(), bytes.size());
  if (const size_t nul = bytes.find('\0'); nul != std::string::npos)
    refuse_file("JSON", "a NUL at byte " + std::to_string(nul));
  const auto not_too_deep = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > deepest) refuse_file("JSON nested at most 16 deep", "more");
    return true;
  };
  json_ = Json::parse(bytes, not_too_deep, false);
  if (json_.is_discarded()) refuse_file("JSON in UTF-8", bytes.empty() ? "an empty file" : "something else");
  if (wants_list ? !json_.is_array() : !json_.is_object())
    refuse_file(wants_list ? "a list" : "an object", described(json_));
}

ConfigFile::ConfigFile(std::string owner, std::string name, Json object)
    : owner_(std::move(owner)), name_(std::move(name)), json_(std::move(object)) {
  if (!json_.is_object()) fail(owner_, "{}: expected an object, found {}", {name_, described(json_)});
}

void ConfigFile::refuse(const std::string& field, const std::string& expected, const std::string& found) const {
  fail(owner_, "{}: {}: expected {}, found {}", {name_, field, expected, found});
}

void ConfigFile::refuse(const char* field, const std::string& expected) const {
  const Json* value = find(field);
  refuse(field, expected, value ? described(*value) : "nothing");
}

const Json* ConfigFile::find(const char* field) const {
  const auto found = json_.find(field);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

bool ConfigFile::has(const char* field) const { return find(field) != nullptr; }

int64_t ConfigFile::whole(const char* field, int64_t otherwise, int64_t least, int64_t most) const {
  const Json* value = find(field);
  if (!value) return otherwise;
  const bool fits = value->is_number_integer() && (!value->is_number_unsigned() || value->get<uint64_t>() <= INT64_MAX);
  const int64_t number = fits ? value->get<int64_t>() : 0;
  if (!fits || number < least || number > most)
    refuse(field, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return number;
}

double ConfigFile::real(const char* field, double otherwise, double least, double most) const {
  const Json* value = find(field);
  if (!value) return otherwise;
  const double number = value->is_number() ? value->get<double>() : NAN;
  if (!(number >= least && number <= most)) refuse(field, "a number from " + text(least) + " to " + text(most));
  return number;
}

bool ConfigFile::flag(const char* field, bool otherwise) const {
  const Json* value = find(field);
  if (!value) return otherwise;
  if (!value->is_boolean()) refuse(field, "true or false");
  return value->get<bool>();
}

std::string ConfigFile::string(const char* field, const std::string& otherwise) const {
  const Json* value = find(field);
  if (!value) return otherwise;
  if (!value->is_string()) refuse(field, "a string");
  return value->get<std::string>();
}

}  // namespace percale::models
