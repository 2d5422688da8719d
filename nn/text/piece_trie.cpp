#include "piece_trie.h"

#include <algorithm>
#include <array>
#include <bit>

namespace percale::language {

/// Lays the trie of sorted pieces into the double array, node by node.
class PieceTrie::Builder {
 public:
  Builder(const std::vector<Entry>& entries, std::vector<Node>& nodes) : entries_(entries), nodes_(nodes) {
    nodes_.clear();
    grow();
    blocks_[0].take(0);  // the root
  }

  void build() {
    std::vector<Range> open = {{0, 0, entries_.size(), 0}};
    while (!open.empty()) {
      const Range range = open.back();
      open.pop_back();
      for (const Range& child : place_children(range)) open.push_back(child);
    }
  }

 private:
  /// The entries that share the first `depth` bytes, which lead to `node`.
  struct Range {
    int32_t node;
    size_t begin, end, depth;
  };
  /// Which of 256 places are taken.
  struct Block {
    std::array<uint64_t, 4> taken{};
    size_t free = 256;

    bool has(size_t at) const { return taken[at / 64] >> at % 64 & 1; }
    void take(size_t at) { taken[at / 64] |= uint64_t{1} << at % 64, --free; }
  };
  /// Blocks in which a place is still looked for; with older ones, the search would take longer than it is
  /// worth.
  static constexpr size_t open_blocks = 16;

  uint8_t byte_of(size_t entry, size_t depth) const { return static_cast<uint8_t>(entries_[entry].piece[depth]); }
  Node& node(int32_t at) { return nodes_[static_cast<size_t>(at)]; }

  void grow() {
    nodes_.resize(nodes_.size() + 256);
    blocks_.emplace_back();
  }

  std::vector<Range> place_children(Range range) {
    std::vector<Range> children;
    if (range.begin < range.end && entries_[range.begin].piece.size() == range.depth)
      node(range.node).id = entries_[range.begin++].id;
    for (size_t begin = range.begin; begin < range.end;) {
      const uint8_t byte = byte_of(begin, range.depth);
      size_t end = begin + 1;
      while (end < range.end && byte_of(end, range.depth) == byte) ++end;
      children.push_back({byte, begin, end, range.depth + 1});
      begin = end;
    }
    if (children.empty()) return children;
    const int32_t base = find_base(children);
    node(range.node).base = base;
    for (Range& child : children) {
      child.node ^= base;
      node(child.node).parent = range.node;
      blocks_[static_cast<size_t>(child.node) / 256].take(static_cast<size_t>(child.node) % 256);
    }
    return children;
  }

  /// A base from which every child's place is free.
  int32_t find_base(const std::vector<Range>& children) {
    const size_t first_byte = static_cast<size_t>(children[0].node);
    for (size_t number = blocks_.size() > open_blocks ? blocks_.size() - open_blocks : 0;; ++number) {
      if (number == blocks_.size()) grow();
      const Block& block = blocks_[number];
      if (block.free < children.size()) continue;
      for (size_t word = 0; word < block.taken.size(); ++word) {
        for (uint64_t free = ~block.taken[word]; free; free &= free - 1) {
          const size_t low = (word * 64 + static_cast<size_t>(std::countr_zero(free))) ^ first_byte;
          const auto fits = [&](const Range& child) { return !block.has(low ^ static_cast<size_t>(child.node)); };
          if (std::all_of(children.begin() + 1, children.end(), fits)) return static_cast<int32_t>(number * 256 + low);
        }
      }
    }
  }

  const std::vector<Entry>& entries_;
  std::vector<Node>& nodes_;
  std::vector<Block> blocks_;
};

PieceTrie::PieceTrie(const std::vector<Entry>& entries, std::string_view prefix) {
  Builder(entries, nodes_).build();
  continuing_ = 0;
  for (char byte : prefix)
    if (continuing_ >= 0) continuing_ = step(continuing_, static_cast<uint8_t>(byte));
}

int32_t PieceTrie::find(std::string_view piece) const {
  int32_t node = 0;
  for (char byte : piece)
    if (node >= 0) node = step(node, static_cast<uint8_t>(byte));
  return node < 0 ? -1 : nodes_[static_cast<size_t>(node)].id;
}

}  // namespace percale::language
