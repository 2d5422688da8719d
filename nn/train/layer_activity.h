// Where a network has stopped to tell its inputs apart: units that give every input the same number.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "../module.h"

namespace percale::train {

/// What a layer gave for some inputs. A unit is one number of its output for one input; it is constant if it moves by
/// less than 1e-4 of its largest value from input to input, and dead if it is 0 for all of them: then a ReLU lets
/// no gradient through, and no training step brings it back.
struct LayerActivity {
  std::string name;  ///< `encoder.5`, as named_modules has it
  std::string type;  ///< `ReLU`
  int64_t units = 0, constant = 0, dead = 0;
};

/// Calls `forward`, which runs `model` once on at least two inputs, and looks at the first output [inputs, ...] of
/// every layer (a module without parts), in the order in which they ran. Works on any device, and waits for it.
std::vector<LayerActivity> layer_activity(const nn::Module& model, const std::function<void()>& forward);

/// The first layer that gives one answer to all inputs, in words: "all 12 units of encoder.5 (ReLU) are dead: 0 for
/// every input", "encoder.6 (Linear) gives every input the same 6 numbers". If there is none, the ReLU with most dead
/// units where those are more than half; else nothing.
std::string where_inputs_merge(const std::vector<LayerActivity>& layers);

}  // namespace percale::train
