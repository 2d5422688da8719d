#include "gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "../error.h"

namespace percale::io {

struct UnpackingReader::Inflater {
  z_stream stream{};
  std::array<uint8_t, 65536> input;
  bool at_start_of_member = true;
  bool first_member = true;

  Inflater() { require(inflateInit2(&stream, 15 + 16) == Z_OK, "gzip", "there is no memory for unpacking"); }
  ~Inflater() { inflateEnd(&stream); }
};

UnpackingReader::UnpackingReader(const Source& source) : source_(source) {
  uint8_t start[2] = {};
  if (source.size() >= sizeof start) source.read_at(0, start, sizeof start);
  if (start[0] == 0x1f && start[1] == 0x8b) inflater_ = std::make_unique<Inflater>();
}

UnpackingReader::~UnpackingReader() = default;

uint64_t UnpackingReader::most_bytes() const { return is_packed() ? source_.size() * 1032 : source_.size(); }

size_t UnpackingReader::read(void* target, size_t count) {
  if (is_packed()) return unpack(target, count);
  count = static_cast<size_t>(std::min<uint64_t>(count, source_.size() - position_));
  source_.read_at(position_, target, count);
  position_ += count;
  return count;
}

size_t UnpackingReader::unpack(void* target, size_t count) {
  z_stream& stream = inflater_->stream;
  size_t done = 0;
  while (done < count) {
    if (stream.avail_in == 0) {
      const size_t more = std::min<uint64_t>(inflater_->input.size(), source_.size() - position_);
      if (more == 0 && inflater_->at_start_of_member) break;
      require(more > 0, "gzip", "{}: expected more gzip data, found the end after {} bytes: the file is truncated",
              source_.name(), source_.size());
      source_.read_at(position_, inflater_->input.data(), more);
      position_ += more;
      stream.next_in = inflater_->input.data();
      stream.avail_in = static_cast<uInt>(more);
    }
    const auto room = static_cast<uInt>(std::min<size_t>(count - done, 1u << 30));
    stream.next_out = static_cast<uint8_t*>(target) + done;
    stream.avail_out = room;
    const bool trailing = inflater_->at_start_of_member && !inflater_->first_member;
    inflater_->at_start_of_member = false;
    const int status = inflate(&stream, Z_NO_FLUSH);
    done += room - stream.avail_out;
    if (status == Z_STREAM_END) {
      inflateReset(&stream);
      inflater_->at_start_of_member = true;
      inflater_->first_member = false;
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      const char* reason = stream.msg ? stream.msg : "it needs a dictionary";
      if (trailing) reason = "other bytes follow its end";
      fail("gzip", "{}: expected valid gzip data, found that {} (before byte {})",
           {source_.name(), reason, text(position_)});
    }
  }
  return done;
}

}  // namespace percale::io
