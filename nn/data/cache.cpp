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

Cached cached(const std::string& name, const std::string& key, const Shape& shape,
              const std::function<Tensor()>& compute) {
  const std::string folder = cache_folder(name), file = folder + "/" + key + ".npy";
  std::error_code ignored;
  if (!folder.empty() && fs::is_regular_file(file, ignored)) {
    try {
      const Tensor value = io::load_npy(file);
      if (value.shape() == shape && value.dtype() == f32) return {value, file, true, {}};
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
