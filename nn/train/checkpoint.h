// All that a run needs to go on as if it had never stopped, in one safetensors file.
#pragma once

#include <map>
#include <string>

#include "../../core/io/file.h"
#include "../../core/random.h"
#include "../data/data_loader.h"
#include "../state_dict.h"

namespace percale::train {

struct Checkpoint {
  nn::StateDict model;
  nn::StateDict optimizer;
  nn::StateDict best = {};  ///< the weights of the best epoch so far, where they are looked for
  RandomState random;
  data::LoaderPosition position;
  /// What the run was started with, as far as it decides the result (`--lr 0.001 --batch 64 ...`).
  std::string arguments;
  /// Sums that are under way, schedules, anything else of the program's own.
  std::map<std::string, double> numbers;
};

/// Writes the checkpoint: under a temporary name, synced, renamed. Killed at any moment, or on a full disk, it leaves
/// the old file whole. Tensors may lie on any device.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

/// Reads a checkpoint. An error says file, what was expected and what was found: all that load_safetensors refuses,
/// another kind of safetensors file, a field that is missing or no number.
Checkpoint load_checkpoint(const std::string& path);
Checkpoint load_checkpoint(const io::Source& source);

/// An error that shows both unless the checkpoint's run was started with `arguments`.
void require_arguments(const std::string& path, const Checkpoint& checkpoint, const std::string& arguments);

}  // namespace percale::train
