// A matrix as coloured cells.
#include <algorithm>
#include <cmath>

#include "../../core/autograd.h"
#include "axis.h"
#include "canvas.h"
#include "picture.h"

namespace percale::picture {
namespace {

/// From paper through blue to ink, even to the eye.
Colour heat(double share) {
  constexpr uint32_t stops[] = {0xf3f7fb, 0xcfe0f0, 0x93bfe0, 0x4f93c8, 0x256aa8, 0x123f73};
  constexpr int last = std::size(stops) - 1;
  const double place = std::clamp(share, 0.0, 1.0) * last;
  const int below = std::min(static_cast<int>(place), last - 1);
  return mix(colour(stops[below]), colour(stops[below + 1]), place - below);
}

std::vector<std::string> names_or_numbers(std::vector<std::string> names, int64_t count) {
  for (int64_t i = static_cast<int64_t>(names.size()); i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

constexpr double line_height = 14;

double widest(const Canvas& canvas, const std::vector<std::string>& names, const TextStyle& style) {
  double width = 0;
  for (const std::string& name : names) width = std::max(width, canvas.text_width(name, style));
  return width;
}

struct HeatMap {
  HeatMapOptions options;
  std::vector<double> values;
  int64_t rows = 0, columns = 0;
  std::vector<std::string> row_names, column_names;
  double left = 0, top = 0, cell_width = 0, cell_height = 0;
  bool upright_names = false;  ///< of columns, where they are too wide to lie
  double names_height = 0;

  std::string label(double value) const {
    if (options.digits >= 0) return number(value, options.digits);
    return value == std::round(value) ? number(value, 0) : number(value, 2);
  }

  void draw_cells(Canvas& canvas) const {
    double largest = 0;
    size_t longest = 1;
    for (const double value : values) {
      largest = std::max(largest, value);
      if (value != 0) longest = std::max(longest, label(value).size());
    }
    TextStyle style{.size = std::min({13.0, cell_height * 0.45, cell_width / (0.66 * static_cast<double>(longest))}),
                    .align = Align::centre};
    const double inset = std::min(1.0, cell_width / 16);
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; ++column) {
        const double value = values[static_cast<size_t>(row * columns + column)];
        const Point corner{left + static_cast<double>(column) * cell_width,
                           top + static_cast<double>(row) * cell_height};
        const double share = largest > 0 && value > 0 ? std::pow(value / largest, options.power) : 0;
        canvas.rectangle({corner.x + inset, corner.y + inset}, cell_width - 2 * inset, cell_height - 2 * inset,
                         heat(share));
        if (value == 0 || style.size < 6) continue;
        style.colour = share > 0.55 ? ink::paper : ink::strong;
        canvas.text(label(value), {corner.x + cell_width / 2, corner.y + cell_height / 2}, style);
      }
  }

  void draw_names(Canvas& canvas) const {
    const TextStyle side{.size = 12, .colour = ink::muted, .align = Align::end};
    const TextStyle below{.size = 12,
                          .colour = ink::muted,
                          .align = upright_names ? Align::end : Align::centre,
                          .upright = upright_names};
    const int64_t skip_rows = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(line_height / cell_height)));
    const int64_t skip_columns =
        upright_names ? std::max<int64_t>(1, static_cast<int64_t>(std::ceil(line_height / cell_width))) : 1;
    for (int64_t row = 0; row < rows; row += skip_rows)
      canvas.text(row_names[static_cast<size_t>(row)], {left - 8, top + (static_cast<double>(row) + 0.5) * cell_height},
                  side);
    const double bottom = top + static_cast<double>(rows) * cell_height;
    for (int64_t column = 0; column < columns; column += skip_columns)
      canvas.text(column_names[static_cast<size_t>(column)],
                  {left + (static_cast<double>(column) + 0.5) * cell_width, bottom + (upright_names ? 8 : 14)}, below);
    const TextStyle axis{.size = 12, .align = Align::centre};
    canvas.text(options.column_label,
                {left + static_cast<double>(columns) * cell_width / 2, bottom + names_height + 16}, axis);
    TextStyle upright = axis;
    upright.upright = true;
    canvas.text(options.row_label, {8, top + static_cast<double>(rows) * cell_height / 2}, upright);
  }

  void draw(Canvas& canvas) const {
    canvas.text(options.title, {left, 8}, {.size = 14, .bold = true});
    draw_cells(canvas);
    draw_names(canvas);
  }
};

}  // namespace

Panel heat_map(const Tensor& values, const HeatMapOptions& options) {
  require(values.rank() == 2 && values.numel() > 0, "heat_map", "values must be [rows, columns], got {}",
          values.shape());
  const NoGradGuard guard;
  const Tensor matrix = values.detach().to(cpu_device).to(f64).contiguous();
  HeatMap map{.options = options,
              .values = {matrix.data<double>(), matrix.data<double>() + matrix.numel()},
              .rows = matrix.size(0),
              .columns = matrix.size(1),
              .row_names = names_or_numbers(options.row_names, matrix.size(0)),
              .column_names = names_or_numbers(options.column_names, matrix.size(1))};
  for (const double value : map.values)
    require(std::isfinite(value) && value >= 0, "heat_map", "values must be 0 or more, got {}", value);
  const double cell = options.size / static_cast<double>(std::max(map.rows, map.columns));
  map.cell_width = map.cell_height = cell;
  const Canvas measure(1, 1, 1);
  map.left = widest(measure, map.row_names, {.size = 12}) + 12 + (options.row_label.empty() ? 0 : 22);
  map.top = options.title.empty() ? 0 : 32;
  const double name_width = widest(measure, map.column_names, {.size = 12});
  map.upright_names = name_width + 6 > cell;
  map.names_height = map.upright_names ? name_width + 8 : 20;
  const double width = map.left + cell * static_cast<double>(map.columns),
               titled = map.left + measure.text_width(options.title, {.size = 14, .bold = true});
  return {std::max({width, titled, map.left + measure.text_width(options.column_label, {.size = 12})}),
          map.top + cell * static_cast<double>(map.rows) + map.names_height + (options.column_label.empty() ? 4 : 26),
          [map](Canvas& canvas) { map.draw(canvas); }};
}

}  // namespace percale::picture
