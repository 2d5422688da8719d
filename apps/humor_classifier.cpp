// Does a text contain humour? A probability from embeddings that are computed once, from an encoder that learns along,
// or from a bag of pieces that needs neither.
#include "humor_classifier/report.h"

using namespace percale;

int main(int argc, char** argv) {
  apps::HumorFlags flags;
  apps::Program program("humor_classifier", "Learns to tell texts apart: humour or none, or any other yes or no.",
                        "humor_classifier --data humor.csv --model all-MiniLM-L6-v2 --predict 'I mist.'");
  flags.add_to(program);
  program.training_flags();
  program.check([&](const apps::Settings& settings) { flags.check(settings); });

  return program.run(argc, argv, [&](const apps::Settings& given) {
    const apps::Settings settings = flags.adapted(given);
    const apps::Classifier classifier = apps::make_classifier(flags, settings);
    if (flags.only_predicts(settings)) return apps::predict(classifier, flags, settings);

    const apps::Task task = apps::make_task(flags, settings);
    const apps::Answers answers = classifier.read(task.texts);
    const Tensor labels = task.labels.to(f32).unsqueeze(1).to(settings.device);
    data::DataLoader loader(
        task.labels.slice(0, 0, task.train),
        {.batch_size = flags.batch_of(task.train), .shuffle = true, .seed = settings.seed, .device = settings.device});

    nn::BCELoss criterion;
    optim::Optimizer& optimizer = *classifier.optimizer;
    const int64_t epochs = flags.epochs_or_default();
    const auto schedule = apps::make_schedule(optimizer, epochs * loader.steps(), flags);

    apps::Training training(settings, epochs, classifier.module, optimizer, loader, flags.arguments(task, settings));
    apps::prepare(training, task, answers, classifier, flags, settings);
    if (schedule) training.before_steps([&](int64_t step) { schedule->set_epoch(step); });
    classifier.module.train();
    training.run([&](const Tensor& rows, const Tensor&) {
      optimizer.zero_grad();
      Tensor outputs = answers(rows);
      Tensor loss = criterion(outputs, index_select(labels, 0, rows));
      loss.backward();
      if (flags.is_fine_tuned()) nn::clip_grad_norm_(classifier.module.parameters(), 1);
      optimizer.step();
      return loss;
    });

    apps::report(task, answers, classifier, training, settings);
    if (!flags.folder.empty()) classifier.save(flags.folder);
    if (!flags.predict.empty()) apps::predict(classifier, flags, settings);
  });
}
