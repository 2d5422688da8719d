#include "peers.h"

#include <percale/core/error.h>
#include <percale/core/io/file.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

namespace percale::bench {
namespace {

bool is_variant(const std::string& word) {
  constexpr const char* variants[] = {"eager",      "channels_last", "fused", "compiled",
                                      "contiguous", "jemalloc",      "graph", "plain"};
  return std::find(std::begin(variants), std::end(variants), word) != std::end(variants);
}

}  // namespace

std::string case_without_variant(const std::string& name) {
  std::istringstream words(name);
  std::string result;
  for (std::string word; std::getline(words, word, '.');) {
    if (is_variant(word)) continue;
    if (!result.empty()) result += '.';
    result += word;
  }
  return result;
}

std::map<std::string, PeerTiming> read_peers(const std::string& path) {
  std::map<std::string, PeerTiming> peers;
  std::istringstream lines(io::read_file(path));
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto row = nlohmann::json::parse(line, nullptr, false);
    require(row.is_object(), "compare", "{}: line {} is not a JSON object: {}", path, number, line.substr(0, 60));
    if (!row.contains("case") || !row["case"].is_string()) continue;
    const char* unit = row.contains("ms") ? "ms" : "us";
    if (!row.contains(unit) || !row[unit].is_number()) continue;
    const double milliseconds = row[unit].get<double>() * (unit[0] == 'm' ? 1 : 1e-3);
    const std::string name = row["case"].get<std::string>(), plain = case_without_variant(name);
    PeerTiming& peer = peers[plain];
    if (name == plain) peer.plain = std::min(peer.plain.value_or(milliseconds), milliseconds);
    if (peer.best != 0 && milliseconds >= peer.best) continue;
    peer.best = milliseconds;
    peer.how = name == plain ? std::string() : name.substr(std::min(name.size(), plain.size() + 1));
  }
  return peers;
}

}  // namespace percale::bench
