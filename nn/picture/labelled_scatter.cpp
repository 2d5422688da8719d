// Points in the plane, each with its name.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "../../core/autograd.h"
#include "canvas.h"
#include "picture.h"
#include "square.h"

namespace percale::picture {
namespace {

constexpr double radius = 3.2, text_size = 11, text_height = 13;
constexpr Colour leader = colour(0xc3cad2);

struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;

  bool meets(const Box& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

/// A name's place, and how far from its point it is.
struct Place {
  Box box;
  double distance = 0;
};

struct LabelledScatter {
  LabelledScatterOptions options;
  std::vector<Point> points;  ///< 0 to 1, y upwards
  std::vector<std::string> names;
  double left = 0, top = 0, height = 0;

  /// The points lie about the middle of a square, of which only the `height` is shown.
  Point on_page(const Point& point) const {
    return {left + point.x * options.size, top + height / 2 + (0.5 - point.y) * options.size};
  }

  /// The places that a name may have about its point, the best first: right beside it, then farther and farther.
  static std::vector<Place> places(const Point& at, double width) {
    constexpr double right = 0, half_turn = std::numbers::pi;
    constexpr double beside[] = {right,          half_turn,     -half_turn / 2,     half_turn / 2,
                                 -half_turn / 4, half_turn / 4, -half_turn * 3 / 4, half_turn * 3 / 4};
    std::vector<Place> places;
    const auto add = [&](double angle, double distance) {
      const double x = std::cos(angle), gap = radius + 3 + distance;
      const double start = at.x + gap * x - (x > 0.3 ? 0 : x < -0.3 ? width : width / 2);
      const double middle = at.y + std::sin(angle) * (gap + text_height / 2 - 2);
      places.push_back({{start, middle - text_height / 2, start + width, middle + text_height / 2}, distance});
    };
    for (const double angle : beside) add(angle, 0);
    for (double distance = 12; distance < 160; distance += 12)
      for (int sixteenth = 0; sixteenth < 16; ++sixteenth) add(half_turn / 8 * sixteenth, distance);
    return places;
  }

  bool is_inside(const Box& box) const {
    return box.left > left + 2 && box.right < left + options.size - 2 && box.top > top + 2 &&
           box.bottom < top + height - 2;
  }

  /// A thin line from a point to the nearest place of its name.
  static void draw_leader(Canvas& canvas, const Point& at, const Box& box) {
    canvas.line({at, {std::clamp(at.x, box.left, box.right), std::clamp(at.y, box.top + 2, box.bottom - 2)}}, leader,
                0.8);
  }

  void draw_names(Canvas& canvas) const {
    const TextStyle style{.size = text_size, .halo = true};
    std::vector<Box> taken;
    for (const Point& point : points) {
      const Point at = on_page(point);
      taken.push_back({at.x - radius, at.y - radius, at.x + radius, at.y + radius});
    }
    std::vector<std::pair<size_t, Box>> placed;
    for (size_t i = 0; i < points.size(); ++i) {
      const Point at = on_page(points[i]);
      for (const Place& place : places(at, canvas.text_width(names[i], style))) {
        const auto meets = [&](const Box& other) { return place.box.meets(other); };
        if (!is_inside(place.box) || std::any_of(taken.begin(), taken.end(), meets)) continue;
        if (place.distance > 0) draw_leader(canvas, at, place.box);
        taken.push_back(place.box);
        placed.push_back({i, place.box});
        break;
      }
    }
    for (const Point& point : points) canvas.circle(on_page(point), radius, ink::accent);
    for (const auto& [i, box] : placed) canvas.text(names[i], {box.left, (box.top + box.bottom) / 2}, style);
  }

  void draw(Canvas& canvas) const {
    canvas.text(options.title, {left, 8}, {.size = 14, .bold = true});
    canvas.frame({left, top}, options.size, height, ink::faint, 1);
    draw_names(canvas);
    canvas.text(options.x_label, {left + options.size / 2, top + height + 18}, {.size = 12, .align = Align::centre});
    canvas.text(options.y_label, {8, top + height / 2}, {.size = 12, .align = Align::centre, .upright = true});
  }
};

}  // namespace

Panel labelled_scatter(const Tensor& points, const std::vector<std::string>& names,
                       const LabelledScatterOptions& options) {
  require(points.rank() == 2 && points.size(1) == 2, "labelled_scatter", "points must be [count, 2], got {}",
          points.shape());
  require(names.size() == static_cast<size_t>(points.size(0)), "labelled_scatter",
          "{} points need as many names, got {}", points.size(0), names.size());
  const NoGradGuard guard;
  const Tensor places = points.detach().to(cpu_device).to(f32).contiguous();
  LabelledScatter plot{.options = options,
                       .points = into_square("labelled_scatter", places.data<float>(), places.size(0)),
                       .names = names,
                       .left = options.y_label.empty() ? 0.0 : 26.0,
                       .top = options.title.empty() ? 0.0 : 32.0};
  double extent = 0;
  for (const Point& point : plot.points) extent = std::max(extent, 2 * std::abs(point.y - 0.5));
  plot.height = options.size * std::clamp(extent + 0.1, 0.5, 1.0);
  return {plot.left + options.size, plot.top + plot.height + (options.x_label.empty() ? 4 : 28),
          [plot](Canvas& canvas) { plot.draw(canvas); }};
}

}  // namespace percale::picture
