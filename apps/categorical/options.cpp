#include "options.h"

namespace percale::apps {

void CategoricalOptions::add_to(Program& program) {
  program.option("--data", data, "a table with a header; if not given: the tutorial's six rows", "FILE.csv");
  program.option("--columns", columns, "what to predict from (default: every column but the target)", "A,B");
  program.option("--categories", categories, "columns of numbers that stand for categories: years, zip codes", "A,B");
  program.option("--target", target, "the column to predict: a class, or a number", "COLUMN");
  program.choice("--represent", represent,
                 "train with the categories in this way (default: embedding), and show how well the other two do",
                 {"index", "one-hot", "embedding"});
  program.option("--dim", dim, "numbers a category; 0: 4 for the tutorial's rows, else min(50, (n + 1) / 2)", 0, 4096);
  program.option("--hidden", hidden, "units of a ReLU layer before the last; 0: none", 0, 65536);
  program.option("--epochs", epochs, "how often to see every row; 0 scores the weights of --load");
  program.option("--batch", batch, "rows a step; 0: a hundredth of all, 8 to 256", 0, 1'000'000);
  program.option("--lr", lr, "AdamW's learning rate at the start; it falls to 0 in a line", 0, 1e6);
  program.option(
      "--embeddings", embeddings,
      "write what was learnt of each category, with FILE.tsv and FILE.names.tsv for the TensorBoard projector",
      "FILE.npy");
  program.option("--nearest", nearest, "print each category of this column as numbers, and its nearest", "COLUMN");
  program.option("--codes", codes, "write the codes of the categories, as pandas makes them", "FILE.csv");
  program.option("--predict", predict, "print what the model says of each row of this table", "FILE.csv");
  program.training_flags();
}

void CategoricalOptions::check(const Settings& settings) const {
  const bool loads = !settings.load.empty();
  const std::pair<const char*, bool> need_data[] = {{"--columns", !columns.empty()},
                                                    {"--categories", !categories.empty()},
                                                    {"--target", !target.empty()},
                                                    {"--represent", !represent.empty()},
                                                    {"--hidden", hidden > 0},
                                                    {"--codes", !codes.empty()},
                                                    {"--checkpoint", !settings.checkpoint.empty()},
                                                    {"--metrics", !settings.metrics.empty()}};
  for (const auto& [flag, given] : need_data)
    if (given && data.empty()) throw UsageError(std::string(flag) + " needs --data FILE.csv");
  const std::pair<const char*, bool> need_weights[] = {
      {"--embeddings", !embeddings.empty()}, {"--nearest", !nearest.empty()}, {"--predict", !predict.empty()}};
  for (const auto& [flag, given] : need_weights)
    if (given && target.empty() && !loads)
      throw UsageError(std::string(flag) + " needs --target COLUMN to train for, or --load FILE");
  const std::pair<const char*, bool> need_target[] = {{"--represent", !represent.empty()},
                                                      {"--save", !settings.save.empty()},
                                                      {"--checkpoint", !settings.checkpoint.empty()},
                                                      {"--metrics", !settings.metrics.empty()}};
  for (const auto& [flag, given] : need_target)
    if (given && !data.empty() && target.empty() && !loads)
      throw UsageError(std::string(flag) + " needs --target COLUMN");
  const std::pair<const char*, bool> in_file[] = {{"--columns", !columns.empty()},
                                                  {"--categories", !categories.empty()},
                                                  {"--target", !target.empty()},
                                                  {"--represent", !represent.empty()},
                                                  {"--dim", dim > 0},
                                                  {"--hidden", hidden > 0}};
  for (const auto& [flag, given] : in_file)
    if (given && loads) throw UsageError(std::string(flag) + " and --load: the file brings its own; give one");
  if (epochs == 0 && !loads && !settings.resume && !target.empty())
    throw UsageError("--epochs 0 scores weights: add --load FILE");
  const bool embeds = represent.empty() || represent == "embedding";
  for (const auto& [flag, path] : {std::pair{"--embeddings", embeddings}, {"--nearest", nearest}})
    if (!path.empty() && !embeds) throw UsageError(std::string(flag) + " needs --represent embedding");
  if (loads && data.empty() && predict.empty() && nearest.empty() && embeddings.empty() && settings.picture.empty())
    throw UsageError("--load needs --data FILE.csv to go on training, or --predict FILE.csv");
  for (const auto& [flag, path] : {std::pair{"--embeddings", embeddings}, {"--codes", codes}})
    if (!path.empty()) require_writable(flag, path);
}

std::vector<std::string> column_list(const std::string& text) {
  if (text.empty()) return {};
  const io::Source source(text, "the list of columns");
  return data::Csv(source).columns();
}

}  // namespace percale::apps
