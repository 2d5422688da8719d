// A row of the table: what is called, what it costs at least, and how its answer is checked.
#pragma once

#include <percale/percale.h>

#include <functional>
#include <string>
#include <vector>

namespace percale::bench {

/// A case made ready: inputs made, libraries opened.
struct Prepared {
  std::function<void()> call;
  std::function<std::string()> check = {};  ///< after timing: the distance from f64, or what is wrong
  double operations = 0;                    ///< floating-point operations a call, or 0
  double bytes = 0;                         ///< bytes that must move a call, or 0
  double words = 0;                         ///< of a text that are learnt a call, or 0
};

struct Case {
  std::string name;  ///< as peers name the same work
  std::function<Prepared()> prepare;
  std::string skipped = {};  ///< why it cannot run here, if it cannot
};

/// What one case took.
struct Timing {
  double milliseconds = 0;  ///< the median of a call
  int64_t calls = 0;
  double page_faults = 0;         ///< a call
  double system_allocations = 0;  ///< a call: times the caching allocator had to ask the system
};

/// Calls until `seconds` are over: at least five times, after as many calls as it takes until half of `seconds` pass
/// without asking the system for memory. On CUDA ten calls stand between two events' worth of waiting, as the peers
/// measure.
Timing measure(const std::function<void()>& call, Device device, double seconds);

/// What ends a case's name: on CUDA the peers' names say how precisely, cnn.b64.fp32.
std::string precision_suffix(Device device, Precision precision);
/// How far `found` is from f64's `expected`: the worst |difference| over the norm, tensor by tensor.
std::string distance(const Tensors& found, const Tensors& expected, double tolerance);

/// The timing tables of all specs.
std::vector<Case> spec_cases(Device device);
/// Tables of vectors under indices of natural frequencies.
std::vector<Case> embedding_cases(Device device);
/// Steps of word2vec.
std::vector<Case> word_cases(Device device);
/// Steps and forward passes of the models.
std::vector<Case> model_cases(Device device);
/// Encoders of text, with random weights.
std::vector<Case> text_cases(Device device);

}  // namespace percale::bench
