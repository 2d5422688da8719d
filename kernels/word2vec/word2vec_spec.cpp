#include <algorithm>
#include <cmath>
#include <vector>

#include "../../core/autograd.h"
#include "../common/spec.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "word2vec.h"
#include "word2vec_twins.h"

namespace percale {
namespace {

constexpr double rate = 0.125;  // large, so that a step is seen

/// The definition in f64, centre by centre, with nothing clever: what both twins are held against.
struct Definition {
  const Tensor &input, &output, &text, &keep, &accept, &alias;
  const Word2VecStepOptions& options;
  RandomKey key;
  std::vector<std::vector<int32_t>> parts = {};  ///< rows of `input` a word; none: its own
  int64_t count = text.numel(), width = input.size(1), words = output.size(0);

  uint32_t bits(int64_t position, int word) const {
    const int64_t blocks = draw_blocks(static_cast<int>(options.negative));
    return random_bits(key, key.step_now(), position * blocks * 4 + word);
  }
  bool kept(int64_t p) const {
    const int32_t word = text.data<int32_t>()[p];
    return word >= 0 && is_kept(bits(p, 0), keep.data<float>()[word]);
  }
  std::vector<int64_t> around(int64_t p) const {
    std::vector<int64_t> rows;
    const auto reach = static_cast<size_t>(window_reach(bits(p, 1), static_cast<int>(options.window)));
    for (const int64_t step : {-1, 1}) {
      size_t found = 0;
      for (int64_t q = p + step; q >= 0 && q < count && text.data<int32_t>()[q] >= 0 && found < reach; q += step)
        if (kept(q)) rows.push_back(text.data<int32_t>()[q]), ++found;
    }
    return rows;
  }
  std::vector<int64_t> targets(int64_t p) const {
    std::vector<int64_t> rows = {text.data<int32_t>()[p]};
    for (int k = 0; k < options.negative; ++k) {
      const int32_t noise =
          noise_word(bits(p, 4 + 2 * k), bits(p, 5 + 2 * k), accept.data<float>(), alias.data<int32_t>(), words);
      if (noise != rows[0]) rows.push_back(noise);
    }
    return rows;
  }

  /// One centre's loss, its steps added to the sums and its rows counted.
  double meet(int64_t p, std::vector<double> (&sums)[2], std::vector<int64_t> (&times)[2]) const {
    const std::vector<int64_t> rows = around(p), wanted = targets(p);
    const bool mean = options.model == WordModel::cbow;
    double loss = 0;
    for (const int64_t row : rows) ++times[0][static_cast<size_t>(row)];
    for (const int64_t row : wanted) times[1][static_cast<size_t>(row)] += !rows.empty();
    for (size_t a = 0; a < (mean && !rows.empty() ? 1 : rows.size()); ++a) {
      const std::vector<int64_t> met = mean ? rows : std::vector<int64_t>{rows[a]};
      std::vector<double> x(static_cast<size_t>(width));
      for (const int64_t row : met)
        for (int64_t i = 0; i < width; ++i)
          x[static_cast<size_t>(i)] += input.data<double>()[row * width + i] / static_cast<double>(met.size());
      for (size_t k = 0; k < wanted.size(); ++k) {
        const double* y = output.data<double>() + wanted[k] * width;
        double product = 0;
        for (int64_t i = 0; i < width; ++i) product += x[static_cast<size_t>(i)] * y[i];
        const double chance = 1 / (1 + std::exp(-product)), step = rate * ((k == 0) - chance);
        const double wrong = k == 0 ? -product : product;
        loss += std::max(wrong, 0.0) + std::log1p(std::exp(-std::abs(wrong)));
        for (int64_t i = 0; i < width; ++i) {
          sums[1][static_cast<size_t>(wanted[k] * width + i)] += step * x[static_cast<size_t>(i)];
          for (const int64_t row : met) sums[0][static_cast<size_t>(row * width + i)] += step * y[i];
        }
      }
    }
    return loss;
  }

  /// With parts: the definition on the words' means, and what it adds to them goes to their rows.
  void run_on_parts(const Tensor& losses) const {
    const Tensor means = zeros({words, width}, input.options());
    Definition whole{means, output, text, keep, accept, alias, options, key};
    const int64_t batches = std::max((count + options.batch - 1) / options.batch, std::min<int64_t>(16, count));
    for (int64_t batch = 0; batch < batches; ++batch) {
      means.zero_();
      std::vector<int64_t> users(static_cast<size_t>(input.size(0)));
      for (int64_t w = 0; w < words; ++w)
        for (const int32_t row : parts[static_cast<size_t>(w)])
          for (int64_t i = 0; i < width; ++i)
            means.data<double>()[w * width + i] +=
                input.data<double>()[row * width + i] / static_cast<double>(parts[static_cast<size_t>(w)].size());
      const Tensor before = means.clone();
      const std::vector<int64_t> met = whole.run_batch(batch, batches, losses);
      for (int64_t w = 0; w < words; ++w)
        for (const int32_t row : parts[static_cast<size_t>(w)])
          users[static_cast<size_t>(row)] += met[static_cast<size_t>(w)] > 0;
      for (int64_t w = 0; w < words; ++w) {
        for (const int32_t row : parts[static_cast<size_t>(w)]) {
          const int64_t n = users[static_cast<size_t>(row)];
          const double share = n > options.crowd ? static_cast<double>(options.crowd) / static_cast<double>(n) : 1;
          for (int64_t i = 0; i < width; ++i)
            input.data<double>()[row * width + i] +=
                share * (means.data<double>()[w * width + i] - before.data<double>()[w * width + i]);
        }
      }
    }
  }

  void run(const Tensor& losses) const {
    if (!parts.empty()) return run_on_parts(losses);
    const int64_t batches = std::max((count + options.batch - 1) / options.batch, std::min<int64_t>(16, count));
    for (int64_t batch = 0; batch < batches; ++batch) run_batch(batch, batches, losses);
  }

  /// Returns how often each word was met as context.
  std::vector<int64_t> run_batch(int64_t batch, int64_t batches, const Tensor& losses) const {
    std::vector<double> sums[2];
    std::vector<int64_t> times[2];
    for (auto& sum : sums) sum.assign(static_cast<size_t>(words * width), 0);
    for (auto& time : times) time.assign(static_cast<size_t>(words), 0);
    for (int64_t p = batch; p < count; p += batches) {
      const double loss = kept(p) ? meet(p, sums, times) : 0;
      if (p % word2vec_loss_every == 0) losses.data<double>()[p / word2vec_loss_every] = loss;
    }
    for (int table = 0; table < 2; ++table) {
      for (int64_t i = 0; i < words * width; ++i) {
        const int64_t met = times[table][static_cast<size_t>(i / width)];
        const double share = met > options.crowd ? static_cast<double>(options.crowd) / static_cast<double>(met) : 1;
        (table ? output : input).data<double>()[i] += share * sums[table][static_cast<size_t>(i)];
      }
    }
    return times[0];
  }
};

/// Rows of each word from an index [words, parts], those that repeat left out.
std::vector<std::vector<int32_t>> lists_of(const Tensor& index) {
  const Tensor here = index.to(cpu_device).contiguous();
  std::vector<std::vector<int32_t>> lists(static_cast<size_t>(here.size(0)));
  for (int64_t i = 0; i < here.numel(); ++i) {
    auto& list = lists[static_cast<size_t>(i / here.size(1))];
    const int32_t row = here.data<int32_t>()[i];
    if (std::find(list.begin(), list.end(), row) == list.end()) list.push_back(row);
  }
  return lists;
}

/// One step on copies; the text is made of 0, 1, ... words - 1 by taking one off, so that it has ends of sentences. A
/// seventh input makes words of parts.
auto step(Word2VecStepOptions options) {
  return [options](const Tensors& in) -> Tensors {
    const NoGradGuard no_grad;
    const auto lists = in.size() > 6 ? lists_of(in[6]) : std::vector<std::vector<int32_t>>();
    const Tensor input = (in[0] * 0.25).contiguous(), output = (in[1] * 0.25).contiguous(),
                 text = (in[2] - 1).contiguous();
    const Tensor keep = (in[3] * 0.75).to(f32).contiguous(), accept = (in[4] * 0.4).to(f32).contiguous();
    const Tensor alias = in[5].contiguous();
    if (in[0].dtype() == f64) {
      const Tensor losses = zeros({(text.numel() + word2vec_loss_every - 1) / word2vec_loss_every}, {f64, cpu_device});
      Definition{input, output, text, keep, accept, alias, options, next_random_key(cpu_device), lists}.run(losses);
      return {input, output, losses};
    }
    const Tensor losses =
        word2vec(input, output, text, {keep, accept, alias}, full({1}, rate, {f64, in[0].device()}), options,
                 lists.empty() ? WordParts() : word_parts(lists, input.size(0)).to(input.device()));
    return {input, output, losses};
  };
}

struct Given {
  Tensor input, output, text, rate;
  WordSampler sampler;

  explicit Given(Device d)
      : input(full({3, 4}, 0.5, {f32, d})),
        output(zeros({3, 4}, {f32, d})),
        text(tensor({0, 1, 2, 1}, d).to(i32)),
        rate(full({1}, 0.5, {f64, d})),
        sampler(word_sampler(tensor({5, 3, 2})).to(d)) {}
  void run(const Word2VecStepOptions& options = {}) const {
    word2vec(input, output, text, sampler, rate, options).to(cpu_device);
  }
};

template <class Change>
std::function<void(Device)> with(Change change) {
  return [change](Device d) {
    Given given(d);
    Word2VecStepOptions options;
    change(given, options, d);
    given.run(options);
  };
}

std::vector<SpecError> errors() {
  return {
      {"row 3 at position 2 of the text is out of range for 3 words",
       with([](Given& g, Word2VecStepOptions&, Device d) {
         g.text = tensor({0, 1, 3, 7}, d).to(i32);
       })},
      {"row -2 at position 0 of the text is out of range for 3 words",
       with([](Given& g, Word2VecStepOptions&, Device d) {
         g.text = tensor({-2, 1}, d).to(i32);
       })},
      {"the text must be [count] of i32, got [4] of i64",
       with([](Given& g, Word2VecStepOptions&, Device) { g.text = g.text.to(i64); })},
      {"expected two tables of one shape, got [3, 4] and [3, 5]", with([](Given& g, Word2VecStepOptions&, Device d) {
         g.output = zeros({3, 5}, {f32, d});
       })},
      {"expected two tables of one shape", with([](Given& g, Word2VecStepOptions&, Device) { g.output = g.input; })},
      {"the tables must be contiguous", with([](Given& g, Word2VecStepOptions&, Device) { g.input = g.input.t(); })},
      {"the sampler must be for 3 words, got [2]", with([](Given& g, Word2VecStepOptions&, Device d) {
         g.sampler = word_sampler(tensor({1, 1})).to(d);
       })},
      {"the learning rate must be one f64",
       with([](Given& g, Word2VecStepOptions&, Device) { g.rate = g.rate.to(f32); })},
      {"the window must be 1 to 1000, got 0", with([](Given&, Word2VecStepOptions& o, Device) { o.window = 0; })},
      {"noise words must be 1 to 1000, got 0", with([](Given&, Word2VecStepOptions& o, Device) { o.negative = 0; })},
      {"a batch must have 1 to 2^20 centres, got 0", with([](Given&, Word2VecStepOptions& o, Device) { o.batch = 0; })},
      {"word 1 has no row",
       [](Device) {
         word_parts({{0}, {}}, 3);
       }},
      {"word 0 has row 3, which is out of range for 3",
       [](Device) {
         word_parts({{0, 3}}, 3);
       }},
      {"word 1 has row 2 twice",
       [](Device) {
         word_parts({{0}, {2, 1, 2}}, 3);
       }},
      {"the parts must be of 3 words and 3 rows, got 1 and 3",
       [](Device d) {
         const Given g(d);
         word2vec(g.input, g.output, g.text, g.sampler, g.rate, {}, word_parts({{0}}, 3).to(d));
       }},
      {"all 2 counts are zero",
       [](Device) {
         word_sampler(tensor({0, 0}));
       }},
      {"word 1 has the count -1",
       [](Device) {
         word_sampler(tensor({1, -1}));
       }},
  };
}

/// Words made of up to four rows of a table of its own size.
Spec parts_spec(std::string name, Word2VecStepOptions options, std::vector<std::vector<int64_t>> sizes) {
  return {.name = std::move(name),
          .run = step(options),
          .inputs = {constant(real({"rows", "width"})), constant(real({"words", "width"})),
                     index_input("words", {"count"}, i32), constant(positive({"words"})), constant(positive({"words"})),
                     index_input("words", {"words"}, i32), index_input("rows", {"words", "parts"}, i32)},
          .sizes = std::move(sizes),
          .dtypes = {f32},
          .exact = false,
          .gradient = false,
          .graph = false};  // the lists are read on the CPU while they are made
}

Spec spec(std::string name, Word2VecStepOptions options, std::vector<std::vector<int64_t>> sizes,
          std::vector<SpecError> errors = {}) {
  return {.name = std::move(name),
          .run = step(options),
          .inputs = {constant(real({"words", "width"})), constant(real({"words", "width"})),
                     index_input("words", {"count"}, i32), constant(positive({"words"})), constant(positive({"words"})),
                     index_input("words", {"words"}, i32)},
          .sizes = std::move(sizes),
          .dtypes = {f32},
          .exact = false,
          .gradient = false,
          .errors = std::move(errors)};
}

}  // namespace

extern const Specs word2vec_specs;
const Specs word2vec_specs = {
    spec("skip_gram", {.window = 3, .negative = 3, .batch = 16, .crowd = 4},
         {{7, 5, 40}, {7, 5, 48}, {1, 1, 1}, {2, 3, 0}, {5, 64, 20}, {12, 130, 40}, {300, 100, 500}}, errors()),
    spec("skip_gram, long window", {.window = 7, .negative = 8, .batch = 12},
         {{9, 3, 24}, {400, 3, 208}, {500, 128, 700}}),
    spec("cbow", {.model = WordModel::cbow, .window = 3, .negative = 4, .batch = 16, .crowd = 3},
         {{7, 5, 30}, {1, 1, 1}, {5, 130, 20}, {300, 100, 500}, {600'000, 1, 40}}),  // the last: more rows than one
                                                                                     // sort takes
    parts_spec("skip_gram of parts", {.window = 3, .negative = 3, .batch = 16, .crowd = 3},
               {{9, 5, 7, 40, 3}, {1, 1, 1, 1, 1}, {40, 130, 12, 40, 20}, {2, 3, 9, 60, 2}, {90, 70, 60, 150, 7}}),
    parts_spec("cbow of parts", {.model = WordModel::cbow, .window = 3, .negative = 3, .batch = 16, .crowd = 3},
               {{9, 5, 7, 40, 3}, {40, 65, 12, 40, 4}}),
};

}  // namespace percale
