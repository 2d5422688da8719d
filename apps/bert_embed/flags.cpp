#include "flags.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>

namespace percale::apps {
namespace {

std::vector<std::string> lines_of(std::istream& stream, const std::string& name) {
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  if (stream.bad()) throw Error(name + ": cannot be read");
  if (lines.empty()) throw Error(name + ": expected a text a line, found nothing");
  return lines;
}

}  // namespace

void EmbedFlags::add_to(Program& program) {
  program.words("TEXT", texts, "what to embed; without any, a text a line of --file or of the standard input");
  program.option("--file", file, "read texts, a line each", "FILE");
  program.option("--model", model,
                 "a folder, or the name of a model in Hugging Face's cache or on its hub; random: untrained weights",
                 "DIR|ID|random");
  program.choice(
      "--pooling", pooling,
      "one vector a text from those of its tokens: the first, their mean or their maximum; none: all of them "
      "(default: none; where a vector a text is needed, what the model says)",
      {"cls", "mean", "max", "none"});
  program.option("--layer", layer, "the output of this layer; 0: the embeddings below the first, -1: the last", -1,
                 1000);
  program.flag("--normalize", normalize, "divide each vector by its length");
  program.option("--reduce", reduce,
                 "so many numbers a text: the directions in which texts differ most (PCA of these texts, and of 200 "
                 "shipped ones where these are too few)",
                 0, 65'536);
  program.option("--max-length", max_length, "cut texts to so many tokens; 0: as the model says", 0, 65'536);
  program.flag("--no-truncate", no_truncate, "a longer text is an error");
  program.flag("--tokens", tokens, "print the pieces of each text too");
  program.flag("--ids", ids,
               "print the token ids of each text instead, a line a text: all of them, unless --max-length cuts it");
  program.flag("--similarity", similarity, "print the cosine of each text with each");
  program.option("--search", search, "print the texts most alike to this one", "QUERY");
  program.option("--top", top, "how many of them", 1, 1'000'000);
  program.option("--output", output, "write the embeddings", "FILE.npy|.safetensors|.jsonl");
}

void EmbedFlags::check() const {
  if (!texts.empty() && !file.empty()) throw UsageError("texts and --file both say what to embed; give one");
  if (pooling == "none" && (similarity || !search.empty() || reduce > 0))
    throw UsageError("--pooling none gives no vector a text, which --similarity, --search and --reduce need");
  if (reduce > 0 && !search.empty()) throw UsageError("--search compares whole vectors: it does not go with --reduce");
  if (max_length > 0 && max_length < 3)
    throw UsageError("--max-length: must be at least 3: [CLS], a token, [SEP]; got " + std::to_string(max_length));
  if (!output.empty()) {
    if (!output.ends_with(".npy") && !output.ends_with(".safetensors") && !output.ends_with(".jsonl"))
      throw UsageError("--output " + output + ": expected a file .npy, .safetensors or .jsonl");
    require_writable("--output", output);
  }
}

std::vector<std::string> read_texts(const EmbedFlags& flags) {
  if (!flags.texts.empty()) return flags.texts;
  if (flags.file.empty()) return lines_of(std::cin, "standard input");
  std::ifstream stream(flags.file, std::ios::binary);
  if (!stream) throw Error("--file " + flags.file + ": " + std::strerror(errno));
  return lines_of(stream, "--file " + flags.file);
}

}  // namespace percale::apps
