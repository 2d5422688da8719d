// word2vec's two formats, both ways, and the words beside a safetensors or npy file.
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <memory>

#include "../../core/error.h"
#include "../../core/io/file.h"
#include "../../core/io/npy.h"
#include "../../core/io/safetensors.h"
#include "../../kernels/fill/fill.h"
#include "word2vec_file.h"

namespace percale::language {
namespace {

constexpr size_t longest_entry = 10'000;  // bytes of a word in a file

/// A file read from front to back through one buffer.
class Reader {
 public:
  explicit Reader(const io::Source& source) : source_(source) {}

  const std::string& name() const { return source_.name(); }
  uint64_t left() const { return source_.size() - done_ + (end_ - at_); }
  bool at_end() { return at_ == end_ && !fill(); }
  char peek() { return at_end() ? '\0' : buffer_[at_]; }
  void skip() { ++at_; }

  /// Up to one of `ends`, which is skipped too; an error after `most` bytes or at the end of the file.
  std::string until(std::string_view ends, size_t most, const std::string& expected) {
    std::string text;
    while (true) {
      require(!at_end(), "word_vectors", "{}: expected {}, found the end", name(), expected);
      const char next = buffer_[at_++];
      if (ends.find(next) != std::string_view::npos) return text;
      text += next;
      require(text.size() <= most, "word_vectors", "{}: expected {}, found {}", name(), expected, io::shown(text));
    }
  }

  void read(void* to, size_t count) {
    const size_t here = std::min(count, end_ - at_);
    std::memcpy(to, buffer_.get() + at_, here);
    at_ += here;
    if (here == count) return;
    source_.read_at(done_, static_cast<char*>(to) + here, count - here);  // an error where the file is shorter
    done_ += count - here;
  }

 private:
  static constexpr size_t capacity = size_t{1} << 20;

  bool fill() {
    at_ = 0;
    end_ = static_cast<size_t>(std::min<uint64_t>(capacity, source_.size() - done_));
    if (end_) source_.read_at(done_, buffer_.get(), end_);
    done_ += end_;
    return end_ > 0;
  }

  const io::Source& source_;
  std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(capacity);
  uint64_t done_ = 0;
  size_t at_ = 0, end_ = 0;
};

template <class Number>
bool parse(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::string of_word(const std::string& word, int64_t row) {
  return io::shown(word) + " (word " + std::to_string(row) + ")";
}

/// The numbers of a line of the text format; false if it is none.
bool parse_row(std::string_view line, float* row, int64_t width) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
  for (int64_t i = 0; i < width; ++i) {
    const size_t end = std::min(line.find(' '), line.size());
    if (!parse(line.substr(0, end), row[i])) return false;
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return line.empty();
}

/// Binary unless the first word's line is what a line of the text format must be.
bool is_text(const io::Source& source, uint64_t begin, int64_t width) {
  const auto most =
      static_cast<size_t>(std::min<uint64_t>(source.size() - begin, longest_entry + 64 * static_cast<uint64_t>(width)));
  std::string start(most, '\0');
  source.read_at(begin, start.data(), most);
  const std::string_view line = std::string_view(start).substr(0, start.find('\n'));
  const size_t gap = line.find(' ');
  std::vector<float> row(static_cast<size_t>(width));
  return gap != std::string_view::npos && parse_row(line.substr(gap + 1), row.data(), width);
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string joined_lines(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + '\n';
  return text;
}

WordVectors load_safetensors_vectors(const std::string& path) {
  const io::Safetensors file = io::load_safetensors(path);
  const Tensor vectors = file.find("vectors"), words = file.find("words");
  require(vectors.defined() && words.defined() && words.dtype() == u8, "word_vectors",
          "{}: expected tensors `vectors` and `words` (u8)", path);
  std::vector<std::string> lines =
      split_lines(std::string(static_cast<const char*>(words.data()), static_cast<size_t>(words.numel())));
  const Tensor used = file.find("subwords"), pieces = file.find("subword_vectors");
  if (!used.defined()) return WordVectors(std::move(lines), vectors);
  const Tensor options = file.find("subword_options");
  require(pieces.defined() && options.defined() && used.dtype() == i32 && used.rank() == 1 && options.dtype() == i64 &&
              options.numel() == 3,
          "word_vectors", "{}: expected `subword_vectors`, `subword_options` (3 of i64) and `subwords` (i32)", path);
  const int64_t* option = options.data<int64_t>();
  const int32_t* bucket = used.data<int32_t>();
  return {std::move(lines), vectors,
          Subwords({.least = option[0], .most = option[1], .buckets = option[2]}, {bucket, bucket + used.numel()}),
          pieces};
}

std::string ending_of(const std::string& path) { return std::filesystem::path(path).extension().string(); }

void save_word2vec(const std::string& path, const WordVectors& vectors, bool text) {
  const int64_t width = vectors.width();
  const float* numbers = vectors.vectors().data<float>();
  io::AtomicFile file(path);
  std::string piece = std::to_string(vectors.size()) + ' ' + std::to_string(width) + '\n';
  std::array<char, 32> digits;
  for (const std::string& word : vectors.words()) {
    piece += word;
    if (!text)
      piece.append(1, ' ').append(reinterpret_cast<const char*>(numbers), static_cast<size_t>(width) * sizeof(float));
    for (int64_t i = 0; text && i < width; ++i) {
      const auto [end, error] = std::to_chars(digits.begin(), digits.end(), numbers[i]);
      piece.append(1, ' ').append(digits.data(), static_cast<size_t>(end - digits.data()));
    }
    piece += '\n';
    numbers += width;
    if (piece.size() < size_t{1} << 20) continue;
    file.write(piece);
    piece.clear();
  }
  file.write(piece);
  file.commit();
}

}  // namespace

WordRows read_word2vec(const io::Source& source) {
  Reader reader(source);
  const std::string header = reader.until("\n", 100, "a header `WORDS WIDTH`");
  const size_t gap = header.find(' ');
  int64_t count = 0, width = 0;
  std::string_view second = std::string_view(header).substr(std::min(gap + 1, header.size()));
  while (!second.empty() && (second.back() == '\r' || second.back() == ' ')) second.remove_suffix(1);
  require(gap != std::string::npos && parse(std::string_view(header).substr(0, gap), count) && parse(second, width) &&
              count > 0 && width > 0,
          "word_vectors", "{}: expected a header `WORDS WIDTH`, found {}", source.name(), io::shown(header));
  require(count < int64_t{1} << 31 && width <= 1 << 20 && static_cast<uint64_t>(width) <= source.size(), "word_vectors",
          "{}: the header says {} words of {} numbers, which {} bytes cannot hold", source.name(), count, width,
          source.size());
  const bool text = is_text(source, header.size() + 1, width);
  const uint64_t least = text ? 2 * static_cast<uint64_t>(width) + 1 : 4 * static_cast<uint64_t>(width) + 2;
  require(static_cast<uint64_t>(count) <= (reader.left() + 1) / least, "word_vectors",
          "{}: the header says {} words of {} numbers, which {} bytes cannot hold", source.name(), count, width,
          source.size());
  std::vector<std::string> words;
  words.reserve(static_cast<size_t>(count));
  const Tensor vectors = Tensor::empty({count, width});
  for (int64_t row = 0; row < count; ++row) {
    float* numbers = vectors.data<float>() + row * width;
    while (reader.peek() == '\n') reader.skip();  // word2vec's own program ends each vector with one, gensim does not
    words.push_back(reader.until(" ", longest_entry, "word " + std::to_string(row) + " of " + std::to_string(count)));
    if (text) {
      const std::string line =
          reader.at_end() ? ""
                          : reader.until("\n", 64 * static_cast<size_t>(width), std::to_string(width) + " numbers");
      require(parse_row(line, numbers, width), "word_vectors", "{}: expected {} numbers behind {}, found {}",
              source.name(), width, of_word(words.back(), row), io::shown(line));
    } else {
      require(reader.left() >= 4 * static_cast<uint64_t>(width), "word_vectors",
              "{}: expected {} numbers behind {}, found the end", source.name(), width, of_word(words.back(), row));
      reader.read(numbers, 4 * static_cast<size_t>(width));
    }
  }
  while (reader.peek() == '\n') reader.skip();
  require(reader.at_end(), "word_vectors", "{}: expected the end after {} words, found more", source.name(), count);
  return {std::move(words), vectors};
}

WordVectors load_word2vec(const io::Source& source) {
  WordRows rows = read_word2vec(source);
  return WordVectors(std::move(rows.words), rows.vectors);
}

WordVectors load_word_vectors(const std::string& path) {
  try {
    if (ending_of(path) == ".safetensors") return load_safetensors_vectors(path);
    if (ending_of(path) == ".npy")
      return WordVectors(split_lines(io::read_file(path + ".words.txt")), io::load_npy(path));
    return load_word2vec(io::Source(path));
  } catch (const Error& error) {
    const std::string message = error.what();
    if (message.find(path) != std::string::npos) throw;
    fail("word_vectors", "{}: {}", {path, message.substr(std::min(message.find("] ") + 2, message.size()))});
  }
}

void require_known_ending(const std::string& path) {
  for (const char* known : {".bin", ".txt", ".safetensors", ".npy"})
    if (ending_of(path) == known) return;
  fail("word_vectors", "{}: expected a file .bin or .txt (word2vec's formats), .safetensors or .npy", {path});
}

void save_word_vectors(const std::string& path, const WordVectors& vectors) {
  require_known_ending(path);
  const std::string ending = ending_of(path), words = joined_lines(vectors.words());
  if (ending == ".bin" || ending == ".txt") return save_word2vec(path, vectors, ending == ".txt");
  if (ending == ".npy") {
    io::write_file(path + ".words.txt", words);
    return io::save_npy(path, vectors.vectors());
  }
  const Tensor bytes = Tensor::empty({static_cast<int64_t>(words.size())}, {u8, cpu_device});
  std::memcpy(bytes.data(), words.data(), words.size());
  io::NamedTensors tensors = {{"vectors", vectors.vectors()}, {"words", bytes}};
  if (vectors.pieces().defined()) {
    const SubwordOptions& options = vectors.subwords().options();
    const std::vector<int32_t>& used = vectors.subwords().used();
    tensors.insert(tensors.end(), {{"subwords", from_vector(used, {static_cast<int64_t>(used.size())})},
                                   {"subword_options", tensor({options.least, options.most, options.buckets})},
                                   {"subword_vectors", vectors.pieces()}});
  }
  io::save_safetensors(path, tensors);
}

}  // namespace percale::language
