// What an auto-encoder makes of images that it has not seen: in numbers, in words and in a picture.
#pragma once

#include <string>

#include "../program/digits.h"
#include "../program/training.h"

namespace percale::apps {

/// Normalised pixels, in [-1, 1], as the [0, 1] that a sigmoid reaches.
Tensor in_unit_range(const Tensor& inputs);

/// An auto-encoder's work on labelled images, on the CPU.
struct Reconstructions {
  Tensor codes;   ///< f32 [N, 6]: what the encoder says, before the sigmoid
  Tensor images;  ///< f32 [N, 784]
  double loss = 0;
  double floor = 0;         ///< the loss of the best single image, if it stood for all of them
  double spread = 0;        ///< the variance of the reconstructions over that of the targets
  double nearest = 0;       ///< how often the image with the nearest code shows the same digit
  std::string merged = {};  ///< where in a collapsed network images become one (train::where_inputs_merge)

  /// True if every image becomes (nearly) the same one.
  bool has_collapsed() const { return spread < 1e-3; }
};

/// Runs `model` over all images without history. `unit`: the target is pixels in [0, 1], else the normalised input.
Reconstructions reconstruct(const models::Autoencoder& model, const data::LabelledImages& images, bool unit,
                            Device device);

/// Prints the loss, what it could be, and how well codes tell digits apart; a warning that names the cause if the
/// network has collapsed; the last line of --metrics, with `more` in it.
void report(const Reconstructions& test, const data::Mnist& mnist, bool unit, Training& training,
            train::Metrics more = {});

/// Originals above their reconstructions, and a 2-D map of the codes.
void draw(const std::string& path, const Reconstructions& test, const data::Mnist& mnist);

}  // namespace percale::apps
