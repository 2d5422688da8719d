#include "metrics.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "../../core/error.h"
#include "../../core/io/file.h"

namespace percale::train {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json object_of(const Metrics& fields) {
  Json object = Json::object();
  for (const auto& [name, value] : fields) object[name] = Json::parse(value.json());
  return object;
}

Json parse_object(const std::string& text) {
  Json object = Json::parse(text, nullptr, false);
  require(object.is_object(), "metrics", "expected a JSON object, found {}", io::shown(text));
  return object;
}

Json with_final(const Json& object) {
  Json line = {{"final", true}};
  line.update(object);
  return line;
}

/// The lines of `path` that a run keeps which goes on after `epochs_done` epochs.
std::string kept_lines(const std::string& path, int64_t epochs_done) {
  const std::string text = io::read_file(path);
  std::string kept;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;  // broken off
    const std::string line = text.substr(begin, end + 1 - begin);
    const Json object = Json::parse(line, nullptr, false);
    begin = end + 1;
    if (!object.is_object() || object.contains("final")) continue;
    const auto epoch = object.find("epoch");
    if (epoch == object.end() || !epoch->is_number() || epoch->get<double>() <= static_cast<double>(epochs_done))
      kept += line;
  }
  return kept;
}

}  // namespace

MetricValue::MetricValue(double value) : json_(Json(value).dump()) {}
MetricValue::MetricValue(const std::string& text) : json_(dump(text)) {}
MetricValue::MetricValue(const std::vector<double>& values) : json_(Json(values).dump()) {}
MetricValue::MetricValue(const Metrics& fields) : json_(dump(object_of(fields))) {}

MetricsFile::MetricsFile(const std::string& path, int64_t epochs_done) : path_(path) {
  struct stat status;
  const bool is_old = epochs_done > 0 && stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
  if (is_old) io::write_file(path, kept_lines(path, epochs_done));
  descriptor_ = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (is_old ? 0 : O_TRUNC), 0666);
  if (descriptor_ < 0) fail("metrics", "{}: cannot be written: {}", {path, std::strerror(errno)});
}

MetricsFile::~MetricsFile() { close(descriptor_); }

void MetricsFile::append(const Metrics& fields) { write_line(dump(object_of(fields))); }
void MetricsFile::finish(const Metrics& fields) { write_line(dump(with_final(object_of(fields)))); }
void MetricsFile::append_json(const std::string& object) { write_line(dump(parse_object(object))); }
void MetricsFile::finish_json(const std::string& object) { write_line(dump(with_final(parse_object(object)))); }

void MetricsFile::write_line(std::string line) {
  line += '\n';
  for (size_t done = 0; done < line.size();) {
    const ssize_t count = write(descriptor_, line.data() + done, line.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("metrics", "{}: cannot be written: {}", {path_, std::strerror(errno)});
    done += static_cast<size_t>(count);
  }
}

}  // namespace percale::train
