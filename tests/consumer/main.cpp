// A user's program: it takes a gradient with Percale as it was installed or added, and says which version that was.
#include <percale/percale.h>

#include <cstdio>

int main() {
  using namespace percale;
  const Tensor x = ones({30, 5});
  x.requires_grad_();
  x.transpose(0, 1).clone().backward(ones({5, 30}));
  std::printf("percale %s\n", version());
  return x.grad().span<float>()[7] == 1 ? 0 : 1;
}
