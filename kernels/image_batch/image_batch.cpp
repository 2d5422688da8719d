#include "image_batch.h"

#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "image_batch_twins.h"

namespace percale {

Tensor image_batch(const Tensor& images, const Tensor& rows, const std::vector<double>& mean,
                   const std::vector<double>& std) {
  const Operation operation{"image_batch"};
  require(images.rank() == 4 && images.dtype() == u8 && images.is_contiguous(), "image_batch",
          "images must be contiguous u8 [count, C, H, W], got {} of {}", images.shape(), images.dtype());
  require(rows.rank() == 1 && is_index(rows.dtype()), "image_batch", "rows must be [batch] of i64 or i32, got {} of {}",
          rows.shape(), rows.dtype());
  require_same_device("image_batch", {&images, &rows});
  const int64_t channels = images.size(1);
  require(channels <= ImageNormalization::max_channels, "image_batch", "takes at most {} channels, got {}",
          ImageNormalization::max_channels, channels);
  ImageNormalization normalization{};
  for (const auto* numbers : {&mean, &std})
    require(numbers->size() == 1 || static_cast<int64_t>(numbers->size()) == channels, "image_batch",
            "{} means or deviations for {} channels", numbers->size(), channels);
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    normalization.mean[c] = static_cast<float>(mean.size() == 1 ? mean[0] : mean[c]);
    normalization.std[c] = static_cast<float>(std.size() == 1 ? std[0] : std[c]);
    require(normalization.std[c] != 0, "image_batch", "the deviation of channel {} is zero", c);
  }
  require(images.size(0) > 0 || rows.numel() == 0, "image_batch", "there are no images to take {} rows of",
          rows.numel());
  Tensor batch =
      Tensor::empty_channels_last({rows.numel(), channels, images.size(2), images.size(3)}, {f32, images.device()});
  if (batch.numel())
    on<cpu::image_batch, cuda::image_batch>(images.device(), images, rows.contiguous(), normalization, batch);
  return batch;
}

}  // namespace percale
