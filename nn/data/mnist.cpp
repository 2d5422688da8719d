#include "mnist.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "cache.h"
#include "download.h"
#include "generated_digits.h"

namespace percale::data {
namespace {

namespace fs = std::filesystem;

struct File {
  const char* name;
  const char* sha256;  ///< of the original .gz
};

constexpr std::array<File, 4> files = {{
    {"train-images-idx3-ubyte", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
    {"train-labels-idx1-ubyte", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
    {"t10k-images-idx3-ubyte", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
    {"t10k-labels-idx1-ubyte", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"},
}};

/// The path of a file in `folder`, plain or packed; none if it isn't there.
std::optional<std::string> path_in(const std::string& folder, const char* name) {
  std::error_code error;
  for (const char* suffix : {"", ".gz"}) {
    const fs::path path = fs::path(folder) / (std::string(name) + suffix);
    if (fs::is_regular_file(path, error)) return path.string();
  }
  return {};
}

bool holds_any(const std::string& folder) {
  for (const File& file : files)
    if (path_in(folder, file.name)) return true;
  return false;
}

Mnist read_folder(const std::string& folder) {
  std::array<std::string, 4> paths;
  for (size_t i = 0; i < files.size(); ++i) {
    const std::optional<std::string> path = path_in(folder, files[i].name);
    require(path.has_value(), "mnist", "{}: expected MNIST's four files, found no {}(.gz)", folder, files[i].name);
    paths[i] = *path;
  }
  Mnist mnist{read_labelled_images(paths[0], paths[1]), read_labelled_images(paths[2], paths[3]), folder};
  require(mnist.train.images.size(2) == mnist.test.images.size(2) &&
              mnist.train.images.size(3) == mnist.test.images.size(3),
          "mnist", "{}: expected test images of the training images' {}, found {}", paths[2],
          mnist.train.images.shape(), mnist.test.images.shape());
  return mnist;
}

/// `folder` itself or its mnist/, whichever holds the files.
std::string with_subfolder(const std::string& folder) {
  const std::string inner = (fs::path(folder) / "mnist").string();
  return !holds_any(folder) && holds_any(inner) ? inner : folder;
}

void show_progress(const std::string& name, int64_t done, int64_t total) {
  std::fprintf(stderr, "\r%s: %.1f of %.1f MB\033[K", name.c_str(), static_cast<double>(done) * 1e-6,
               static_cast<double>(total) * 1e-6);
}

void download_into(const std::string& folder, const MnistOptions& options) {
  fs::create_directories(folder);
  const bool show = options.progress && isatty(STDERR_FILENO);
  for (const File& file : files) {
    if (path_in(folder, file.name)) continue;
    const std::string name = std::string(file.name) + ".gz";
    std::vector<std::string> addresses;
    for (const std::string& mirror : options.mirrors) addresses.push_back(mirror + name);
    DownloadOptions how{.most_bytes = 100'000'000};
    if (show) how.progress = [&](int64_t done, int64_t total) { show_progress(name, done, total); };
    download(addresses, (fs::path(folder) / name).string(), file.sha256, how);
    if (show) std::fputs("\r\033[K", stderr);
  }
}

Mnist generate(const MnistOptions& options) {
  // The test digits follow the training ones in the same endless sequence.
  return {generated_digits(options.train_count, options.seed),
          generated_digits(options.test_count, options.seed, options.train_count), "generated"};
}

void notify(const MnistOptions& options, const std::string& line) {
  if (options.notice)
    options.notice(line);
  else
    std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace

Mnist load_mnist(const MnistOptions& options) {
  if (options.folder == "generated") return generate(options);
  if (!options.folder.empty()) return read_folder(with_subfolder(options.folder));
  if (const char* data = std::getenv("PERCALE_DATA"); data && *data) {
    const std::string folder = with_subfolder(data);
    if (holds_any(folder)) return read_folder(folder);  // it may hold other data sets only
  }
  const std::string cache = cache_folder("mnist");
  std::string reason = "PERCALE_OFFLINE is set";
  if (!cache.empty() && (may_use_network() || holds_any(cache))) {
    try {
      if (may_use_network()) download_into(cache, options);
      return read_folder(cache);
    } catch (const std::exception& error) {
      reason = error.what();
    }
  } else if (cache.empty()) {
    reason = "there is no home folder to keep it in";
  }
  notify(options,
         "MNIST is not at hand (" + reason + "); training on generated digits. --data FOLDER names its files.");
  return generate(options);
}

}  // namespace percale::data
