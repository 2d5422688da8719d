// What a run measures, one JSON object a line: as it goes on, and in a last line that says all.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace percale::train {

/// A JSON value: a number (one that is not finite becomes null), a boolean, a text, a list of numbers or an object.
class MetricValue {
 public:
  MetricValue(double value);
  template <std::integral T>
  MetricValue(T value) : json_(std::to_string(value)) {}
  MetricValue(bool value) : json_(value ? "true" : "false") {}
  MetricValue(const std::string& text);
  MetricValue(const char* text) : MetricValue(std::string(text)) {}
  MetricValue(const std::vector<double>& values);
  MetricValue(const std::vector<std::pair<std::string, MetricValue>>& fields);

  const std::string& json() const { return json_; }

 private:
  std::string json_;
};

using Metrics = std::vector<std::pair<std::string, MetricValue>>;

/// A file of JSON lines. A line is in the file once `append` has returned, whatever becomes of the program; the last
/// one has `"final": true`. Errors (a full disk) name the file.
class MetricsFile {
 public:
  /// Begins the file anew; or, for a run that goes on, keeps the lines of epochs 1 to `epochs_done` and drops the rest
  /// (a final line, one that was broken off), so that no epoch is there twice.
  explicit MetricsFile(const std::string& path, int64_t epochs_done = 0);
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;

  /// `{"epoch":1,"loss":0.25}`
  void append(const Metrics& fields);
  /// The last line, with `"final":true` in front.
  void finish(const Metrics& fields);
  /// As above, with the fields as the text of a JSON object.
  void append_json(const std::string& object);
  void finish_json(const std::string& object);

 private:
  void write_line(std::string line);

  std::string path_;
  int descriptor_ = -1;
};

}  // namespace percale::train
