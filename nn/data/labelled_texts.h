// Texts with a yes or a no each.
#pragma once

#include <string>
#include <vector>

#include "../../core/io/file.h"
#include "../../core/tensor.h"

namespace percale::data {

struct LabelledTexts {
  std::vector<std::string> texts;
  Tensor labels;     ///< i64 [texts]: 1 for yes, 0 for no
  std::string name;  ///< where they come from

  int64_t count() const { return static_cast<int64_t>(texts.size()); }
};

/// The texts of a CSV file with a header. An empty name means the column `text`, else the first one; and the only other
/// column. A label is true or false (in letters of any case), 1 or 0.
/// Errors, beyond read_table's: no such column, or which one is meant is not clear; a label that is none of these, with
/// its line.
LabelledTexts read_labelled_texts(const std::string& path, const std::string& text_column = {},
                                  const std::string& label_column = {});
LabelledTexts read_labelled_texts(const io::Source& source, const std::string& text_column = {},
                                  const std::string& label_column = {});

/// A hundred well-known jokes (yes) and a hundred invented headlines (no), by turns.
LabelledTexts shipped_texts();

}  // namespace percale::data
