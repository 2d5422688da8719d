#include "grammar.h"

#include <map>
#include <string_view>
#include <vector>

#include "../../core/error.h"
#include "../../core/philox.h"

namespace percale::language {
namespace {

using Words = std::vector<std::string_view>;

/// Upper-case letters stand for a word of a kind.
const std::map<char, Words>& kinds() {
  static const std::map<char, Words> words = {
      {'A', {"dog", "cat", "horse", "cow", "rabbit", "sheep", "fox", "mouse"}},
      {'B', {"small", "old", "hungry", "young", "black", "sleepy"}},
      {'C', {"eats", "sleeps", "runs", "hides", "drinks", "waits"}},
      {'D', {"garden", "barn", "grass", "field", "forest", "yard"}},
      {'V', {"airplane", "car", "train", "ship", "bus", "truck"}},
      {'W', {"fast", "new", "heavy", "modern", "red", "electric"}},
      {'X', {"arrives", "departs", "stops", "breaks", "lands", "accelerates"}},
      {'Y', {"station", "airport", "harbour", "road", "bridge", "garage"}},
      {'P', {"farmer", "child", "woman", "man", "neighbour", "doctor"}},
      {'Q', {"feeds", "strokes", "calls", "follows", "loves", "washes"}},
      {'R', {"repairs", "drives", "boards", "sells", "buys", "parks"}},
      {'F', {"bread", "meat", "milk", "fish", "grain", "cheese"}},
      {'N', {"today", "often", "slowly", "again", "every morning", "at night"}},
  };
  return words;
}

const Words& sentences() {
  static const Words templates = {
      "the B A C in the D N",           "the P Q the B A in the D",   "a A and a A C near the D",
      "the A eats F in the D N",        "the P gives the A some F N", "the W V X at the Y N",
      "the P R the W V at the Y",       "a V and a V X near the Y",   "the V needs fuel at the Y N",
      "the P waits for the V at the Y", "the P eats F with the P N",  "a P and a P talk in the D N",
  };
  return templates;
}

/// Numbers of one sentence, one after the other.
class Draws {
 public:
  Draws(uint64_t seed, uint64_t sentence) : seed_(seed), sentence_(sentence) {}

  std::string_view one_of(const Words& words) {
    if (used_ % 4 == 0) bits_ = philox(seed_, sentence_, static_cast<uint32_t>(used_ / 4), 0);
    const uint64_t word = bits_.words[used_++ % 4];
    return words[static_cast<size_t>(word * words.size() >> 32)];
  }

 private:
  uint64_t seed_, sentence_;
  int used_ = 0;
  Philox4 bits_ = {};
};

}  // namespace

std::string generated_sentences(int64_t count, uint64_t seed) {
  require(count >= 0, "generated_sentences", "expected a number of sentences, got {}", count);
  std::string text;
  for (int64_t i = 0; i < count; ++i) {
    Draws draws(seed, static_cast<uint64_t>(i));
    for (const char letter : draws.one_of(sentences())) {
      const auto kind = kinds().find(letter);
      if (kind == kinds().end())
        text += letter;
      else
        text += draws.one_of(kind->second);
    }
    text += '\n';
  }
  return text;
}

}  // namespace percale::language
