#include "program.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <new>

#include "report.h"

namespace percale::apps {
namespace {

/// The help: a line a flag, grouped, with what it is unless given.
class Help : public CLI::Formatter {
 public:
  explicit Help(std::string example) : example_(std::move(example)) {}

  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode) const override {
    const auto positional = app->get_options([](const CLI::Option* option) { return option->get_positional(); });
    std::string text = app->get_description() + "\n\nusage: " + (name.empty() ? app->get_name() : name) + " [FLAGS]";
    for (const CLI::Option* word : positional) text += " [" + word->get_name() + "...]";
    text += "\n";
    for (const CLI::Option* word : positional) text += line(word->get_name(), word->get_description());
    for (const std::string& group : app->get_groups()) {
      const auto options =
          app->get_options([&](const CLI::Option* o) { return o->get_group() == group && o->nonpositional(); });
      if (!options.empty()) text += "\n" + group + ":\n";
      for (const CLI::Option* option : options)
        text += line(option->get_name(false, true) + (option->get_type_size() ? " " + option->get_type_name() : ""),
                     option->get_description() +
                         (option->get_default_str().empty() ? "" : " [" + option->get_default_str() + "]"));
    }
    return text + "\nexample:\n  " + example_ + "\n";
  }

 private:
  static std::string line(const std::string& left, const std::string& right) {
    constexpr size_t width = 30;
    return "  " + left +
           (left.size() < width ? std::string(width - left.size(), ' ') : "\n" + std::string(width + 2, ' ')) + right +
           "\n";
  }

  std::string example_;
};

template <class Number>
Number parse_number(const std::string& flag, const std::string& given, Number least, Number most) {
  Number value{};
  const char* end = given.data() + given.size();
  const auto [stop, error] = std::from_chars(given.data(), end, value);
  const char* kind = std::is_integral_v<Number> ? "a whole number" : "a number";
  if (error != std::errc() || stop != end || given.empty())
    throw CLI::ValidationError(flag + ": expected " + kind + ", got '" + given + "'");
  if (!(value >= least && value <= most)) {
    std::string range = "at least " + text(least);
    if (most != std::numeric_limits<Number>::max() && most < static_cast<Number>(1e300))
      range += " and at most " + text(most);
    throw CLI::ValidationError(flag + ": must be " + range + ", got " + given);
  }
  return value;
}

std::string short_text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%g", value);
  return buffer;
}

bool colours(int descriptor) {
  const char* no_colour = std::getenv("NO_COLOR");
  return isatty(descriptor) && !(no_colour && *no_colour);
}

std::string one_line(std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  return message;
}

std::string describe_device(const Settings& settings, bool automatic) {
  if (settings.device.is_cuda()) return "on " + text(settings.device) + ", " + text(settings.precision);
  std::string line = "on the CPU, " + std::to_string(settings.threads) +
                     (settings.threads == 1 ? " thread, " : " threads, ") + text(settings.precision);
  return automatic ? line + " (" + reason_without_cuda() + ")" : line;
}

}  // namespace

struct Program::State {
  std::string name;
  CLI::App app;
  Settings settings;
  std::string device = "auto", precision = "fp32", graph, profile;
  int64_t seed = 0, threads = 0;
  bool help = false, version = false, info = false, trains = false;
  std::string group = "flags";
  std::optional<PrecisionGuard> precision_guard;
  std::function<void(const Settings&)> check = {};

  State(std::string program, std::string summary) : name(std::move(program)), app(std::move(summary), name) {}

  CLI::Option* add(const std::string& flag, const std::string& help, const std::string& kind,
                   const std::string& fallback, std::function<void(const std::string&)> parse) {
    return app.add_option_function<std::string>(flag, parse, help)
        ->type_name(kind)
        ->default_str(fallback)
        ->group(group)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }

  [[noreturn]] static void refuse_choice(const std::string& flag, const std::string& given,
                                         const std::vector<std::string>& choices) {
    std::string list;
    for (const std::string& choice : choices) list += (list.empty() ? "" : ", ") + choice;
    const std::string meant = nearest(given, choices);
    throw CLI::ValidationError(flag + ": '" + given + "' is not one of " + list +
                               (meant.empty() ? "" : "; did you mean " + meant + "?"));
  }

  /// What CLI11 has left over: a flag that there is not, or a word too many.
  void refuse_rest() const {
    const auto rest = app.remaining();
    if (rest.empty()) return;
    const std::string given = rest[0].substr(0, rest[0].find('='));
    if (given.empty() || given[0] != '-') throw UsageError("unexpected argument '" + rest[0] + "'");
    std::vector<std::string> known;
    for (const CLI::Option* option : app.get_options()) known.push_back(option->get_name());
    const std::string meant = nearest(given, known);
    throw UsageError("unknown flag " + given + (meant.empty() ? "" : "; did you mean " + meant + "?"));
  }

  void check_combinations() const {
    if (settings.checkpoint.empty() && settings.checkpoint_every > 0)
      throw UsageError("--checkpoint-every needs --checkpoint FILE");
    if (settings.checkpoint.empty() && settings.resume) throw UsageError("--resume needs --checkpoint FILE");
    if (settings.resume && !settings.load.empty())
      throw UsageError("--resume and --load both say where the weights come from; give one");
  }

  void parse_profile() {
    if (profile.empty()) return;
    const size_t colon = profile.find(':');
    if (colon == std::string::npos)
      throw CLI::ValidationError("--profile: expected FIRST:LAST such as 100:120, got '" + profile + "'");
    const int64_t first = parse_number<int64_t>("--profile", profile.substr(0, colon), 0, INT64_MAX);
    const int64_t last = parse_number<int64_t>("--profile", profile.substr(colon + 1), first + 1, INT64_MAX);
    settings.profile = {first, last};
  }

  /// What cannot be read or written is better known before the work than after it.
  void check_files() const {
    if (!settings.load.empty() && access(settings.load.c_str(), R_OK) != 0)
      throw Error("--load " + settings.load + ": " + std::strerror(errno));
    for (const auto& [flag, path] : {std::pair{"--save", settings.save},
                                     {"--checkpoint", settings.checkpoint},
                                     {"--metrics", settings.metrics},
                                     {"--picture", settings.picture},
                                     {"--trace", settings.trace}})
      if (!path.empty()) require_writable(flag, path);
  }

  /// Device, threads, precision and seed, as the flags ask.
  void prepare() {
    check_files();
    const bool automatic = device == "auto";
    settings.device = automatic ? (cuda_available() ? cuda_device : cpu_device) : parse_device(device);
    if (settings.device.is_cuda() && !cuda_available())
      throw Error("--device " + device + ": " + reason_without_cuda() + "; --device cpu computes without");
    if (threads > 0) cpu::set_num_threads(static_cast<int>(threads));
    settings.threads = cpu::num_threads();
    settings.precision = precision == "int8"   ? Precision::int8
                         : precision == "bf16" ? Precision::bf16
                         : precision == "tf32" ? Precision::tf32
                                               : Precision::fp32;
    settings.seed = static_cast<uint64_t>(seed);
    manual_seed(settings.seed);
    settings.graph = graph.empty() ? settings.device.is_cuda() && !settings.profile : graph == "on";
    precision_guard.emplace(settings.precision, settings.device);
    settings.where = describe_device(settings, automatic && settings.device.is_cpu());
    if (settings.profile && graph.empty() && settings.device.is_cuda())
      settings.where +=
          "; --profile runs steps eagerly, so that each operation is seen (--graph on profiles the graph)";
  }

  int complain(const std::string& message, int code) const {
    std::cout.flush();
    const bool coloured = colours(2);
    std::fprintf(stderr, "%s%s:%s %s%s\n", coloured ? "\033[31m" : "", name.c_str(), coloured ? "\033[0m" : "",
                 one_line(message).c_str(), code == 2 ? (" (see " + name + " --help)").c_str() : "");
    return code;
  }

  int work(const std::function<void(const Settings&)>& body) {
    prepare();
    const bool timeline = (!settings.trace.empty() || settings.profile_table) && !settings.profile;
    if (timeline) start_timeline();
    int code = 0;
    try {
      body(settings);
    } catch (const Interrupted& stop) {
      code = 128 + stop.signal;
    }
    if (timeline) report_timeline(settings, stop_timeline());
    std::cout.flush();
    if (!std::cout)
      throw Error("standard output: cannot be written: " + std::string(std::strerror(errno ? errno : EIO)));
    return code;
  }
};

Program::Program(std::string name, std::string summary, std::string example)
    : state_(std::make_unique<State>(std::move(name), std::move(summary))) {
  CLI::App& app = state_->app;
  app.set_help_flag("");
  app.allow_extras();
  app.formatter(std::make_shared<Help>(std::move(example)));
}

Program::~Program() = default;

void Program::option(const std::string& flag, int64_t& value, const std::string& help, int64_t least, int64_t most) {
  state_->add(flag, help, "N", std::to_string(value),
              [=, &value](const std::string& given) { value = parse_number(flag, given, least, most); });
}

void Program::option(const std::string& flag, double& value, const std::string& help, double least, double most) {
  state_->add(flag, help, "X", short_text(value),
              [=, &value](const std::string& given) { value = parse_number(flag, given, least, most); });
}

void Program::option(const std::string& flag, std::optional<int64_t>& value, const std::string& help, int64_t least,
                     int64_t most) {
  state_->add(flag, help, "N", "",
              [=, &value](const std::string& given) { value = parse_number(flag, given, least, most); });
}

void Program::option(const std::string& flag, std::optional<double>& value, const std::string& help, double least,
                     double most) {
  state_->add(flag, help, "X", "",
              [=, &value](const std::string& given) { value = parse_number(flag, given, least, most); });
}

void Program::option(const std::string& flag, std::string& value, const std::string& help, const std::string& kind) {
  state_->add(flag, help, kind, value, [=, &value](const std::string& given) {
    if (given.empty()) throw CLI::ValidationError(flag + ": the value is empty");
    value = given;
  });
}

void Program::option(const std::string& flag, std::vector<std::string>& values, const std::string& help,
                     const std::string& kind) {
  state_->app.add_option(flag, values, help)->type_name(kind)->group(state_->group)->expected(1, 1 << 20);
}

void Program::choice(const std::string& flag, std::string& value, const std::string& help,
                     std::vector<std::string> choices) {
  std::string kind;
  for (const std::string& choice : choices) kind += (kind.empty() ? "" : "|") + choice;
  state_->add(flag, help, kind, value, [=, &value](const std::string& given) {
    if (!std::count(choices.begin(), choices.end(), given)) State::refuse_choice(flag, given, choices);
    value = given;
  });
}

void Program::flag(const std::string& flag, bool& value, const std::string& help) {
  state_->app.add_flag(flag, value, help)->group(state_->group)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void Program::words(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  state_->app.add_option(name, values, help);
}

void Program::check(std::function<void(const Settings&)> flags) { state_->check = std::move(flags); }

void Program::training_flags() {
  State& state = *state_;
  Settings& settings = state.settings;
  state.trains = true;
  const std::string group = std::exchange(state.group, "files");
  option("--save", settings.save, "write the weights there (safetensors, as PyTorch names them)", "FILE");
  option("--load", settings.load, "begin with these weights", "FILE");
  option("--checkpoint", settings.checkpoint, "write there what --resume needs, at the end and when interrupted",
         "FILE");
  option("--checkpoint-every", settings.checkpoint_every, "and after each so many steps");
  flag("--resume", settings.resume, "go on where the checkpoint stopped; the result is that of an uninterrupted run");
  option("--metrics", settings.metrics, "write one JSON object an epoch", "FILE");
  option("--picture", settings.picture, "draw what was learnt (PNG)", "FILE");
  state.group = group;
}

int Program::run(int argc, char** argv, const std::function<void(const Settings&)>& body) {
  State& state = *state_;
  Settings& settings = state.settings;
  state.group = "device";
  choice("--device", state.device, "where to compute; auto: the GPU if there is one", {"auto", "cpu", "cuda"});
  choice("--precision", state.precision, "of products and convolutions; int8: linear layers without gradients",
         {"fp32", "tf32", "bf16", "int8"});
  option("--seed", state.seed, "the same seed gives the same bytes");
  option("--threads", state.threads, "threads on the CPU; 0: all processors", 0, 1024);
  if (state.trains)
    choice("--graph", state.graph, "replay the whole step as one CUDA graph (default: on)", {"on", "off"});
  state.group = "looking inside";
  flag("--quiet", settings.quiet, "print results alone");
  option("--trace", settings.trace, "write a timeline for https://ui.perfetto.dev", "FILE");
  flag("--profile-table", settings.profile_table, "print the time of each operation");
  if (state.trains)
    option("--profile", state.profile, "trace only these steps, and show them to nsys -c cudaProfilerApi",
           "FIRST:LAST");
  flag("--info", state.info, "print what this machine and this build have, and stop");
  flag("--version", state.version, "print the version, and stop");
  flag("-h,--help", state.help, "print this, and stop");
  try {
    state.app.parse(argc, argv);
    if (state.help) {
      std::cout << state.app.help();
    } else if (state.version) {
      std::cout << state.name << ' ' << version() << (has_cuda ? " (CPU and CUDA)" : " (CPU)") << '\n';
    } else if (state.info) {
      std::cout << machine_text();
    } else {
      state.refuse_rest();
      state.parse_profile();
      state.check_combinations();
      if (state.check) state.check(settings);
      return state.work(body);
    }
    return std::cout.flush() ? 0 : state.complain("standard output cannot be written", 1);
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string message = error.what();
    return state.complain(message.substr(0, message.find(':')) + " needs a value", 2);
  } catch (const CLI::ParseError& error) {
    return state.complain(error.what(), 2);
  } catch (const UsageError& error) {
    return state.complain(error.what(), 2);
  } catch (const std::bad_alloc&) {
    return state.complain("out of memory", 1);
  } catch (const std::exception& error) {
    return state.complain(error.what(), 1);
  }
}

void require_writable(const std::string& flag, const std::string& path) {
  const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
  if (std::filesystem::is_directory(path)) throw Error(flag + " " + path + ": is a folder; name a file");
  if (!std::filesystem::is_directory(folder))
    throw Error(flag + " " + path + ": there is no folder " + folder.string());
  if (access(folder.c_str(), W_OK) != 0)
    throw Error(flag + " " + path + ": the folder " + folder.string() + " is not writable");
}

void note(const Settings& settings, const std::string& line) {
  if (settings.quiet) return;
  std::cout.flush();
  std::fprintf(stderr, "%s\n", one_line(line).c_str());
}

void note_truncated(int64_t truncated, size_t texts, int64_t most, const Settings& settings) {
  if (truncated > 0)
    note(settings, std::to_string(truncated) + " of " + std::to_string(texts) + " texts: cut to " +
                       std::to_string(most) + " tokens (--no-truncate makes it an error)");
}

}  // namespace percale::apps
