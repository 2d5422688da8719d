#include "pretrained.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>

#include "../../core/error.h"
#include "../data/download.h"
#include "config_file.h"

namespace percale::models {
namespace {

namespace fs = std::filesystem;

constexpr int64_t largest_file = 100'000'000'000;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool is_set(const char* name) {
  const std::string value = environment(name);
  return !value.empty() && value != "0" && value != "false" && value != "FALSE" && value != "no" && value != "NO";
}

/// Where Hugging Face's programs keep models; empty if nobody says where home is.
fs::path cache_folder() {
  if (const std::string cache = environment("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const std::string home = environment("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  if (const std::string cache = environment("XDG_CACHE_HOME"); !cache.empty())
    return fs::path(cache) / "huggingface" / "hub";
  const std::string home = environment("HOME");
  return home.empty() ? fs::path() : fs::path(home) / ".cache" / "huggingface" / "hub";
}

bool is_hexadecimal(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// `name` or `organisation/name`, of the characters that the hub allows: nothing that leads out of a folder.
bool is_model_id(std::string_view id) {
  const auto is_name = [](std::string_view name) {
    return !name.empty() && name.size() <= 96 && name[0] != '.' && name.find("..") == std::string_view::npos &&
           std::all_of(name.begin(), name.end(), [](char c) {
             return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
                    c == '_' || c == '-';
           });
  };
  const size_t slash = id.find('/');
  return slash == std::string_view::npos ? is_name(id) : is_name(id.substr(0, slash)) && is_name(id.substr(slash + 1));
}

/// `models--organisation--name`
std::string folder_name(const std::string& id) {
  std::string name = "models--" + id;
  if (const size_t slash = name.find('/'); slash != std::string::npos) name.replace(slash, 1, "--");
  return name;
}

bool is_model(const fs::path& folder) {
  return fs::exists(folder / "config.json") && fs::exists(folder / "model.safetensors");
}

/// The snapshot that the revision names, or the newest that is a whole model.
std::optional<fs::path> cached(const fs::path& model, const std::string& revision) {
  std::error_code none;
  if (fs::is_regular_file(model / "refs" / revision, none)) {
    std::string commit = io::read_file((model / "refs" / revision).string());
    while (!commit.empty() && commit.back() <= ' ') commit.pop_back();
    if (is_hexadecimal(commit) && is_model(model / "snapshots" / commit)) return model / "snapshots" / commit;
  }
  if (is_hexadecimal(revision) && is_model(model / "snapshots" / revision)) return model / "snapshots" / revision;
  if (revision != "main") return {};
  std::optional<fs::path> newest;
  for (const auto& entry : fs::directory_iterator(model / "snapshots", none))
    if (is_model(entry.path()) && (!newest || entry.last_write_time() > fs::last_write_time(*newest)))
      newest = entry.path();
  return newest;
}

/// What the hub says of one file.
struct HubFile {
  std::string name;
  std::string blob;  ///< the name of its bytes in the cache: their SHA-256, or of small files git's SHA-1
  int64_t size = 0;
};

/// Whether an encoder reads it: `config.json`, `1_Pooling/config.json`, ...
bool is_wanted(std::string_view name) {
  constexpr std::string_view whole[] = {"config.json",
                                        "model.safetensors",
                                        "tokenizer.json",
                                        "vocab.txt",
                                        "tokenizer_config.json",
                                        "special_tokens_map.json",
                                        "added_tokens.json",
                                        "modules.json",
                                        "sentence_bert_config.json",
                                        "config_sentence_transformers.json"};
  if (std::find(std::begin(whole), std::end(whole), name) != std::end(whole)) return true;
  const size_t slash = name.find('/');
  if (slash == std::string_view::npos || !is_model_id(name.substr(0, slash)) || name[0] < '0' || name[0] > '9')
    return false;
  return name.substr(slash + 1) == "config.json" || name.substr(slash + 1) == "model.safetensors";
}

struct HubModel {
  std::string commit;
  std::vector<HubFile> files;
};

HubModel read_hub_answer(const std::string& address, const std::string& path) {
  const io::Source source(path);
  const std::string bytes = io::read_file(path);
  const ConfigFile answer("pretrained", io::Source(std::string_view(bytes), address));
  HubModel model{answer.string("sha", ""), {}};
  if (!is_hexadecimal(model.commit)) answer.refuse("sha", "a commit");
  const auto siblings = answer.json().find("siblings");
  if (siblings == answer.json().end() || !siblings->is_array()) answer.refuse("siblings", "a list of files");
  for (const auto& sibling : *siblings) {
    const ConfigFile one("pretrained", address + ": siblings", sibling);
    HubFile file{one.string("rfilename", ""), one.string("blobId", ""), 0};
    if (!is_wanted(file.name)) continue;
    file.size = one.whole("size", 0, 0, largest_file);
    if (one.has("lfs")) {
      const ConfigFile large("pretrained", address + ": " + file.name, *sibling.find("lfs"));
      file.blob = large.string("sha256", "");
      if (file.blob.size() != 64 || !is_hexadecimal(file.blob)) large.refuse("sha256", "64 hexadecimal digits");
    } else if (file.blob.size() != 40 || !is_hexadecimal(file.blob)) {
      one.refuse("blobId", "40 hexadecimal digits");
    }
    model.files.push_back(file);
  }
  return model;
}

void fetch_blob(const std::string& address, const fs::path& blob, const HubFile& file,
                const PretrainedOptions& options) {
  data::DownloadOptions how{.most_bytes = largest_file};
  if (options.progress) how.progress = [&](int64_t done, int64_t) { options.progress(file.name, done, file.size); };
  data::download({address}, blob.string(), file.blob, how);
  const auto found = static_cast<int64_t>(fs::file_size(blob));
  if (found == file.size) return;
  fs::remove(blob);
  fail("pretrained", "{}: expected {} bytes, found {}", {address, text(file.size), text(found)});
}

/// The model's files into the cache, as Hugging Face's programs lay them out: bytes under `blobs/`, a snapshot of links
/// to them, and at last the revision that names it.
fs::path fetch(const std::string& id, const fs::path& model, const PretrainedOptions& options) {
  std::string endpoint = environment("HF_ENDPOINT");
  if (endpoint.empty()) endpoint = "https://huggingface.co";
  while (endpoint.ends_with('/')) endpoint.pop_back();
  fs::create_directories(model / "blobs");
  const std::string question = endpoint + "/api/models/" + id + "/revision/" + options.revision + "?blobs=true";
  const std::string answer = (model / "answer.json").string();
  fs::remove(answer + ".part");
  data::download({question}, answer, "", {.most_bytes = 1'000'000});
  const HubModel hub = read_hub_answer(question, answer);
  fs::remove(answer);
  const auto has = [&](std::string_view name) {
    return std::any_of(hub.files.begin(), hub.files.end(), [&](const HubFile& file) { return file.name == name; });
  };
  require(has("config.json") && has("model.safetensors"), "pretrained",
          "{}: expected a model with config.json and model.safetensors, found it without", question);
  const fs::path snapshot = model / "snapshots" / hub.commit;
  for (const HubFile& file : hub.files) {
    const fs::path blob = model / "blobs" / file.blob, link = snapshot / file.name;
    if (!fs::exists(blob) || static_cast<int64_t>(fs::file_size(blob)) != file.size)
      fetch_blob(endpoint + "/" + id + "/resolve/" + hub.commit + "/" + file.name, blob, file, options);
    fs::create_directories(link.parent_path());
    fs::remove(link);
    fs::create_symlink(fs::relative(blob, link.parent_path()), link);
  }
  fs::create_directories((model / "refs" / options.revision).parent_path());
  io::write_file((model / "refs" / options.revision).string(), hub.commit);
  return snapshot;
}

}  // namespace

std::string pretrained_folder(const std::string& folder_or_id, const PretrainedOptions& options) {
  if (fs::is_directory(folder_or_id)) return folder_or_id;
  const fs::path cache = cache_folder();
  require(is_model_id(folder_or_id), "pretrained",
          "{}: expected a folder or a model id (name or organisation/name), found neither", folder_or_id);
  require(is_model_id(options.revision), "pretrained", "expected a revision, found {}", io::shown(options.revision));
  require(!cache.empty(), "pretrained",
          "{}: is no folder, and there is no home folder to look for a cache in: set HF_HOME, or name a folder",
          folder_or_id);
  std::vector<std::string> ids = {folder_or_id};
  if (folder_or_id.find('/') == std::string::npos) ids.push_back("sentence-transformers/" + folder_or_id);
  for (const std::string& id : ids)
    if (const auto found = cached(cache / folder_name(id), options.revision)) return found->string();
  std::string reasons;
  if (is_set("HF_HUB_OFFLINE")) {
    reasons = "; HF_HUB_OFFLINE is set";
  } else if (!data::may_use_network()) {
    reasons = "; PERCALE_OFFLINE is set";
  } else {
    for (const std::string& id : ids) {
      try {
        return fetch(id, cache / folder_name(id), options).string();
      } catch (const std::exception& error) {
        reasons += std::string("; ") + error.what();
        std::error_code none;  // nothing arrived: nothing is left
        fs::remove(cache / folder_name(id) / "blobs", none);
        fs::remove(cache / folder_name(id), none);
      }
    }
  }
  fail("pretrained",
       "{}: is no folder, not in the cache {}, and could not be fetched{}. Name a folder with config.json, "
       "model.safetensors and vocab.txt, or set HF_HOME to a cache that has the model",
       {folder_or_id, cache.string(), reasons});
}

void warn(const PretrainedOptions& options, const std::string& message) {
  if (options.warn) return options.warn(message);
  std::fprintf(stderr, "%s\n", message.c_str());
}

}  // namespace percale::models
