// What is dear to compute and the same each time: kept in the user's cache, under a hash of all that it depends on.
#pragma once

#include <functional>
#include <string>

#include "../../core/tensor.h"

namespace percale::data {

/// $XDG_CACHE_HOME/percale/`name`, else ~/.cache/percale/`name`; empty if nobody says where home is.
std::string cache_folder(const std::string& name);

struct Cached {
  Tensor value;
  std::string file = {};     ///< where it lies; empty if it is not kept
  bool found = false;        ///< it was there already
  std::string problem = {};  ///< why it is not kept
};

/// The tensor of the key (a hash) in cache_folder(`name`): read if it is there with `shape` (f32), else computed and
/// written, whole or not at all. A file that cannot be read is computed anew; one that cannot be written is no error.
/// Of the files of `name`, the eight that were used last are kept.
Cached cached(const std::string& name, const std::string& key, const Shape& shape,
              const std::function<Tensor()>& compute);

/// The SHA-256 of what a model's folder holds: its .json, .txt and .safetensors files, by name and content.
std::string sha256_of_model(const std::string& folder);

}  // namespace percale::data
