// A few columns of a table as pandas prints a DataFrame.
#pragma once

#include <percale/percale.h>

#include <string>
#include <vector>

namespace percale::apps {

struct FrameColumn {
  std::string name;
  std::vector<std::string> fields;
  bool is_number = false;  ///< whole numbers; pandas leaves them room for a sign
};

/// What `print(df)` shows: all rows, or the first and last five of more than 60.
std::string frame_text(const std::vector<FrameColumn>& columns);

/// A column and, beside it, its codes: `category` and `category_index`.
std::vector<FrameColumn> with_codes(const data::TextColumn& column, const data::Categories& categories);

/// A name as pictures show it: on one line, cut after 28 characters.
std::string short_name(const std::string& name);

}  // namespace percale::apps
