#include "cache.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "../../core/io/npy.h"
#include "sha256.h"

namespace percale::data {
namespace fs = std::filesystem;

std::string cache_folder(const std::string& name) {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache == '/')
    return std::string(cache) + "/percale/" + name;
  const char* home = std::getenv("HOME");
  return home && *home ? std::string(home) + "/.cache/percale/" + name : "";
}

namespace {

/// Removes all files but the eight that were used last. Another process may be doing the same.
void trim(const std::string& folder) {
  constexpr size_t most = 8;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".npy")
      files.emplace_back(fs::last_write_time(entry.path(), ignored), entry.path());
  std::sort(files.rbegin(), files.rend());
  for (size_t i = most; i < files.size(); ++i) fs::remove(files[i].second, ignored);
}

}  // namespace

Cached cached(const std::string& name, const std::string& key, const Shape& shape,
              const std::function<Tensor()>& compute) {
  const std::string folder = cache_folder(name), file = folder + "/" + key + ".npy";
  std::error_code ignored;
  if (!folder.empty() && fs::is_regular_file(file, ignored)) {
    try {
      const Tensor value = io::load_npy(file);
      if (value.shape() == shape && value.dtype() == f32) {
        fs::last_write_time(file, fs::file_time_type::clock::now(), ignored);  // so that it is not the next to go
        return {value, file, true, {}};
      }
    } catch (const Error&) {
      // Broken: made anew below.
    }
  }
  Cached made{compute(), {}, false, {}};
  require(made.value.shape() == shape && made.value.dtype() == f32, "cached", "expected float32 {}, got {} {}", shape,
          made.value.dtype(), made.value.shape());
  if (folder.empty()) {
    made.problem = "there is no home folder to keep it in";
    return made;
  }
  try {
    fs::create_directories(folder);
    io::save_npy(file, made.value);
    made.file = file;
    trim(folder);
  } catch (const std::exception& error) {
    made.problem = error.what();
  }
  return made;
}

std::string sha256_of_model(const std::string& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string ending = entry.path().extension().string();
    if (entry.is_regular_file() && (ending == ".json" || ending == ".txt" || ending == ".safetensors"))
      paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  Sha256 sum;
  for (const fs::path& path : paths) {
    sum.add(path.lexically_relative(folder).string() + '\0');
    sum.add(sha256_of_file(path.string()));
  }
  return sum.finish();
}

}  // namespace percale::data
