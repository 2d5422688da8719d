// Points in the plane, coloured by what they are.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "../../core/autograd.h"
#include "axis.h"
#include "canvas.h"
#include "picture.h"
#include "square.h"

namespace percale::picture {
namespace {

struct Label {
  std::string name;
  Point place;
  Colour colour;
  double width = 0;
};

/// Moves names that lie on each other apart, a little at a time.
void separate(std::vector<Label>& labels, double size) {
  constexpr double height = 20;
  for (int round = 0; round < 200; ++round) {
    bool moved = false;
    for (size_t i = 0; i < labels.size(); ++i)
      for (size_t j = i + 1; j < labels.size(); ++j) {
        Label &a = labels[i], &b = labels[j];
        const double overlap_x = (a.width + b.width) / 2 + 6 - std::abs(a.place.x - b.place.x);
        const double overlap_y = height - std::abs(a.place.y - b.place.y);
        if (overlap_x <= 0 || overlap_y <= 0) continue;
        moved = true;
        double Point::*along = overlap_x < overlap_y ? &Point::x : &Point::y;
        const double push = std::min(overlap_x, overlap_y) / 2 * (a.place.*along <= b.place.*along ? 1 : -1);
        a.place.*along -= push;
        b.place.*along += push;
      }
    for (Label& label : labels) {
      label.place.x = std::clamp(label.place.x, label.width / 2 + 4, size - label.width / 2 - 4);
      label.place.y = std::clamp(label.place.y, 12.0, size - 12);
    }
    if (!moved) return;
  }
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Scatter {
  ScatterOptions options;
  std::vector<Point> points;  ///< 0 to 1, y upwards
  std::vector<int64_t> categories;
  std::vector<std::string> names;  ///< of categories 0, 1, ...
  std::vector<int64_t> counts;
  double left = 0, top = 0, legend = 0;

  Point on_page(const Point& point) const {
    return {left + point.x * options.size, top + (1 - point.y) * options.size};
  }

  void draw_points(Canvas& canvas) const {
    const double radius = std::clamp(60 / std::sqrt(static_cast<double>(points.size()) + 1), 1.1, 4.0);
    const double alpha = points.size() > 2000 ? 0.55 : 0.8;
    // A stride coprime to the count mixes the classes, so that none is drawn on top of all others.
    const size_t count = points.size();
    size_t stride = 7919;
    while (count > 1 && std::gcd(stride, count) != 1) ++stride;
    for (size_t k = 0; k < count; ++k) {
      const size_t i = k * stride % count;
      Colour fill = category_colour(categories[i]);
      fill.alpha = alpha;
      canvas.circle(on_page(points[i]), radius, fill);
    }
  }

  void draw_names(Canvas& canvas) const {
    const TextStyle style{.size = 15, .bold = true, .align = Align::centre, .halo = true};
    std::vector<Label> labels;
    for (size_t category = 0; category < names.size(); ++category) {
      std::vector<double> x, y;
      for (size_t i = 0; i < points.size(); ++i)
        if (categories[i] == static_cast<int64_t>(category)) {
          x.push_back(points[i].x * options.size);
          y.push_back((1 - points[i].y) * options.size);
        }
      if (x.empty() || names[category].empty()) continue;
      labels.push_back({names[category],
                        {median(x), median(y)},
                        mix(category_colour(static_cast<int64_t>(category)), ink::strong, 0.35),
                        canvas.text_width(names[category], style)});
    }
    separate(labels, options.size);
    for (const Label& label : labels) {
      TextStyle own = style;
      own.colour = label.colour;
      canvas.text(label.name, {left + label.place.x, top + label.place.y}, own);
    }
  }

  void draw_legend(Canvas& canvas) const {
    const double x = left + options.size + 22;
    double y = top + 10;
    for (size_t category = 0; category < names.size() && y < top + options.size; ++category) {
      if (counts[category] == 0 || names[category].empty()) continue;
      canvas.circle({x, y}, 5, category_colour(static_cast<int64_t>(category)));
      canvas.text(names[category], {x + 13, y}, {.size = 12});
      y += 21;
    }
  }

  void draw(Canvas& canvas) const {
    canvas.text(options.title, {left, 8}, {.size = 14, .bold = true});
    draw_points(canvas);
    canvas.frame({left, top}, options.size, options.size, ink::faint, 1);
    draw_names(canvas);
    draw_legend(canvas);
    canvas.text(options.x_label, {left + options.size / 2, top + options.size + 18},
                {.size = 12, .align = Align::centre});
    canvas.text(options.y_label, {8, top + options.size / 2}, {.size = 12, .align = Align::centre, .upright = true});
  }
};

}  // namespace

Panel scatter(const Tensor& points, const Tensor& categories, const ScatterOptions& options) {
  require(points.rank() == 2 && points.size(1) == 2, "scatter", "points must be [count, 2], got {}", points.shape());
  require(categories.rank() == 1 && categories.size(0) == points.size(0) && is_integer(categories.dtype()), "scatter",
          "categories must be {} integers, got {} of {}", points.size(0), categories.shape(), categories.dtype());
  const NoGradGuard guard;
  const Tensor places = points.detach().to(cpu_device).to(f32).contiguous();
  const Tensor classes = categories.to(cpu_device).to(i64).contiguous();
  Scatter plot{.options = options,
               .points = into_square("scatter", places.data<float>(), places.size(0)),
               .categories = {classes.data<int64_t>(), classes.data<int64_t>() + classes.numel()},
               .names = options.names,
               .counts = {}};
  int64_t most = static_cast<int64_t>(plot.names.size()) - 1;
  for (const int64_t category : plot.categories) {
    require(category >= 0 && category < 1000, "scatter", "a category is {}, which is not in 0..999", category);
    most = std::max(most, category);
  }
  for (int64_t i = static_cast<int64_t>(plot.names.size()); i <= most; ++i) plot.names.push_back(std::to_string(i));
  plot.counts.resize(plot.names.size());
  for (const int64_t category : plot.categories) ++plot.counts[static_cast<size_t>(category)];
  Canvas measure(1, 1, 1);
  for (const std::string& name : plot.names)
    plot.legend = std::max(plot.legend, measure.text_width(name, {.size = 12}));
  plot.left = options.y_label.empty() ? 0 : 26;
  plot.top = options.title.empty() ? 0 : 32;
  return {plot.left + options.size + 40 + plot.legend, plot.top + options.size + (options.x_label.empty() ? 4 : 28),
          [plot](Canvas& canvas) { plot.draw(canvas); }};
}

}  // namespace percale::picture
