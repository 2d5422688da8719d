#include <array>

#include "../../core/cpu/threads.h"
#include "../common/index_range.h"
#include "image_batch_twins.h"

namespace percale::cpu {
namespace {

using Table = std::array<float, 256>;  ///< every byte's value: exact, and cheaper than two divisions a pixel

template <class Index>
std::vector<int64_t> checked_rows(const Tensor& rows, int64_t count) {
  const Index* named = rows.data<Index>();
  check_range("image_batch", image_row_message, named, rows.shape(), count);
  return {named, named + rows.numel()};
}

}  // namespace

void image_batch(const Tensor& images, const Tensor& rows, const ImageNormalization& normalization,
                 const Tensor& batch) {
  const int64_t channels = images.size(1), pixels = images.size(2) * images.size(3);
  const auto wanted =
      rows.dtype() == i64 ? checked_rows<int64_t>(rows, images.size(0)) : checked_rows<int32_t>(rows, images.size(0));
  std::vector<Table> tables(static_cast<size_t>(channels));
  for (int64_t c = 0; c < channels; ++c)
    for (int byte = 0; byte < 256; ++byte)
      tables[static_cast<size_t>(c)][static_cast<size_t>(byte)] = normalization.value(static_cast<uint8_t>(byte), c);
  const uint8_t* bytes = images.data<uint8_t>();
  float* out = batch.data<float>();
  // One row of pieces over all pixels of the batch: a piece may end inside an image.
  parallel_for(static_cast<int64_t>(wanted.size()) * pixels, std::max<int64_t>(32768 / channels, 1),
               [&](int64_t begin, int64_t end) {
                 for (int64_t at = begin; at < end;) {
                   const int64_t image = at / pixels, first = at % pixels, count = std::min(end - at, pixels - first);
                   for (int64_t c = 0; c < channels; ++c) {
                     const uint8_t* from = bytes + (wanted[static_cast<size_t>(image)] * channels + c) * pixels + first;
                     float* to = out + at * channels + c;
                     const Table& table = tables[static_cast<size_t>(c)];
                     for (int64_t i = 0; i < count; ++i) to[i * channels] = table[from[i]];
                   }
                   at += count;
                 }
               });
}

}  // namespace percale::cpu
