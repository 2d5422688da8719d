#include "autoencoder.h"

namespace percale::models {

Tensor Autoencoder::forward(Tensor x) const {
  x = encoder(x);
  x = sigmoid(x);
  x = decoder(x);
  return x;
}

}  // namespace percale::models
