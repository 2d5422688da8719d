// Words become vectors: each learns to predict the words that stand around it in a text, against noise words that do
// not; or the words before predict the next. What stands in the same places ends up near: dog nearer to cat than to
// airplane.
#include "program/training.h"
#include "word_vectors/answers.h"
#include "word_vectors/corpus.h"
#include "word_vectors/next_word.h"

using namespace percale;

int main(int argc, char** argv) {
  apps::WordFlags flags;
  apps::Program program("word_vectors", "Learns a vector a word from any plain text (word2vec), and answers with them.",
                        "word_vectors --text wiki.txt --lower --closer dog cat airplane --output words.bin");
  flags.add_to(program);
  program.training_flags();
  program.check([&](const apps::Settings&) { flags.check(); });

  return program.run(argc, argv, [&](const apps::Settings& settings) {
    if (!flags.vectors.empty()) {
      apps::answer(language::load_word_vectors(flags.vectors), flags, settings);
      return;
    }

    const apps::Corpus corpus = apps::load_corpus(flags, settings);
    if (!flags.vocabulary.empty()) corpus.vocabulary.save(flags.vocabulary);
    if (!flags.ids.empty()) apps::print_ids(corpus.vocabulary, flags.ids);
    if (flags.is_next_word()) return apps::learn_next_word(corpus, flags, settings);

    const Tensor& text = corpus.text.pieces;
    data::DataLoader pieces(arange(text.size(0)), {.batch_size = 1, .device = settings.device});
    auto model = models::Word2Vec(corpus.vocabulary, flags.model_options(corpus.text.words)).to(settings.device);
    optim::SGD optimizer(model.parameters(), {.lr = flags.rate()});
    const int64_t epochs = flags.epochs_for(corpus.text.words);
    optim::LinearLR decay(optimizer, {.start_factor = 1,
                                      .end_factor = 1e-4 / flags.rate(),
                                      .total_iters = std::max<int64_t>(1, epochs * pieces.steps())});

    apps::Training training(settings, epochs, model, optimizer, pieces, flags.arguments(settings, corpus.text.words));
    training.count_in("words", corpus.words_a_piece());
    training.before_steps([&](int64_t step) {
      decay.set_epoch(step);
      model.set_lr(decay.lr());
    });
    training.run(
        [&](const Tensor& piece, const Tensor&) { return model.learn(index_select(text, 0, piece).flatten()); });

    train::Metrics numbers = apps::answer(model.vectors(), flags, settings);
    numbers.insert(numbers.begin(), {{"data", corpus.name}, {"vocabulary", corpus.vocabulary.others()}});
    training.finish(numbers);
  });
}
