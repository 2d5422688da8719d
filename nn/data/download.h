// Files from the web: from the first mirror that has the right one, resumed where the last attempt stopped.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace percale::data {

struct DownloadOptions {
  /// Told now and then how much of the file is there; `total` is 0 while that is unknown.
  std::function<void(int64_t done, int64_t total)> progress = {};
  /// How long all mirrors together may take to answer before the network counts as absent.
  double patience = 3;
  int64_t most_bytes = 1'000'000'000;
};

/// Makes `path` the file with this checksum, from the first of `addresses` that gives it: 64 digits are a SHA-256, 40
/// the SHA-1 by which git names a file's contents; empty: whatever there is. What has arrived stays in `path`.part if
/// the transfer breaks, and the next attempt goes on from there. libcurl is opened here, on first use. An error that
/// says, for each mirror, why it was not the one; PERCALE_OFFLINE=1 is one of the reasons.
void download(const std::vector<std::string>& addresses, const std::string& path, const std::string& checksum,
              const DownloadOptions& options = {});

/// True unless PERCALE_OFFLINE is set to anything but 0.
bool may_use_network();

}  // namespace percale::data
