// Early stopping: the weights of the best epoch kept, and for how long there was none better.
#pragma once

#include <cmath>
#include <cstdint>

#include "../module.h"
#include "../state_dict.h"

namespace percale::train {

/// Told a score after each epoch, the lower the better, such as the loss on rows held out for validation:
///
///     BestWeights best;
///     ... best.see(loss, model); if (best.since >= patience) break;
///     model.load_state_dict(best.weights);
struct BestWeights {
  double score = INFINITY;  ///< the least so far
  int64_t since = 0;        ///< scores that were no lower, since then
  nn::StateDict weights;    ///< of that time; empty before the first score

  /// True if `now` is the lowest so far: the model's weights are kept. NaN never is.
  bool see(double now, const nn::Module& model) {
    if (!(now < score)) return ++since, false;
    score = now, since = 0, weights = model.state_dict();
    return true;
  }
};

}  // namespace percale::train
