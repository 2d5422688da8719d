// A folder that no other test can meet: CTest runs many processes at once, of several builds of the same test too.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace percale::testing {

/// A new folder, removed with everything in it.
class Folder {
 public:
  Folder() : path_((std::filesystem::temp_directory_path() / "percale.XXXXXX").string()) {
    if (!mkdtemp(path_.data()))
      throw std::filesystem::filesystem_error("mkdtemp", path_, std::error_code(errno, std::generic_category()));
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace percale::testing
