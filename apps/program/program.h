// What every program shares: its flags, the way it words errors, its exit codes, and what an interruption does.
#pragma once

#include <percale/percale.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace percale::apps {

/// The flags that all programs have, as they were given.
struct Settings {
  Device device = cpu_device;
  Precision precision = Precision::fp32;
  uint64_t seed = 0;
  int threads = 1;
  bool graph = false;  ///< capture the step: the default on CUDA
  bool quiet = false;
  std::string where;  ///< device, threads and precision in words, for a note when the work begins
  std::string trace;
  bool profile_table = false;

  // Only where the program trains (Program::training_flags).
  std::string save, load;
  std::string checkpoint;
  int64_t checkpoint_every = 0;
  bool resume = false;
  std::string metrics, picture;
  std::optional<std::pair<int64_t, int64_t>> profile;  ///< the steps from first to below second
};

/// Thrown where a loop stops because the user asked for it (Ctrl-C, kill); `Program::run` turns it into the exit code.
struct Interrupted : std::exception {
  explicit Interrupted(int signal_number) : signal(signal_number) {}
  const char* what() const noexcept override { return "interrupted"; }
  int signal;
};

/// Wrong usage that parsing alone cannot see: exit code 2.
struct UsageError : Error {
  using Error::Error;
};

/// A program's command line and what surrounds its work.
///
///     apps::Program program("mnist_cnn", "Trains the tutorial's CNN.", "mnist_cnn --epochs 5");
///     program.option("--epochs", epochs, "how often to see every image");
///     return program.run(argc, argv, [&](const apps::Settings& settings) { ... });
class Program {
 public:
  Program(std::string name, std::string summary, std::string example);
  ~Program();
  Program(const Program&) = delete;

  /// A flag with a value; what `value` holds now is its default. `least` and `most` bound it.
  void option(const std::string& flag, int64_t& value, const std::string& help, int64_t least = 0,
              int64_t most = INT64_MAX);
  void option(const std::string& flag, double& value, const std::string& help, double least = 0, double most = 1e300);
  /// As above, of a flag whose default depends on others: nothing if it is not given.
  void option(const std::string& flag, std::optional<int64_t>& value, const std::string& help, int64_t least = 0,
              int64_t most = INT64_MAX);
  void option(const std::string& flag, std::optional<double>& value, const std::string& help, double least = 0,
              double most = 1e300);
  /// `kind` names the value in the help: FILE, DIR.
  void option(const std::string& flag, std::string& value, const std::string& help, const std::string& kind);
  /// A flag with one value or more: all that follow up to the next flag.
  void option(const std::string& flag, std::vector<std::string>& values, const std::string& help,
              const std::string& kind);
  /// One of `choices`.
  void choice(const std::string& flag, std::string& value, const std::string& help, std::vector<std::string> choices);
  void flag(const std::string& flag, bool& value, const std::string& help);
  /// Words without a flag.
  void words(const std::string& name, std::vector<std::string>& values, const std::string& help);
  /// --save, --load, --checkpoint, --checkpoint-every, --resume, --metrics, --picture, --graph, --profile.
  void training_flags();

  /// Looks at the flags before anything is done; throws UsageError where they make no sense together.
  void check(std::function<void(const Settings&)> flags);

  /// Reads the command line, prepares device, threads, seed and precision, and calls `body`.
  /// Returns the exit code: 0 done, 1 the input or the environment is at fault, 2 wrong usage, 130 interrupted.
  int run(int argc, char** argv, const std::function<void(const Settings&)>& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// An error that names `flag` unless a file can be written at `path`: better known before the work than after it.
void require_writable(const std::string& flag, const std::string& path);

/// One line on stderr that is no result: where it computes, that it resumes. Silent under --quiet.
void note(const Settings& settings, const std::string& line);

/// One line where `truncated` of so many texts were cut to `most` tokens.
void note_truncated(int64_t truncated, size_t texts, int64_t most, const Settings& settings);

/// The one of `known` that is spelt most like `given`, or empty if none is near.
std::string nearest(const std::string& given, const std::vector<std::string>& known);

}  // namespace percale::apps
