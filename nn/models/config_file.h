// A small JSON file read field by field; every error names the file, the field, what was expected and what was found.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "../../core/io/file.h"

namespace percale::models {

/// An object of JSON as a published model's configuration files hold one. For `.cpp` files: nlohmann's header is
/// private.
class ConfigFile {
 public:
  /// Errors by `owner`: more than 1 MB, not JSON in UTF-8, nested beyond 16, not an object (or a list, if one is
  /// wanted).
  ConfigFile(std::string owner, const io::Source& source, bool wants_list = false);
  /// A part of such a file, which errors call `name`.
  ConfigFile(std::string owner, std::string name, nlohmann::json object);

  const nlohmann::json& json() const { return json_; }
  bool has(const char* field) const;

  /// The field's value, or `otherwise` if it is not there or null.
  int64_t whole(const char* field, int64_t otherwise, int64_t least, int64_t most) const;
  double real(const char* field, double otherwise, double least, double most) const;
  bool flag(const char* field, bool otherwise) const;
  std::string string(const char* field, const std::string& otherwise) const;

  /// `FILE: FIELD: expected ..., found ...`
  [[noreturn]] void refuse(const std::string& field, const std::string& expected, const std::string& found) const;
  [[noreturn]] void refuse(const char* field, const std::string& expected) const;

 private:
  const nlohmann::json* find(const char* field) const;

  std::string owner_, name_;
  nlohmann::json json_;
};

}  // namespace percale::models
