// The tutorial's auto-encoder: an image of 784 numbers through 6 and back.
#pragma once

#include "../layers/activations.h"
#include "../layers/linear.h"
#include "../sequential.h"

namespace percale::models {

/// Images [N, 784] to their reconstructions [N, 784], each pixel in (0, 1). What the encoder makes of an image is its
/// embedding: 6 numbers. 220,046 parameters.
struct Autoencoder : nn::ModuleOf<Autoencoder> {
  nn::Sequential encoder = add("encoder", nn::Sequential(nn::Linear(28 * 28, 128), nn::ReLU(),  //
                                                         nn::Linear(128, 64), nn::ReLU(),       //
                                                         nn::Linear(64, 12), nn::ReLU(),        //
                                                         nn::Linear(12, 6)));                   // the bottleneck
  nn::Sequential decoder = add("decoder", nn::Sequential(nn::Linear(6, 12), nn::ReLU(),         //
                                                         nn::Linear(12, 64), nn::ReLU(),        //
                                                         nn::Linear(64, 128), nn::ReLU(),       //
                                                         nn::Linear(128, 28 * 28), nn::Sigmoid()));

  Tensor forward(Tensor x) const;
};

}  // namespace percale::models
