#include "../common/device.h"
#include "random_permutation.h"
#include "random_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

/// A thread draws one Philox block of elements after the other: they stand together in row-major order.
template <class T>
__global__ void draw_kernel(random::Draw draw, RandomKey key, StridedLayout<1> layout, T* target,
                            const ErrorRecord* error) {
  if (error && has_error(error)) return;
  const uint64_t step = key.step_now();
  const int each = random::elements_in_block(draw.distribution);
  for (index_t block : grid_stride((layout.count + each - 1) / each)) {
    const Philox4 bits = philox(key.seed, static_cast<uint64_t>(block), key.call, step);
    for (int at = 0; at < each; ++at) {
      const index_t i = block * each + at;
      if (i >= layout.count) break;
      target[layout.contiguous ? i : layout.offsets(i)[0]] = random::element<T>(draw, bits.words, at);
    }
  }
}

template <class T>
__global__ void permutation_kernel(RandomKey key, T* target, index_t count) {
  const random::Permutation permuted(key, key.step_now(), static_cast<uint64_t>(count));
  for (index_t i : grid_stride(count)) target[i] = static_cast<T>(permuted(static_cast<uint64_t>(i)));
}

}  // namespace

void draw(const random::Draw& draw, const RandomKey& key, const Tensor& target, bool in_place) {
  const int64_t blocks = target.numel() / random::elements_in_block(draw.distribution) + 1;
  visit(target.dtype(), [&]<class T>() {
    launch(draw_kernel<T>, blocks_for(blocks, threads), threads, 0, current_stream(), draw, key,
           strided_layout(target.shape(), target.strides()), target.data<T>(), in_place ? error_record() : nullptr);
  });
}

void permutation(const RandomKey& key, const Tensor& target) {
  const int64_t count = target.numel();
  visit_index("randperm", target.dtype(), [&]<class T>() {
    launch(permutation_kernel<T>, blocks_for(count, threads), threads, 0, current_stream(), key, target.data<T>(),
           count);
  });
}

}  // namespace percale::cuda
