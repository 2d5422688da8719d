#include "canvas.h"

#include <cairo/cairo.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "../../core/error.h"

namespace percale::picture {
namespace {

void set_colour(cairo_t* cairo, Colour colour) {
  cairo_set_source_rgba(cairo, colour.red, colour.green, colour.blue, colour.alpha);
}

cairo_status_t append_bytes(void* text, const unsigned char* bytes, unsigned int count) {
  static_cast<std::string*>(text)->append(reinterpret_cast<const char*>(bytes), count);
  return CAIRO_STATUS_SUCCESS;
}

}  // namespace

Colour mix(Colour a, Colour b, double share) {
  auto between = [share](double from, double to) { return from + (to - from) * share; };
  return {between(a.red, b.red), between(a.green, b.green), between(a.blue, b.blue), between(a.alpha, b.alpha)};
}

Colour category_colour(int64_t category) {
  constexpr uint32_t colours[] = {0x4e79a7, 0xf28e2b, 0xd1495b, 0x4aa3a2, 0x59a14f,
                                  0xd9ae2f, 0x9467a8, 0xe8879c, 0x8c6d56, 0x7a8490};
  return colour(colours[static_cast<uint64_t>(category) % std::size(colours)]);
}

Canvas::Canvas(double width, double height, double scale) {
  const auto pixels = [scale](double points) { return static_cast<int>(std::ceil(points * scale)); };
  surface_ = cairo_image_surface_create(CAIRO_FORMAT_RGB24, pixels(width), pixels(height));
  cairo_ = cairo_create(surface_);
  const cairo_status_t status = cairo_status(cairo_);
  if (status != CAIRO_STATUS_SUCCESS) {
    cairo_destroy(cairo_);
    cairo_surface_destroy(surface_);
    fail("picture", "{} x {} pixels: {}",
         {percale::text(pixels(width)), percale::text(pixels(height)), cairo_status_to_string(status)});
  }
  set_colour(cairo_, ink::paper);
  cairo_paint(cairo_);
  cairo_scale(cairo_, scale, scale);
  cairo_set_line_join(cairo_, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap(cairo_, CAIRO_LINE_CAP_ROUND);
}

Canvas::~Canvas() {
  cairo_destroy(cairo_);
  cairo_surface_destroy(surface_);
}

void Canvas::push(Point offset) {
  cairo_save(cairo_);
  cairo_translate(cairo_, offset.x, offset.y);
}

void Canvas::pop() { cairo_restore(cairo_); }

void Canvas::rectangle(Point corner, double width, double height, Colour fill) {
  set_colour(cairo_, fill);
  cairo_rectangle(cairo_, corner.x, corner.y, width, height);
  cairo_fill(cairo_);
}

void Canvas::frame(Point corner, double width, double height, Colour colour, double line_width) {
  set_colour(cairo_, colour);
  cairo_set_line_width(cairo_, line_width);
  cairo_rectangle(cairo_, corner.x, corner.y, width, height);
  cairo_stroke(cairo_);
}

void Canvas::circle(Point centre, double radius, Colour fill) {
  set_colour(cairo_, fill);
  cairo_arc(cairo_, centre.x, centre.y, radius, 0, 2 * std::numbers::pi);
  cairo_fill(cairo_);
}

void Canvas::line(const std::vector<Point>& points, Colour colour, double line_width) {
  if (points.empty()) return;
  set_colour(cairo_, colour);
  cairo_set_line_width(cairo_, line_width);
  cairo_move_to(cairo_, points[0].x, points[0].y);
  for (const Point& point : points) cairo_line_to(cairo_, point.x, point.y);
  cairo_stroke(cairo_);
}

void Canvas::select(const TextStyle& style) const {
  cairo_select_font_face(cairo_, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                         style.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(cairo_, style.size);
  cairo_font_options_t* options = cairo_font_options_create();
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  cairo_set_font_options(cairo_, options);
  cairo_font_options_destroy(options);
}

double Canvas::text_width(const std::string& text, const TextStyle& style) const {
  select(style);
  cairo_text_extents_t extents;
  cairo_text_extents(cairo_, text.c_str(), &extents);
  return extents.x_advance;
}

void Canvas::text(const std::string& text, Point point, const TextStyle& style) {
  const double width = text_width(text, style);
  cairo_text_extents_t digit;
  cairo_text_extents(cairo_, "0", &digit);
  cairo_save(cairo_);
  cairo_translate(cairo_, point.x, point.y);
  if (style.upright) cairo_rotate(cairo_, -std::numbers::pi / 2);
  const double shift = style.align == Align::start ? 0 : style.align == Align::centre ? width / 2 : width;
  const double baseline = -digit.y_bearing / 2;
  if (style.halo) {
    cairo_move_to(cairo_, -shift, baseline);
    cairo_text_path(cairo_, text.c_str());
    set_colour(cairo_, colour(0xffffff, 0.85));
    cairo_set_line_width(cairo_, style.size / 3);
    cairo_stroke(cairo_);
  }
  cairo_move_to(cairo_, -shift, baseline);
  set_colour(cairo_, style.colour);
  cairo_show_text(cairo_, text.c_str());
  cairo_new_path(cairo_);
  cairo_restore(cairo_);
}

void Canvas::pixels(const std::vector<uint32_t>& rgb, int64_t columns, int64_t rows, Point corner, double width,
                    double height) {
  cairo_surface_t* image =
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(columns), static_cast<int>(rows));
  unsigned char* data = cairo_image_surface_get_data(image);
  const int stride = cairo_image_surface_get_stride(image);
  for (int64_t row = 0; data && row < rows; ++row)
    std::copy_n(rgb.data() + row * columns, columns, reinterpret_cast<uint32_t*>(data + row * stride));
  cairo_surface_mark_dirty(image);
  cairo_save(cairo_);
  cairo_translate(cairo_, corner.x, corner.y);
  cairo_scale(cairo_, width / static_cast<double>(columns), height / static_cast<double>(rows));
  cairo_set_source_surface(cairo_, image, 0, 0);
  cairo_pattern_set_filter(cairo_get_source(cairo_), CAIRO_FILTER_NEAREST);
  cairo_rectangle(cairo_, 0, 0, static_cast<double>(columns), static_cast<double>(rows));
  cairo_fill(cairo_);
  cairo_restore(cairo_);
  cairo_surface_destroy(image);
}

std::string Canvas::png() const {
  std::string bytes;
  const cairo_status_t status = cairo_surface_write_to_png_stream(surface_, append_bytes, &bytes);
  require(status == CAIRO_STATUS_SUCCESS, "picture", "cannot be encoded as PNG: {}", cairo_status_to_string(status));
  return bytes;
}

}  // namespace percale::picture
