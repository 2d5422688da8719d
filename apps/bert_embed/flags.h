// What bert_embed can be asked for.
#pragma once

#include <string>
#include <vector>

#include "../program/program.h"

namespace percale::apps {

struct EmbedFlags {
  std::vector<std::string> texts;
  std::string file, model = "bert-base-uncased", pooling, search, output;
  int64_t layer = -1, reduce = 0, max_length = 0, top = 5;
  bool tokens = false, ids = false, normalize = false, no_truncate = false, similarity = false;

  void add_to(Program& program);
  /// Throws UsageError where flags make no sense together, and an error where a file cannot be read or written.
  void check() const;

  /// A vector a token, not one a text.
  bool shows_tokens() const {
    return pooling == "none" || (pooling.empty() && !similarity && reduce == 0 && search.empty());
  }
  bool only_shows() const { return output.empty() && search.empty() && !similarity; }
};

/// The texts of the command line, or the lines of --file or of the standard input.
std::vector<std::string> read_texts(const EmbedFlags& flags);

}  // namespace percale::apps
