// Pictures of what a model does, as PNG: grids of images, heat maps, maps of embeddings, curves.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "../../core/tensor.h"
#include "pca.h"

namespace percale::picture {

class Canvas;

/// One chart, ready to be placed on a page. Width and height in points.
struct Panel {
  double width = 0, height = 0;
  std::function<void(Canvas&)> draw;
};

struct PageOptions {
  std::string title = {};
  std::string note = {};  ///< small print at the foot: what the picture was made from
  int columns = 2;        ///< panels side by side
  double scale = 2;       ///< pixels a point
};

/// Writes `panels` as one PNG, row by row. The file is written whole or not at all; an error says why not.
void save(const std::string& path, const std::vector<Panel>& panels, const PageOptions& options = {});
inline void save(const std::string& path, const Panel& panel, const PageOptions& options = {}) {
  save(path, std::vector<Panel>{panel}, options);
}

struct GridOptions {
  std::string title = {};
  std::vector<std::string> captions = {};  ///< under each image; may be fewer than images
  int64_t columns = 0;                     ///< 0: about twice as many as rows
  double image_size = 56;                  ///< points; the longer side of each image
};

/// Images [N, C, H, W] with one channel (grey) or three (red, green, blue). u8 as it is; floats are stretched from the
/// smallest value (black) to the largest (white). Any device.
Panel image_grid(const Tensor& images, const GridOptions& options = {});

struct HeatMapOptions {
  std::string title = {};
  std::string row_label = {}, column_label = {};               ///< what the axes are
  std::vector<std::string> row_names = {}, column_names = {};  ///< empty: 0, 1, 2, ...
  double power = 1;   ///< colour by (value / largest)^power: below 1 shows the small ones too
  int digits = -1;    ///< after the point in each cell; -1: whole numbers bare, others with two
  double size = 460;  ///< points; the side of the map
};

/// A matrix [rows, columns] of values from 0 up, each cell coloured and, where it fits, labelled. Zeros stay blank.
/// A confusion matrix, a one-hot encoding, attention.
Panel heat_map(const Tensor& values, const HeatMapOptions& options = {});

struct ScatterOptions {
  std::string title = {};
  std::string x_label = {}, y_label = {};
  std::vector<std::string> names = {};  ///< of the categories; empty: 0, 1, 2, ...; one named "" has no name on the map
  double size = 460;                    ///< points; the side of the map
};

/// Points [N, 2] coloured by their category (integers [N]), each category named where it is densest and in a legend.
Panel scatter(const Tensor& points, const Tensor& categories, const ScatterOptions& options = {});

struct LabelledScatterOptions {
  std::string title = {};
  std::string x_label = {}, y_label = {};
  double size = 460;  ///< points; the width of the map
};

/// Points [N, 2], each with its name beside it or, where there is no room, at the end of a thin line. Names never
/// overlap: one that finds no place within the map is left out. The map is as high as its points need, at least half
/// its width.
Panel labelled_scatter(const Tensor& points, const std::vector<std::string>& names,
                       const LabelledScatterOptions& options = {});

struct Line {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< x, y; those that are not finite leave a gap
};

struct LineChartOptions {
  std::string title = {};
  std::string x_label = {}, y_label = {};
  double width = 460, height = 280;
};

/// Lines over a common x axis, each named at its end.
Panel line_chart(const std::vector<Line>& lines, const LineChartOptions& options = {});
/// The values named `keys` of a metrics file (one JSON object a line, as `--metrics` writes it) over its epochs; an
/// error if the file has none.
Panel metrics_chart(const std::string& path, const std::vector<std::string>& keys,
                    const LineChartOptions& options = {});

}  // namespace percale::picture
