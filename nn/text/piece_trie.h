// The pieces that words are cut into, and the greedy cut.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace percale::language {

/// Pieces and their ids, as a trie in a double array (Aoe, 1989): a step for each byte, a table of a few hundred KB.
/// Immutable after construction, so safe to read from many threads.
class PieceTrie {
 public:
  struct Entry {
    std::string_view piece;
    int32_t id;
  };
  PieceTrie() = default;
  /// `entries` are valid UTF-8, in the order of their bytes, none twice. A piece that continues a word begins with
  /// `prefix`.
  PieceTrie(const std::vector<Entry>& entries, std::string_view prefix);

  /// The id of a whole piece; -1 if there is none.
  int32_t find(std::string_view piece) const;
  /// The longest piece that `word` begins with (from `at` on; continuing ones if `at` is not 0): its end and id.
  /// Without one, an id of -1.
  struct Match {
    size_t end;
    int32_t id;
  };
  Match longest(std::string_view word, size_t at) const {
    int32_t node = at ? continuing_ : 0;
    Match match{at, -1};
    while (node >= 0 && at < word.size()) {
      node = step(node, static_cast<uint8_t>(word[at++]));
      if (node >= 0 && nodes_[static_cast<size_t>(node)].id >= 0) match = {at, nodes_[static_cast<size_t>(node)].id};
    }
    return match;
  }

 private:
  struct Node {
    int32_t base = 0;  ///< the child by byte b stands at base ^ b, if that child's parent is this
    int32_t parent = -1;
    int32_t id = -1;
  };
  class Builder;

  int32_t step(int32_t node, uint8_t byte) const {
    const int32_t child = nodes_[static_cast<size_t>(node)].base ^ byte;
    return nodes_[static_cast<size_t>(child)].parent == node ? child : -1;
  }

  std::vector<Node> nodes_ = std::vector<Node>(256);
  int32_t continuing_ = -1;  ///< where the prefix leads
};

}  // namespace percale::language
