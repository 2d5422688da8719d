// Panels placed on a page, and the page written.
#include <algorithm>

#include "../../core/io/file.h"
#include "canvas.h"
#include "picture.h"

namespace percale::picture {
namespace {

constexpr double margin = 28, gap = 36, title_height = 40, note_height = 30;

struct Cell {
  Point corner;
  const Panel* panel;
};

}  // namespace

void save(const std::string& path, const std::vector<Panel>& panels, const PageOptions& options) {
  require(options.columns >= 1, "picture", "needs at least 1 column, got {}", options.columns);
  std::vector<Cell> cells;
  double y = margin + (options.title.empty() ? 0 : title_height), width = 0;
  for (size_t first = 0; first < panels.size(); first += static_cast<size_t>(options.columns)) {
    const size_t last = std::min(panels.size(), first + static_cast<size_t>(options.columns));
    double x = margin, height = 0;
    for (size_t i = first; i < last; ++i) {
      cells.push_back({{x, y}, &panels[i]});
      x += panels[i].width + gap;
      height = std::max(height, panels[i].height);
    }
    width = std::max(width, x - gap + margin);
    y += height + gap;
  }
  const double height = y - (cells.empty() ? 0 : gap) + (options.note.empty() ? margin : note_height + margin / 2);
  Canvas canvas(std::max(width, 2 * margin), height, options.scale);
  if (!options.title.empty()) canvas.text(options.title, {margin, margin + 8}, {.size = 18, .bold = true});
  for (const Cell& cell : cells) {
    canvas.push(cell.corner);
    cell.panel->draw(canvas);
    canvas.pop();
  }
  if (!options.note.empty())
    canvas.text(options.note, {margin, height - note_height / 2 - 4}, {.size = 10, .colour = ink::muted});
  io::write_file(path, canvas.png());
}

}  // namespace percale::picture
