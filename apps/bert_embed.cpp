// Texts become vectors: a pre-trained BERT read from its published files. One for each token, or one for the text.
#include "bert_embed/answers.h"

using namespace percale;

int main(int argc, char** argv) {
  apps::EmbedFlags flags;
  apps::Program program("bert_embed", "Prints and writes the embeddings of texts, compares them, and searches by them.",
                        "bert_embed --model all-MiniLM-L6-v2 --pooling mean 'Hello, how are you?'");
  flags.add_to(program);
  program.check([&](const apps::Settings&) { flags.check(); });

  return program.run(argc, argv, [&](const apps::Settings& settings) {
    const std::vector<std::string> texts = apps::read_texts(flags);
    if (flags.ids) return apps::print_ids(apps::load_tokenizer(flags.model, settings), texts, flags, settings);

    const models::SentenceEncoder encoder = apps::load_encoder(flags.model, settings);
    if (flags.tokens) apps::print_tokens(encoder.tokenizer(), texts);
    const Tensor embeddings = apps::embed(encoder, texts, flags, settings);

    if (flags.similarity) apps::print_similarity(embeddings);
    if (!flags.search.empty()) apps::search(encoder, texts, embeddings, flags, settings);
    if (!flags.output.empty()) apps::write(flags.output, texts, embeddings);
    if (flags.only_shows()) apps::print(embeddings);
  });
}
