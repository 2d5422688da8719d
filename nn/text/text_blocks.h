// A text file in blocks that are read on any thread, and the words in them.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "../../core/io/file.h"

namespace percale::language {

/// Words longer than this (in bytes) are none: whoever counts takes them for others.
inline constexpr size_t longest_word = 1000;

/// A file as consecutive blocks of `bytes`. A word belongs to the block in which it begins; words stand between ASCII
/// white space, and a line ends at a line feed.
class TextBlocks {
 public:
  static constexpr uint64_t bytes = uint64_t{1} << 20;

  /// `lower` folds to lower case, letter by letter (Unicode's simple mapping). `source` must outlive this.
  TextBlocks(const io::Source& source, bool lower) : source_(source), lower_(lower) {}

  int64_t count() const { return static_cast<int64_t>((source_.size() + bytes - 1) / bytes); }

  /// One block in memory, for one thread.
  class Block {
   public:
    Block(const TextBlocks& text, int64_t index);

    /// The next word (valid as long as the block), or the end of a line, or the end of the block. An error names file
    /// and byte where the text is not UTF-8 or has a NUL.
    enum class Item { word, overlong_word, line_end, block_end };
    Item next(std::string_view& word);

   private:
    size_t end_of_word(size_t at, bool& plain) const;
    std::string_view checked(std::string_view word);

    const TextBlocks& text_;
    std::unique_ptr<char[]> buffer_, folded_;
    uint64_t offset_ = 0;  ///< of the buffer in the file
    size_t size_ = 0, end_ = 0, position_ = 0, folded_size_ = 0;
  };

 private:
  const io::Source& source_;
  bool lower_;
};

}  // namespace percale::language
