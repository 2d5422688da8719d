#include "flags.h"

#include <charconv>
#include <filesystem>
#include <sstream>

namespace percale::apps {
namespace {

std::optional<int64_t> whole_number(std::string_view digits, int64_t least) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value < least) return {};
  return value;
}

}  // namespace

void HumorFlags::add_to(Program& program) {
  program.option("--data", data, "texts, and true or false for each; if not given: 200 shipped ones", "FILE.csv");
  program.option("--text", text_column, "the column of texts (default: text, or the first)", "COLUMN");
  program.option("--label", label_column, "the column of labels (default: the other one)", "COLUMN");
  program.option(
      "--rows", rows,
      "take the first TRAIN rows to learn from, the next for validation, the next for the test (default: 80, "
      "10 and 10 % drawn by the seed)",
      "TRAIN VALIDATION TEST");
  program.choice("--encoder", encoder,
                 "what a text is made a vector by: the BERT of --model, or a bag of pieces that begins from nothing "
                 "(default: bag without --model)",
                 {"bag", "bert"});
  program.option("--model", model, "a folder or the name of a published encoder; random: untrained weights",
                 "DIR|ID|random");
  program.choice("--pooling", pooling, "the vector of a text from those of its tokens (default: as the model says)",
                 {"cls", "mean", "max"});
  program.option("--fine-tune", fine_tune,
                 "let the encoder learn along: all of it, its last N layers, or the head alone", "all|last:N|head");
  program.option("--epochs", epochs, "how often to see every text; default 100, with --fine-tune 1");
  program.option("--batch", batch, "texts a step, 0: all; default all, with --fine-tune 32", 0, 1'000'000);
  program.option("--lr", lr, "learning rate; default 0.001, of a bag 0.01, of layers with --fine-tune 5e-5", 0, 1e6);
  program.option(
      "--patience", patience,
      "stop when the loss on the validation texts has not fallen for so many epochs, and go back to the best "
      "weights; 0: never");
  program.option("--max-length", max_length, "cut texts to so many tokens; 0: as the model says, of a bag 128", 0, 512);
  program.flag("--no-truncate", no_truncate, "a longer text is an error");
  program.option("--predict", predict, "print the probability that these are humour", "TEXT...");
  program.option("--export", folder, "write the encoder as transformers reads it, and head.safetensors", "DIR");
}

void HumorFlags::check(const Settings& settings) const {
  if (encoder == "bag" && !model.empty()) throw UsageError("--encoder bag and --model both say what encodes; give one");
  if (encoder == "bert" && model.empty()) throw UsageError("--encoder bert needs --model DIR|ID");
  for (const auto& [flag, given] :
       {std::pair{"--fine-tune", !fine_tune.empty()}, {"--pooling", !pooling.empty()}, {"--export", !folder.empty()}})
    if (given && is_bag()) throw UsageError(std::string(flag) + " needs --model DIR|ID");
  for (const auto& [flag, given] :
       {std::pair{"--text", !text_column.empty()}, {"--label", !label_column.empty()}, {"--rows", !rows.empty()}})
    if (given && data.empty()) throw UsageError(std::string(flag) + " needs --data FILE.csv");
  if (!rows.empty()) row_counts();
  if (is_fine_tuned()) layers();
  if (only_predicts(settings) && predict.empty())
    throw UsageError("--load needs --data FILE.csv to go on training, or --predict TEXT");
  if (epochs == 0 && settings.load.empty() && !settings.resume && !has_head())
    throw UsageError("--epochs 0 looks at weights: add --load FILE");
  if (patience > 0 && !rows.empty() && row_counts()[1] == 0)
    throw UsageError("--patience needs texts for validation, and --rows has none");
  if (!folder.empty())
    require_writable("--export", std::filesystem::is_directory(folder) ? folder + "/config.json" : folder);
}

bool HumorFlags::has_head() const { return !model.empty() && std::filesystem::exists(model + "/head.safetensors"); }

Settings HumorFlags::adapted(const Settings& settings) const {
  Settings adapted = settings;
  if (is_fine_tuned()) adapted.graph = false;
  return adapted;
}

int64_t HumorFlags::batch_of(int64_t count) const {
  const int64_t size = batch.value_or(is_fine_tuned() ? 32 : 0);
  return size > 0 ? size : count;
}

int64_t HumorFlags::layers() const {
  if (fine_tune == "all") return -1;
  if (fine_tune == "head") return 0;
  if (fine_tune.starts_with("last:"))
    if (const auto count = whole_number(std::string_view(fine_tune).substr(5), 1)) return *count;
  throw UsageError("--fine-tune: expected all, head or last:N such as last:2, got '" + fine_tune + "'");
}

std::vector<int64_t> HumorFlags::row_counts() const {
  std::vector<int64_t> counts;
  for (const std::string& word : rows)
    if (const auto count = whole_number(word, 0)) counts.push_back(*count);
  if (counts.size() != 3 || rows.size() != 3 || counts[0] == 0 || counts[2] == 0)
    throw UsageError("--rows: expected three numbers such as 10000 0 2000, with rows to learn from and for the test");
  return counts;
}

std::string HumorFlags::arguments(const Task& task, const Settings& settings) const {
  std::ostringstream line;
  line.precision(17);
  line << (is_bag() ? "--encoder bag" : "--model " + model) << " --batch " << batch_of(task.train) << " --lr "
       << lr_or_default() << " --seed " << settings.seed << " --precision " << text(settings.precision)
       << " --max-length " << max_length << " --patience " << patience;
  if (!pooling.empty()) line << " --pooling " << pooling;
  if (is_fine_tuned()) line << " --fine-tune " << fine_tune << " --epochs " << epochs_or_default();
  line << ", " << task.train << " texts of " << task.name;
  return line.str();
}

Task make_task(const HumorFlags& flags, const Settings& settings) {
  const data::LabelledTexts all = flags.data.empty()
                                      ? data::shipped_texts()
                                      : data::read_labelled_texts(flags.data, flags.text_column, flags.label_column);
  const int64_t count = all.count(), tenth = std::max<int64_t>(1, count / 10);
  if (count < 3) throw Error(all.name + ": expected at least 3 texts, found " + std::to_string(count));
  const std::vector<int64_t> wanted = flags.rows.empty() ? std::vector<int64_t>{} : flags.row_counts();
  const data::Split split = wanted.empty() ? data::split_rows(count, tenth, tenth, settings.seed)
                                           : data::split_in_order(count, wanted[0], wanted[1], wanted[2]);
  Task task{.train = std::ssize(split.train),
            .validation = std::ssize(split.validation),
            .test = std::ssize(split.test),
            .name = all.name};
  task.labels = Tensor::empty({task.train + task.validation + task.test}, {i64, cpu_device});
  for (const auto* part : {&split.train, &split.validation, &split.test})
    for (const int64_t row : *part) {
      task.labels.data<int64_t>()[task.texts.size()] = all.labels.data<int64_t>()[row];
      task.texts.push_back(all.texts[static_cast<size_t>(row)]);
    }
  return task;
}

}  // namespace percale::apps
