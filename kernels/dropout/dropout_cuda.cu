#include "../common/convert.h"
#include "../common/device.h"
#include "dropout_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

template <class T>
__device__ T masked(T value, uint32_t bits, uint32_t threshold, compute_t<T> scale) {
  return bits >= threshold ? percale::convert_to<T>(static_cast<compute_t<T>>(value) * scale)
                           : percale::convert_to<T>(0.0f);
}

/// Row-major elements: a thread takes the four of a Philox block with one load and one store.
template <class T>
__global__ void contiguous_kernel(const T* x, RandomKey key, uint32_t threshold, compute_t<T> scale, T* out,
                                  index_t count) {
  const uint64_t step = key.step_now();
  for (index_t block : grid_stride(count / 4)) {
    const Philox4 bits = philox(key.seed, static_cast<uint64_t>(block), key.call, step);
    Vector<T, 4> values = load_vector<4>(x + block * 4);
    for (int at = 0; at < 4; ++at) values[at] = masked(values[at], bits.words[at], threshold, scale);
    store_vector(out + block * 4, values);
  }
  for (index_t rest : grid_stride(count % 4)) {
    const index_t i = count / 4 * 4 + rest;
    out[i] = masked(x[i], random_bits(key, step, i), threshold, scale);
  }
}

template <class T>
__global__ void strided_kernel(StridedLayout<2> layout, const T* x, RandomKey key, uint32_t threshold,
                               compute_t<T> scale, T* out) {
  const uint64_t step = key.step_now();
  for (index_t i : grid_stride(layout.count)) {
    const Offsets<2> at = layout.offsets(i);
    out[at[0]] = masked(x[at[1]], random_bits(key, step, i), threshold, scale);
  }
}

}  // namespace

void dropout(const Tensor& x, const RandomKey& key, uint32_t threshold, double scale, const Tensor& out) {
  const int64_t count = x.numel();
  visit_floating("dropout", x.dtype(), [&]<class T>() {
    const auto factor = static_cast<compute_t<T>>(scale);
    if constexpr (sizeof(T) < 8) {  // four f64 would be more than 16 bytes
      const bool aligned = is_aligned<4>(x.data<T>()) && is_aligned<4>(out.data<T>());
      if (aligned && x.is_contiguous() && out.is_contiguous()) {
        launch(contiguous_kernel<T>, blocks_for(count, threads, 4), threads, 0, current_stream(), x.data<T>(), key,
               threshold, factor, out.data<T>(), count);
        return;
      }
    }
    launch(strided_kernel<T>, blocks_for(count, threads), threads, 0, current_stream(),
           strided_layout(x.shape(), out.strides(), x.strides()), x.data<T>(), key, threshold, factor, out.data<T>());
  });
}

}  // namespace percale::cuda
