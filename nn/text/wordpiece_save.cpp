// A tokenizer into the files that transformers reads.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "wordpiece.h"
#include "wordpiece_parts.h"

namespace percale::language {

void WordPiece::save_pretrained(const std::string& folder) const {
  namespace fs = std::filesystem;
  fs::create_directories(folder);
  std::string pieces;
  for (size_t id = 0; id < parts_->tokens.size(); ++id) {
    const std::string_view token = parts_->tokens[id];
    pieces += token.empty() ? "[no piece " + std::to_string(id) + "]" : std::string(token);  // an id that no piece has
    pieces += '\n';
  }
  const Normalization& normalization = this->normalization();
  nlohmann::ordered_json config = {{"tokenizer_class", "BertTokenizer"},
                                   {"do_lower_case", normalization.lowercase},
                                   {"tokenize_chinese_chars", normalization.handle_chinese_chars},
                                   {"strip_accents", nullptr},
                                   {"unk_token", parts_->file.unknown},
                                   {"cls_token", parts_->file.first},
                                   {"sep_token", parts_->file.last},
                                   {"pad_token", parts_->file.padding},
                                   {"mask_token", "[MASK]"}};
  if (normalization.strip_accents) config["strip_accents"] = *normalization.strip_accents;
  io::write_file((fs::path(folder) / "vocab.txt").string(), pieces);
  io::write_file((fs::path(folder) / "tokenizer_config.json").string(), config.dump(2) + "\n");
}

}  // namespace percale::language
