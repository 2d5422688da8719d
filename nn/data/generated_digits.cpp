#include "generated_digits.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "../../core/cpu/threads.h"
#include "../../core/philox.h"
#include "digit_strokes.h"

// Everything here is additions, multiplications, divisions and square roots, which every machine rounds alike.
namespace percale::data {
namespace {

constexpr int side = 28;
constexpr float box = 20;                 // MNIST's digits fill a box of 20 pixels
constexpr uint32_t call_number = 0xd191;  // keeps these numbers apart from those of random operations

struct Point {
  float x, y;
};

/// The random numbers of one digit: a function of (seed, index).
class DigitRandom {
 public:
  DigitRandom(uint64_t seed, int64_t index) : seed_(seed), index_(static_cast<uint64_t>(index)) {}

  uint32_t bits() {
    if (used_ == 4) block_ = philox(seed_, next_++, call_number, index_), used_ = 0;
    return block_.words[used_++];
  }
  float uniform(float low, float high) { return low + (high - low) * uniform_from_bits(bits()); }
  float normal(float deviation) { return deviation * std::clamp(normal_from_bits(bits()), -2.5f, 2.5f); }

 private:
  uint64_t seed_, index_, next_ = 0;
  Philox4 block_{};
  int used_ = 4;
};

/// A stroke of straight pieces, with the pen's radius at each point.
struct Line {
  std::vector<Point> points;
  std::vector<float> radii;
};

const Skeleton& pick_skeleton(int digit, DigitRandom& random) {
  const auto all = digit_skeletons();
  float total = 0;
  for (const Skeleton& skeleton : all) total += skeleton.digit == digit ? skeleton.weight : 0;
  float rest = random.uniform(0, total);
  const Skeleton* last = nullptr;
  for (const Skeleton& skeleton : all) {
    if (skeleton.digit != digit) continue;
    last = &skeleton;
    if ((rest -= skeleton.weight) < 0) break;
  }
  return *last;
}

/// A smooth displacement of the plane: random arrows on a grid of 4 x 4, blended between.
class Elastic {
 public:
  Elastic(DigitRandom& random, float strength) {
    for (Point& arrow : arrows_) arrow = {random.normal(strength), random.normal(strength)};
  }
  Point operator()(Point at) const {
    const float x = std::clamp(at.x, 0.f, .999f) * 3, y = std::clamp(at.y, 0.f, .999f) * 3;
    const int column = static_cast<int>(x), row = static_cast<int>(y);
    const float u = smooth(x - static_cast<float>(column)), v = smooth(y - static_cast<float>(row));
    const Point* corner = &arrows_[row * 4 + column];
    const Point top = blend(corner[0], corner[1], u), bottom = blend(corner[4], corner[5], u);
    const Point arrow = blend(top, bottom, v);
    return {at.x + arrow.x, at.y + arrow.y};
  }

 private:
  static float smooth(float t) { return t * t * (3 - 2 * t); }
  static Point blend(Point a, Point b, float t) { return {a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t}; }
  std::array<Point, 16> arrows_;
};

/// Catmull and Rom's curve through the points, broken at corners.
std::vector<Point> bend(Stroke stroke, const std::vector<Point>& at) {
  constexpr int pieces = 6;
  std::vector<Point> curve;
  const auto last = static_cast<int>(at.size()) - 1;
  for (int i = 0; i < last; ++i) {
    const Point a = at[i], b = at[i + 1];
    const Point before = i == 0 || stroke[i].corner ? Point{2 * a.x - b.x, 2 * a.y - b.y} : at[i - 1];
    const Point after = i + 1 == last || stroke[i + 1].corner ? Point{2 * b.x - a.x, 2 * b.y - a.y} : at[i + 2];
    for (int k = 0; k < pieces; ++k) {
      const float t = static_cast<float>(k) / pieces;
      const auto value = [t](float p, float q, float r, float s) {
        return .5f * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t * t + (3 * (q - r) + s - p) * t * t * t);
      };
      curve.push_back({value(before.x, a.x, b.x, after.x), value(before.y, a.y, b.y, after.y)});
    }
  }
  curve.push_back(at.back());
  return curve;
}

/// The strokes as one hand would write them, in units of the box's height.
std::vector<Line> write(const Skeleton& skeleton, DigitRandom& random) {
  const Elastic elastic(random, random.uniform(.02f, .11f));
  const float width = skeleton.width * (1 + random.normal(.25f));
  const float slant = .2f + random.normal(.26f) + (skeleton.digit == 1 ? random.normal(.2f) : 0);
  // A rotation without sine and cosine: t is the tangent of half the angle.
  const float t = random.normal(.09f), cosine = (1 - t * t) / (1 + t * t), sine = 2 * t / (1 + t * t);
  const float jitter = random.uniform(.01f, .05f);
  const float bulge = random.normal(.2f), lean = random.normal(.15f);  // lower or upper half, left or right grow
  std::vector<Line> lines;
  for (Stroke stroke : skeleton.strokes) {
    const Point shift = lines.empty() ? Point{0, 0} : Point{random.normal(.03f), random.normal(.03f)};
    std::vector<Point> points;
    for (const StrokePoint& point : stroke) {
      const float x = point.x + lean * point.x * (1 - point.x), y = point.y + bulge * point.y * (1 - point.y);
      points.push_back(elastic({x + random.normal(jitter) + shift.x, y + random.normal(jitter) + shift.y}));
    }
    Line line;
    for (Point point : bend(stroke, points)) {
      const float x = (point.x - .5f) * width + (.5f - point.y) * slant, y = point.y - .5f;
      line.points.push_back({x * cosine - y * sine, x * sine + y * cosine});
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

/// The pen: a radius in pixels that swells and shrinks along each stroke.
void ink(std::vector<Line>& lines, DigitRandom& random) {
  const float thick = random.uniform(0, 1), radius = .75f + 1.15f * thick * thick + random.normal(.12f) + .25f;
  for (Line& line : lines) {
    const float start = 1 + random.normal(.12f), middle = 1 + random.normal(.1f), end = 1 + random.normal(.15f);
    const auto count = static_cast<float>(line.points.size() - 1);
    for (size_t i = 0; i < line.points.size(); ++i) {
      const float at = static_cast<float>(i) / count * 2;
      const float swell = at < 1 ? start + (middle - start) * at : middle + (end - middle) * (at - 1);
      line.radii.push_back(std::max(.55f, radius * swell));
    }
  }
}

/// Scales the strokes so that they fill the box, ink included, and puts their mass in the middle of the image.
void fit(std::vector<Line>& lines, DigitRandom& random) {
  Point low{1e9f, 1e9f}, high{-1e9f, -1e9f};
  float radius = 0;
  for (const Line& line : lines) {
    for (size_t i = 0; i < line.points.size(); ++i) {
      const Point point = line.points[i];
      low = {std::min(low.x, point.x), std::min(low.y, point.y)};
      high = {std::max(high.x, point.x), std::max(high.y, point.y)};
      radius = std::max(radius, line.radii[i]);
    }
  }
  const float extent = std::max(high.x - low.x, high.y - low.y);
  const float scale = (box - 2 * radius) / std::max(extent, .1f);
  float mass = 0, x = 0, y = 0;
  for (Line& line : lines) {
    for (Point& point : line.points) point = {(point.x - low.x) * scale, (point.y - low.y) * scale};
    for (size_t i = 1; i < line.points.size(); ++i) {
      const Point a = line.points[i - 1], b = line.points[i];
      const float length = std::sqrt((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y)) * line.radii[i];
      mass += length, x += length * (a.x + b.x) / 2, y += length * (a.y + b.y) / 2;
    }
  }
  const Point shift{side / 2.f - x / std::max(mass, 1e-3f) + random.uniform(-.5f, .5f),
                    side / 2.f - y / std::max(mass, 1e-3f) + random.uniform(-.5f, .5f)};
  for (Line& line : lines)
    for (Point& point : line.points) point = {point.x + shift.x, point.y + shift.y};
}

/// How deep each pixel's centre lies inside the ink (negative: outside), in pixels.
void draw(const std::vector<Line>& lines, float reach, std::array<float, side * side>& depth) {
  depth.fill(-10);
  for (const Line& line : lines) {
    for (size_t i = 1; i < line.points.size(); ++i) {
      const Point a = line.points[i - 1], b = line.points[i];
      const float radius = (line.radii[i - 1] + line.radii[i]) / 2, far = radius + reach;
      const auto first = [&](float low) { return std::clamp(static_cast<int>(low - far - .5f), 0, side); };
      const auto end = [&](float high) { return std::clamp(static_cast<int>(high + far + .5f) + 1, 0, side); };
      const float dx = b.x - a.x, dy = b.y - a.y, inverse = 1 / std::max(dx * dx + dy * dy, 1e-6f);
      for (int row = first(std::min(a.y, b.y)); row < end(std::max(a.y, b.y)); ++row) {
        for (int column = first(std::min(a.x, b.x)); column < end(std::max(a.x, b.x)); ++column) {
          const float px = static_cast<float>(column) + .5f - a.x, py = static_cast<float>(row) + .5f - a.y;
          const float along = std::clamp((px * dx + py * dy) * inverse, 0.f, 1.f);
          const float ex = px - along * dx, ey = py - along * dy;
          float& pixel = depth[row * side + column];
          pixel = std::max(pixel, radius - std::sqrt(ex * ex + ey * ey));
        }
      }
    }
  }
}

int draw_digit(uint64_t seed, int64_t index, uint8_t* image) {
  DigitRandom random(seed, index);
  const auto digit = static_cast<int>(uint64_t{random.bits()} * 10 >> 32);
  std::vector<Line> lines = write(pick_skeleton(digit, random), random);
  ink(lines, random);
  fit(lines, random);
  const float blur = random.uniform(.5f, .85f), strength = random.uniform(.92f, 1.15f),
              rough = random.uniform(.02f, .14f);
  std::array<float, side * side> depth;
  draw(lines, blur, depth);
  for (int i = 0; i < side * side; ++i) {
    float value = 0;
    if (depth[i] > -blur - .3f) {
      const float t = std::clamp((depth[i] + random.normal(rough) + blur) / (2 * blur), 0.f, 1.f);
      value = std::clamp(t * t * (3 - 2 * t) * strength, 0.f, 1.f);
    }
    image[i] = static_cast<uint8_t>(value * 255 + .5f);
  }
  return digit;
}

}  // namespace

LabelledImages generated_digits(int64_t count, uint64_t seed, int64_t first) {
  require(count >= 0 && first >= 0, "generated_digits", "count and first cannot be negative, got {} and {}", count,
          first);
  LabelledImages digits{Tensor::empty({count, 1, side, side}, {u8, cpu_device}),
                        Tensor::empty({count}, {i64, cpu_device})};
  uint8_t* images = digits.images.data<uint8_t>();
  int64_t* labels = digits.labels.data<int64_t>();
  cpu::parallel_for(count, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) labels[i] = draw_digit(seed, first + i, images + i * side * side);
  });
  return digits;
}

}  // namespace percale::data
