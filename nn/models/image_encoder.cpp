#include "image_encoder.h"

namespace percale::models {

Tensor ImageEncoder::forward(Tensor x) const {
  x = conv1.relu(x);
  x = conv2.relu(x);
  x = conv3.relu(x);
  x = conv4.relu(x);
  x = pool(x).reshape({-1, 128});
  return fc(x);
}

}  // namespace percale::models
