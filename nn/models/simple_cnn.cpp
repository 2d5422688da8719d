#include "simple_cnn.h"

namespace percale::models {

std::pair<Tensor, Tensor> SimpleCNN::forward(Tensor x) const {
  x = conv1.relu_max_pool2d(x, 2);  // max_pool2d(relu(conv1(x)), 2), in one operation
  x = conv2.relu_max_pool2d(x, 2);
  x = x.reshape({-1, 64 * 7 * 7});
  x = fc1.relu(x);
  Tensor embeddings = x;  // this is the layer before the last
  x = fc2(embeddings);
  return {x, embeddings};
}

}  // namespace percale::models
