// Where published models lie: a folder, the cache that Hugging Face's programs share, or the hub.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace percale::models {

struct PretrainedOptions {
  /// Told what was passed over; by default a line on stderr.
  std::function<void(const std::string& message)> warn = {};
  /// Told of a download: which file, and how much of it is there.
  std::function<void(const std::string& file, int64_t done, int64_t total)> progress = {};
  std::string revision = "main";
};

/// The folder of a model: `folder_or_id` itself if it is a folder; else the newest snapshot of that id (`name` or
/// `organisation/name`) in the cache, $HF_HUB_CACHE, $HF_HOME/hub or ~/.cache/huggingface/hub; else, unless
/// HF_HUB_OFFLINE or PERCALE_OFFLINE is set, its files from $HF_ENDPOINT (https://huggingface.co), into that cache:
/// resumed where an attempt broke off, checked by the hub's SHA-256, small ones by git's SHA-1. A bare name is looked
/// for under `sentence-transformers/` too. An error says what was looked for where, and what to do.
std::string pretrained_folder(const std::string& folder_or_id, const PretrainedOptions& options = {});

/// To `options.warn`, or a line on stderr.
void warn(const PretrainedOptions& options, const std::string& message);

}  // namespace percale::models
