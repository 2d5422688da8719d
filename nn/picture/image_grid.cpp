// Images side by side, each with its caption.
#include <algorithm>
#include <cmath>

#include "../../core/autograd.h"
#include "canvas.h"
#include "picture.h"

namespace percale::picture {
namespace {

struct Grid {
  GridOptions options;
  std::vector<std::vector<uint32_t>> images;
  int64_t image_rows = 0, image_columns = 0;
  double width = 0, height = 0, top = 0;  ///< of an image; where the first stands

  static constexpr double gap = 10, caption_height = 18;
  double row_height() const { return height + gap + (options.captions.empty() ? 0 : caption_height - 4); }

  void draw(Canvas& canvas) const {
    canvas.text(options.title, {0, 8}, {.size = 14, .bold = true});
    for (size_t i = 0; i < images.size(); ++i) {
      const auto column = static_cast<int64_t>(i) % options.columns, row = static_cast<int64_t>(i) / options.columns;
      const Point corner{static_cast<double>(column) * (width + gap), top + static_cast<double>(row) * row_height()};
      canvas.pixels(images[i], image_columns, image_rows, corner, width, height);
      if (i >= options.captions.size()) continue;
      TextStyle style{.size = 10.5, .colour = ink::muted, .align = Align::centre};
      const double text_width = canvas.text_width(options.captions[i], style);
      style.size *= std::min(1.0, (width + gap - 4) / std::max(text_width, 1.0));
      canvas.text(options.captions[i], {corner.x + width / 2, corner.y + height + caption_height / 2}, style);
    }
  }
};

/// 0xRRGGBB of the N-th image of `values` [N, C, H, W] in 0..255.
std::vector<uint32_t> pixels_of(const float* values, int64_t channels, int64_t pixels, float low, float scale) {
  std::vector<uint32_t> result(static_cast<size_t>(pixels));
  for (int64_t i = 0; i < pixels; ++i) {
    uint32_t rgb = 0;
    for (int64_t channel = 0; channel < 3; ++channel) {
      const float value = (values[(channels == 3 ? channel : 0) * pixels + i] - low) * scale;
      rgb = rgb << 8 | static_cast<uint32_t>(std::lround(std::clamp(value, 0.f, 255.f)));
    }
    result[static_cast<size_t>(i)] = rgb;
  }
  return result;
}

}  // namespace

Panel image_grid(const Tensor& images, const GridOptions& options) {
  require(images.rank() == 4 && (images.size(1) == 1 || images.size(1) == 3) && images.size(2) * images.size(3) > 0,
          "image_grid", "images must be [count, 1 or 3, height, width], got {}", images.shape());
  const NoGradGuard guard;
  const Tensor values = images.detach().to(cpu_device).to(f32).contiguous();
  const int64_t count = images.size(0), channels = images.size(1), pixels = images.size(2) * images.size(3);
  float low = 0, scale = 1;
  if (is_floating(images.dtype()) && count > 0) {
    const auto [least, most] = std::minmax_element(values.data<float>(), values.data<float>() + values.numel());
    low = *least;
    scale = *most > *least ? 255 / (*most - *least) : 1;
  }
  Grid grid{.options = options, .images = {}, .image_rows = images.size(2), .image_columns = images.size(3)};
  for (int64_t i = 0; i < count; ++i)
    grid.images.push_back(pixels_of(values.data<float>() + i * channels * pixels, channels, pixels, low, scale));
  if (grid.options.columns <= 0)
    grid.options.columns = std::max<int64_t>(1, std::lround(std::ceil(std::sqrt(2.0 * static_cast<double>(count)))));
  const double longer = static_cast<double>(std::max(grid.image_rows, grid.image_columns));
  grid.width = options.image_size * static_cast<double>(grid.image_columns) / longer;
  grid.height = options.image_size * static_cast<double>(grid.image_rows) / longer;
  grid.top = options.title.empty() ? 0 : 32;
  const int64_t rows = (count + grid.options.columns - 1) / grid.options.columns;
  const int64_t columns = std::min(count, grid.options.columns);
  return {static_cast<double>(columns) * (grid.width + Grid::gap),
          grid.top + static_cast<double>(rows) * grid.row_height(), [grid](Canvas& canvas) { grid.draw(canvas); }};
}

}  // namespace percale::picture
