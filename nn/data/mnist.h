// MNIST, wherever it is to be had; generated digits where it is not.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "idx.h"

namespace percale::data {

struct MnistOptions {
  /// `--data`: a folder with MNIST's files (plain or .gz), `generated`, or empty: then $PERCALE_DATA (or its mnist/),
  /// the user's cache, a download into that cache, and generated digits at last.
  std::string folder = {};
  uint64_t seed = 0;                                  ///< of generated digits
  int64_t train_count = 60'000, test_count = 10'000;  ///< of generated digits
  /// Takes one-line notices; without it they go to the standard error.
  std::function<void(const std::string&)> notice = {};
  bool progress = true;  ///< of a download, on the standard error, if that is a terminal
  /// Addresses that end in `/`, to which the files' names are appended.
  std::vector<std::string> mirrors = {"https://ossci-datasets.s3.amazonaws.com/mnist/",
                                      "https://storage.googleapis.com/cvdf-datasets/mnist/"};
};

struct Mnist {
  LabelledImages train, test;
  std::string name;  ///< what it was read from: a folder, or `generated`

  bool is_generated() const { return name == "generated"; }
};

/// MNIST's training and test images. An error if `folder` (or $PERCALE_DATA) is given and does not hold them, intact.
/// The network counts as absent after 3 seconds; with PERCALE_OFFLINE=1 it is not tried.
Mnist load_mnist(const MnistOptions& options = {});

}  // namespace percale::data
