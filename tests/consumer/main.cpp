// A user's program: it trains a layer on Percale as it was installed or added, and says which version that was.
#include <percale/percale.h>

#include <cstdio>

int main() {
  using namespace percale;
  const Tensor x = rand({30, 5});
  nn::Linear layer(5, 10);
  const Tensor loss = sum(layer(x));
  loss.backward();
  const bool learned = layer.weight.grad().shape() == layer.weight.shape();
  std::printf("percale %s\n", version());
  return learned ? 0 : 1;
}
