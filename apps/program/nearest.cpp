// What was meant: the nearest spelling, and other names for the same thing.
#include <algorithm>
#include <map>

#include "program.h"

namespace percale::apps {
namespace {

/// How many letters must be changed, added, dropped or swapped with their neighbour (optimal string alignment).
size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i)
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  return cost[a.size()][b.size()];
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text;
}

}  // namespace

std::string nearest(const std::string& given, const std::vector<std::string>& known) {
  static const std::map<std::string, std::string> synonyms = {{"gpu", "cuda"},
                                                              {"nvidia", "cuda"},
                                                              {"float32", "fp32"},
                                                              {"f32", "fp32"},
                                                              {"float", "fp32"},
                                                              {"bfloat16", "bf16"},
                                                              {"yes", "on"},
                                                              {"true", "on"},
                                                              {"1", "on"},
                                                              {"no", "off"},
                                                              {"false", "off"},
                                                              {"0", "off"},
                                                              {"half", "bf16"},
                                                              {"fp16", "bf16"},
                                                              {"--batch-size", "--batch"},
                                                              {"--learning-rate", "--lr"},
                                                              {"--output", "--save"},
                                                              {"--verbose", "--info"},
                                                              {"--gpu", "--device"},
                                                              {"--cuda", "--device"},
                                                              {"--cpu", "--device"},
                                                              {"--dataset", "--data"},
                                                              {"--log", "--metrics"},
                                                              {"--silent", "--quiet"}};
  const std::string wanted = lower(given);
  if (const auto entry = synonyms.find(wanted);
      entry != synonyms.end() && std::count(known.begin(), known.end(), entry->second))
    return entry->second;
  std::string best;
  size_t best_distance = wanted.size();
  for (const std::string& candidate : known) {
    size_t found = distance(wanted, lower(candidate));
    // An abbreviation is near however much it leaves out.
    if (wanted.size() >= 4 && lower(candidate).starts_with(wanted)) found = std::min<size_t>(found, 1);
    if (found < best_distance) best = candidate, best_distance = found;
  }
  return best_distance <= std::max<size_t>(1, wanted.size() / 3) ? best : std::string();
}

}  // namespace percale::apps
