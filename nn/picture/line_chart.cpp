// Values over time.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "../../core/error.h"
#include "../../core/io/file.h"
#include "axis.h"
#include "canvas.h"
#include "picture.h"

namespace percale::picture {
namespace {

struct LineChart {
  std::vector<Line> lines;
  LineChartOptions options;
  Axis x, y;
  double left = 0, top = 0, right = 0;  ///< what the labels around the plot need

  Point on_page(double x_value, double y_value) const {
    return {left + x.place(x_value) * options.width, top + (1 - y.place(y_value)) * options.height};
  }

  void draw_axes(Canvas& canvas) const {
    const TextStyle side{.size = 11, .colour = ink::muted, .align = Align::end};
    const TextStyle below{.size = 11, .colour = ink::muted, .align = Align::centre};
    for (const double tick : y.ticks) {
      const Point place = on_page(x.low, tick);
      canvas.line({place, {left + options.width, place.y}}, ink::faint, 1);
      canvas.text(number(tick, y.digits), {left - 8, place.y}, side);
    }
    for (const double tick : x.ticks)
      canvas.text(number(tick, x.digits), {on_page(tick, y.low).x, top + options.height + 14}, below);
    canvas.line({{left, top + options.height}, {left + options.width, top + options.height}}, ink::muted, 1);
    canvas.text(options.x_label, {left + options.width / 2, top + options.height + 36},
                {.size = 12, .align = Align::centre});
    canvas.text(options.y_label, {8, top + options.height / 2}, {.size = 12, .align = Align::centre, .upright = true});
  }

  void draw_lines(Canvas& canvas) const {
    struct End {
      double y;
      size_t line;
    };
    std::vector<End> ends;
    for (size_t i = 0; i < lines.size(); ++i) {
      const Colour stroke = lines.size() == 1 ? ink::accent : category_colour(static_cast<int64_t>(i));
      std::vector<Point> stretch;
      double last = top + options.height / 2;
      for (const auto& [x_value, y_value] : lines[i].points) {
        if (std::isfinite(x_value) && std::isfinite(y_value)) {
          stretch.push_back(on_page(x_value, y_value));
          last = stretch.back().y;
          continue;
        }
        canvas.line(stretch, stroke, 1.8);
        stretch.clear();
      }
      canvas.line(stretch, stroke, 1.8);
      if (lines[i].points.size() <= 30)
        for (const auto& [x_value, y_value] : lines[i].points)
          if (std::isfinite(y_value)) canvas.circle(on_page(x_value, y_value), 3, stroke);
      ends.push_back({last, i});
    }
    std::stable_sort(ends.begin(), ends.end(), [](const End& a, const End& b) { return a.y < b.y; });
    double free_from = -INFINITY;
    for (const End& end : ends) {
      const double place = std::max(end.y, free_from);
      free_from = place + 16;
      const Colour stroke = lines.size() == 1 ? ink::accent : category_colour(static_cast<int64_t>(end.line));
      canvas.text(lines[end.line].name, {left + options.width + 10, place},
                  {.size = 12, .colour = mix(stroke, ink::strong, 0.25)});
    }
  }

  void draw(Canvas& canvas) const {
    canvas.text(options.title, {left, 8}, {.size = 14, .bold = true});
    draw_axes(canvas);
    draw_lines(canvas);
  }
};

}  // namespace

Panel line_chart(const std::vector<Line>& lines, const LineChartOptions& options) {
  double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
  bool whole = true;
  for (const Line& line : lines)
    for (const auto& [x, y] : line.points) {
      if (!std::isfinite(x) || !std::isfinite(y)) continue;
      whole = whole && x == std::round(x);
      low[0] = std::min(low[0], x), high[0] = std::max(high[0], x);
      low[1] = std::min(low[1], y), high[1] = std::max(high[1], y);
    }
  require(low[0] <= high[0], "line_chart", "there is no finite point among {} lines", lines.size());
  // A y axis that begins at 0 shows proportions; where values differ little, their differences are what is looked for.
  if (low[1] > 0 && low[1] < 0.6 * high[1]) low[1] = 0;
  const double room = 0.04 * (high[1] - low[1]);
  LineChart chart{.lines = lines,
                  .options = options,
                  .x = make_axis(low[0], high[0], 8, whole),
                  .y = make_axis(low[1] == 0 ? 0 : low[1] - room, high[1] + room, 5)};
  Canvas measure(1, 1, 1);
  double widest = 0;
  for (const double tick : chart.y.ticks)
    widest = std::max(widest, measure.text_width(number(tick, chart.y.digits), {.size = 11}));
  for (const Line& line : lines) chart.right = std::max(chart.right, measure.text_width(line.name, {.size = 12}) + 12);
  chart.left = widest + 10 + (options.y_label.empty() ? 0 : 22);
  chart.top = options.title.empty() ? 8 : 32;
  return {chart.left + options.width + chart.right, chart.top + options.height + (options.x_label.empty() ? 24 : 46),
          [chart](Canvas& canvas) { chart.draw(canvas); }};
}

Panel metrics_chart(const std::string& path, const std::vector<std::string>& keys, const LineChartOptions& options) {
  std::vector<Line> lines;
  for (const std::string& key : keys) lines.push_back({key, {}});
  const std::string bytes = io::read_file(path);
  int64_t row = 0;
  for (size_t begin = 0; begin < bytes.size(); ++row) {
    const size_t end = std::min(bytes.find('\n', begin), bytes.size());
    const auto object = nlohmann::json::parse(bytes.begin() + static_cast<int64_t>(begin),
                                              bytes.begin() + static_cast<int64_t>(end), nullptr, false);
    require(object.is_object(), "metrics_chart", "{}: line {} is not a JSON object", path, row + 1);
    begin = end + 1;
    if (!object.contains("epoch") || !object["epoch"].is_number()) continue;
    for (Line& line : lines)
      if (object.contains(line.name) && object[line.name].is_number())
        line.points.push_back({object["epoch"].get<double>(), object[line.name].get<double>()});
  }
  for (const Line& line : lines)
    require(!line.points.empty(), "metrics_chart", "{}: no epoch has a number named {}", path, line.name);
  return line_chart(lines, options);
}

}  // namespace percale::picture
