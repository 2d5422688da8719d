#include "../common/device.h"
#include "cat_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

/// Moves rows in units of `bytes`, as wide as every address and row allows.
template <int bytes>
__global__ void join_kernel(const uint8_t* source, uint8_t* target, index_t rows, index_t row_units,
                            index_t target_row_bytes) {
  for (index_t i : grid_stride(rows * row_units)) {
    const index_t row = i / row_units, unit = i % row_units;
    store_vector(target + row * target_row_bytes + unit * bytes, load_vector<bytes>(source + i * bytes));
  }
}

template <int bytes>
bool fits(const JoinedPart& part, int64_t target_row_bytes) {
  return part.row_bytes % bytes == 0 && target_row_bytes % bytes == 0 &&
         is_aligned<bytes>(static_cast<const uint8_t*>(part.source)) &&
         is_aligned<bytes>(static_cast<const uint8_t*>(part.target));
}

template <int bytes>
void move_rows(const JoinedPart& part, int64_t target_row_bytes) {
  const int64_t units = part.row_bytes / bytes;
  launch(join_kernel<bytes>, blocks_for(part.rows * units, threads), threads, 0, current_stream(),
         static_cast<const uint8_t*>(part.source), static_cast<uint8_t*>(part.target), part.rows, units,
         target_row_bytes);
}

}  // namespace

void join(const std::vector<JoinedPart>& parts, int64_t target_row_bytes) {
  for (const JoinedPart& part : parts) {
    if (part.rows == 1)
      copy_async(part.target, part.source, static_cast<size_t>(part.row_bytes), CopyKind::device_to_device,
                 current_stream());
    else if (fits<16>(part, target_row_bytes))
      move_rows<16>(part, target_row_bytes);
    else if (fits<4>(part, target_row_bytes))
      move_rows<4>(part, target_row_bytes);
    else
      move_rows<1>(part, target_row_bytes);
  }
}

}  // namespace percale::cuda
