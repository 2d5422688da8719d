// Timings of somebody else's, read from JSON lines: the plain case and the fastest of its variants.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace percale::bench {

struct PeerTiming {
  std::optional<double> plain;  ///< milliseconds of the case as a user first writes it
  double best = 0;              ///< of the fastest variant
  std::string how;              ///< what that variant is: `channels_last.fused`, or empty
};

/// `cnn.b64.channels_last.fused` without the names of ways to do the same work: `cnn.b64`.
std::string case_without_variant(const std::string& name);

/// Reads lines such as {"case":"cnn.b64.fused","ms":12.7}; `us` is taken too. Cases that carry an error are left out;
/// of a case measured several times the fastest counts. Errors: no file, or a line that is not JSON.
std::map<std::string, PeerTiming> read_peers(const std::string& path);

}  // namespace percale::bench
