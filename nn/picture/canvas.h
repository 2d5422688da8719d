// Cairo behind a few verbs: what panels are drawn with. Units are points; a picture has `scale` pixels a point.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

typedef struct _cairo cairo_t;
typedef struct _cairo_surface cairo_surface_t;

namespace percale::picture {

struct Colour {
  double red = 0, green = 0, blue = 0, alpha = 1;
};

/// From 0xRRGGBB.
constexpr Colour colour(uint32_t rgb, double alpha = 1) {
  return {(rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0, (rgb & 255) / 255.0, alpha};
}
/// Between `a` (0) and `b` (1).
Colour mix(Colour a, Colour b, double share);

/// The few colours that everything which is not data is drawn in.
namespace ink {
inline constexpr Colour strong = colour(0x1f2933);
inline constexpr Colour muted = colour(0x616e7c);
inline constexpr Colour faint = colour(0xe4e7eb);
inline constexpr Colour paper = colour(0xffffff);
inline constexpr Colour accent = colour(0x2f6fb0);
}  // namespace ink

/// One of ten colours that are told apart easily; they repeat from the eleventh on.
Colour category_colour(int64_t category);

struct Point {
  double x = 0, y = 0;
};

enum class Align { start, centre, end };

struct TextStyle {
  double size = 12;
  Colour colour = ink::strong;
  bool bold = false;
  Align align = Align::start;  ///< of the text against its point, along the line
  bool upright = false;        ///< reads from bottom to top
  bool halo = false;           ///< a white rim, for text on top of data
};

/// A picture in memory. Not to be shared between threads.
class Canvas {
 public:
  Canvas(double width, double height, double scale);
  ~Canvas();
  Canvas(const Canvas&) = delete;

  /// Everything until `pop` is moved by `offset`.
  void push(Point offset);
  void pop();

  void rectangle(Point corner, double width, double height, Colour fill);
  void frame(Point corner, double width, double height, Colour colour, double line_width);
  void circle(Point centre, double radius, Colour fill);
  void line(const std::vector<Point>& points, Colour colour, double line_width);
  /// `text` with the middle of its digits' height at `point`.
  void text(const std::string& text, Point point, const TextStyle& style);
  double text_width(const std::string& text, const TextStyle& style) const;
  /// Pixels 0xRRGGBB, row by row, drawn as sharp squares.
  void pixels(const std::vector<uint32_t>& rgb, int64_t columns, int64_t rows, Point corner, double width,
              double height);

  /// The picture as the bytes of a PNG file.
  std::string png() const;

 private:
  void select(const TextStyle& style) const;

  cairo_surface_t* surface_;
  cairo_t* cairo_;
};

}  // namespace percale::picture
