// Times operations and models, beside what the machine could do and beside somebody else's times.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "percale_bench/case.h"
#include "percale_bench/ceilings.h"
#include "percale_bench/peers.h"
#include "program/program.h"

using namespace percale;
using namespace percale::bench;

namespace {

struct Row {
  std::string name;
  Timing timing;
  Bound bound;
  std::string check;
  double words_per_s = 0;  ///< or 0, where none are learnt
};

/// `cnn` and `cnn.b64` name the cases that they are, or begin.
bool is_wanted(const std::string& name, const std::vector<std::string>& wanted) {
  return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](const std::string& word) {
           return name == word || name.starts_with(word + ".");
         });
}

std::vector<Case> chosen_cases(Device device, const std::vector<std::string>& wanted) {
  std::vector<Case> all = model_cases(device), chosen;
  for (Case& one : text_cases(device)) all.push_back(std::move(one));
  for (Case& one : embedding_cases(device)) all.push_back(std::move(one));
  for (Case& one : word_cases(device)) all.push_back(std::move(one));
  for (Case& one : spec_cases(device)) all.push_back(std::move(one));
  std::vector<std::string> names;
  for (const Case& one : all) {
    names.push_back(one.name);
    if (is_wanted(one.name, wanted)) chosen.push_back(one);
  }
  for (const std::string& word : wanted)
    if (std::none_of(names.begin(), names.end(), [&](const std::string& name) { return is_wanted(name, {word}); })) {
      const std::string meant = apps::nearest(word, names);
      throw apps::UsageError("there is no case " + word +
                             (meant.empty() ? "; --list names them" : "; did you mean " + meant + "?"));
    }
  return chosen;
}

/// What people read: a line a case, below the machine's own limits.
class Table {
 public:
  Table(const std::vector<Case>& cases, std::map<std::string, PeerTiming> peers) : peers_(std::move(peers)) {
    for (const Case& one : cases) width_ = std::max(width_, static_cast<int>(one.name.size()));
  }

  void print_head(const Ceilings& ceilings) const {
    std::printf("this machine: ");
    if (ceilings.operations > 0) std::printf("%.0f GFLOP/s of multiply-adds in f32, ", ceilings.operations / 1e9);
    std::printf("copies %.1f GB/s (read + written)", ceilings.copy / 1e9);
    if (ceilings.read > 0) std::printf(", reads %.1f, writes %.1f", ceilings.read / 1e9, ceilings.write / 1e9);
    std::printf("\n\n%-*s %10s %8s %-12s ", width_, "case", "ms", "ceiling", "of");
    if (!peers_.empty()) std::printf("%8s %8s %-22s ", "x plain", "x best", "best peer");
    std::printf("%7s %7s  %s\n", "faults", "system", "against f64");
    std::fflush(stdout);
  }

  void print(const Row& row) const {
    std::printf("%-*s %10.4f ", width_, row.name.c_str(), row.timing.milliseconds);
    if (row.bound.milliseconds > 0)
      std::printf("%6.1f %% %-12s ", 100 * row.bound.milliseconds / row.timing.milliseconds, row.bound.by);
    else
      std::printf("%8s %-12s ", "-", "");
    if (!peers_.empty()) print_peer(row);
    std::printf("%7.2f %7.2f  %s", row.timing.page_faults, row.timing.system_allocations, row.check.c_str());
    if (row.words_per_s > 0) std::printf("; %.0f words/s", row.words_per_s);
    std::printf("\n");
    std::fflush(stdout);
  }

  void print_without_time(const Case& one, const char* what, const std::string& reason) const {
    std::printf("%-*s    %s: %s\n", width_, one.name.c_str(), what, reason.c_str());
    std::fflush(stdout);
  }

 private:
  void print_peer(const Row& row) const {
    const auto entry = peers_.find(row.name);
    if (entry == peers_.end()) {
      std::printf("%8s %8s %-22s ", "-", "-", "");
      return;
    }
    const PeerTiming& peer = entry->second;
    if (peer.plain)
      std::printf("%8.2f ", *peer.plain / row.timing.milliseconds);
    else
      std::printf("%8s ", "-");
    std::printf("%8.2f %-22s ", peer.best / row.timing.milliseconds, peer.how.empty() ? "plain" : peer.how.c_str());
  }

  std::map<std::string, PeerTiming> peers_;
  int width_ = 4;
};

void print_json(const Row& row, const Ceilings& ceilings, const apps::Settings& settings) {
  nlohmann::ordered_json object = {{"case", row.name},
                                   {"ms", row.timing.milliseconds},
                                   {"threads", settings.threads},
                                   {"version", version()},
                                   {"device", text(settings.device)},
                                   {"calls", row.timing.calls},
                                   {"page_faults", row.timing.page_faults},
                                   {"system_allocations", row.timing.system_allocations},
                                   {"checked", row.check}};
  if (row.words_per_s > 0) object["words_per_s"] = row.words_per_s;
  if (row.bound.milliseconds > 0) object["ceiling_share"] = row.bound.milliseconds / row.timing.milliseconds;
  object["ceiling_gflops"] = ceilings.operations / 1e9;
  object["ceiling_copy_gb_s"] = ceilings.copy / 1e9;
  std::printf("%s\n", object.dump().c_str());
  std::fflush(stdout);
}

void print_without_time(const Case& one, const char* what, const std::string& reason) {
  const nlohmann::ordered_json object = {{"case", one.name}, {what, reason}};
  std::printf("%s\n", object.dump().c_str());
  std::fflush(stdout);
}

Row timed(const Case& one, const Ceilings& ceilings, Device device, double seconds) {
  manual_seed(0);  // a case's numbers are the same whatever came before it
  Prepared prepared = one.prepare();
  Row row{.name = one.name,
          .timing = measure(prepared.call, device, seconds),
          .bound = bound_of(ceilings, prepared.operations, prepared.bytes),
          .check = {}};
  row.words_per_s = prepared.words / row.timing.milliseconds * 1e3;
  if (prepared.check) row.check = prepared.check();
  return row;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> wanted;
  std::string compare;
  bool json = false, list = false;
  double seconds = 2;
  apps::Program program("percale_bench",
                        "Times operations and models: the median of many calls, beside what the machine could do.",
                        "percale_bench cnn linear_relu --compare torch.jsonl");
  program.words("CASE", wanted, "cases, or the beginnings of their names; all of them if none is given");
  program.flag("--json", json, "print one JSON object a case");
  program.option("--compare", compare, "JSON lines of another program, as tests/peers/ print them", "FILE");
  program.option("--seconds", seconds, "how long to time each case", 0, 3600);
  program.flag("--list", list, "print the names of the cases, and stop");
  return program.run(argc, argv, [&](const apps::Settings& settings) {
    const std::vector<Case> cases = chosen_cases(settings.device, wanted);
    if (list) {
      for (const Case& one : cases) std::printf("%s\n", one.name.c_str());
      return;
    }
    const Table table(cases, compare.empty() ? std::map<std::string, PeerTiming>() : read_peers(compare));
    apps::note(settings, settings.where);
    const Ceilings ceilings = measure_ceilings(settings.device);
    if (!json) table.print_head(ceilings);
    std::string wrong, failed;
    for (const Case& one : cases) {
      if (!one.skipped.empty()) {
        json ? print_without_time(one, "skipped", one.skipped) : table.print_without_time(one, "skipped", one.skipped);
        continue;
      }
      try {
        const Row row = timed(one, ceilings, settings.device, seconds);
        if (row.check.starts_with("WRONG")) wrong.append(" ").append(row.name);
        json ? print_json(row, ceilings, settings) : table.print(row);
      } catch (const Error& error) {  // the others are worth knowing all the same
        failed.append(" ").append(one.name);
        json ? print_without_time(one, "error", error.what()) : table.print_without_time(one, "failed", error.what());
      }
    }
    if (!failed.empty()) throw Error("cases that could not be timed:" + failed);
    if (!wrong.empty()) throw Error("further from f64's answer than the specification allows:" + wrong);
  });
}
