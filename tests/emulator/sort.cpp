// core/cuda/sort.h on the CPU, in the order of the stream.
#include "../../core/cuda/sort.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "emulator.h"

namespace percale::cuda {

size_t sort_workspace(int64_t, int) {
  return 256;
}  // overwritten each time, so that a caller who forgets it is found out

void sort_pairs(const uint32_t* keys, uint32_t* sorted_keys, const uint32_t* values, uint32_t* sorted_values,
                int64_t count, int bits, void* workspace, Stream stream) {
  const uint32_t mask = bits == 32 ? ~0u : (1u << bits) - 1;
  emulator::enqueue_work(stream, [=] {
    std::memset(workspace, 0xff, sort_workspace(count, bits));
    std::vector<size_t> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return (keys[a] & mask) < (keys[b] & mask); });
    for (size_t i = 0; i < order.size(); ++i) {
      sorted_keys[i] = keys[order[i]];
      sorted_values[i] = values[order[i]];
    }
  });
}

}  // namespace percale::cuda
