#include "word2vec.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "word2vec_twins.h"

namespace percale {
namespace {

/// Vose's table: entries with less than an even share are filled up by one with more.
void fill_alias_table(const std::vector<double>& shares, float* accept, int32_t* alias) {
  const size_t count = shares.size();
  std::vector<double> left(count);
  std::vector<size_t> small, large;
  for (size_t i = count; i-- > 0;) {
    left[i] = shares[i] * static_cast<double>(count);
    (left[i] < 1 ? small : large).push_back(i);
    accept[i] = 1;
    alias[i] = static_cast<int32_t>(i);
  }
  while (!small.empty() && !large.empty()) {
    const size_t poor = small.back(), rich = large.back();
    small.pop_back();
    accept[poor] = static_cast<float>(left[poor]);
    alias[poor] = static_cast<int32_t>(rich);
    left[rich] -= 1 - left[poor];
    if (left[rich] < 1) {
      large.pop_back();
      small.push_back(rich);
    }
  }
}

void check_options(const Word2VecStepOptions& options) {
  require(options.window >= 1 && options.window <= 1000, "word2vec", "the window must be 1 to 1000, got {}",
          options.window);
  require(options.negative >= 1 && options.negative <= 1000, "word2vec", "noise words must be 1 to 1000, got {}",
          options.negative);
  require(options.batch >= 1 && options.batch <= 1 << 20, "word2vec", "a batch must have 1 to 2^20 centres, got {}",
          options.batch);
  require(options.crowd >= 1, "word2vec", "a crowd is 1 or more, got {}", options.crowd);
}

}  // namespace

WordSampler word_sampler(const Tensor& counts, double sample, double power) {
  require(counts.rank() == 1 && counts.dtype() == i64 && counts.device().is_cpu() && counts.is_contiguous(),
          "word_sampler", "counts must be [words] of i64 on the CPU, got {} of {}", counts.shape(), counts.dtype());
  require(sample >= 0 && std::isfinite(power), "word_sampler", "expected sample >= 0 and a power, got {} and {}",
          sample, power);
  const int64_t words = counts.numel(), *count = counts.data<int64_t>();
  require(words < int64_t{1} << 31, "word_sampler", "more than 2^31 words: {}", words);
  double total = 0, drawn = 0;
  std::vector<double> shares(static_cast<size_t>(words));
  for (int64_t i = 0; i < words; ++i) {
    require(count[i] >= 0, "word_sampler", "word {} has the count {}", i, count[i]);
    total += static_cast<double>(count[i]);
    shares[static_cast<size_t>(i)] = count[i] ? std::pow(static_cast<double>(count[i]), power) : 0;
    drawn += shares[static_cast<size_t>(i)];
  }
  require(total > 0, "word_sampler", "all {} counts are zero", words);
  for (double& share : shares) share /= drawn;
  const WordSampler sampler{Tensor::empty({words}), Tensor::empty({words}), Tensor::empty({words}, {i32, cpu_device})};
  for (int64_t i = 0; i < words; ++i) {
    const double ratio = sample * total / static_cast<double>(std::max<int64_t>(count[i], 1));
    sampler.keep.data<float>()[i] = sample > 0 ? static_cast<float>(std::min(1.0, std::sqrt(ratio) + ratio)) : 1;
  }
  fill_alias_table(shares, sampler.accept.data<float>(), sampler.alias.data<int32_t>());
  return sampler;
}

WordParts WordParts::to(Device device) const {
  if (!defined()) return {};
  return {starts.to(device), rows.to(device), user_starts.to(device), users.to(device)};
}

WordParts word_parts(const std::vector<std::vector<int32_t>>& rows_of_words, int64_t rows) {
  require(rows >= 0 && rows < int64_t{1} << 31, "word_parts", "rows must be below 2^31, got {}", rows);
  const auto words = static_cast<int64_t>(rows_of_words.size());
  std::vector<int32_t> seen_by(static_cast<size_t>(rows), -1), uses(static_cast<size_t>(rows) + 1, 0);
  int64_t entries = 0;
  for (int64_t word = 0; word < words; ++word) {
    const auto& own = rows_of_words[static_cast<size_t>(word)];
    require(!own.empty(), "word_parts", "word {} has no row", word);
    entries += static_cast<int64_t>(own.size());
    for (const int32_t row : own) {
      require(row >= 0 && row < rows, "word_parts", "word {} has row {}, which is out of range for {}", word, row,
              rows);
      int32_t& last = seen_by[static_cast<size_t>(row)];
      require(last != word, "word_parts", "word {} has row {} twice", word, row);
      last = static_cast<int32_t>(word);
      ++uses[static_cast<size_t>(row) + 1];
    }
  }
  require(entries < int64_t{1} << 31, "word_parts", "words have more than 2^31 rows together: {}", entries);
  const auto integers = [](int64_t count) { return Tensor::empty({count}, {i32, cpu_device}); };
  const WordParts parts{integers(words + 1), integers(entries), integers(rows + 1), integers(entries)};
  std::partial_sum(uses.begin(), uses.end(), parts.user_starts.data<int32_t>());
  std::copy_n(parts.user_starts.data<int32_t>(), rows + 1, uses.begin());
  int32_t *starts = parts.starts.data<int32_t>(), *to = parts.rows.data<int32_t>(), *first = to;
  for (int64_t word = 0; word < words; ++word) {
    starts[word] = static_cast<int32_t>(to - first);
    for (const int32_t row : rows_of_words[static_cast<size_t>(word)]) {
      *to++ = row;
      parts.users.data<int32_t>()[uses[static_cast<size_t>(row)]++] = static_cast<int32_t>(word);
    }
  }
  starts[words] = static_cast<int32_t>(entries);
  return parts;
}

Tensor word2vec(const Tensor& input, const Tensor& output, const Tensor& text, const WordSampler& sampler,
                const Tensor& learning_rate, const Word2VecStepOptions& options, const WordParts& parts) {
  const Operation operation{"word2vec"};
  for (const Tensor* table : {&input, &output})
    require(table->rank() == 2 && table->dtype() == f32 && table->is_contiguous(), "word2vec",
            "the tables must be contiguous [words, width] of f32, got {} of {}", table->shape(), table->dtype());
  require((parts.defined() ? input.size(1) == output.size(1) : input.shape() == output.shape()) &&
              input.storage() != output.storage(),
          "word2vec", "expected two tables of one shape, got {} and {}", input.shape(), output.shape());
  require(text.rank() == 1 && text.dtype() == i32, "word2vec", "the text must be [count] of i32, got {} of {}",
          text.shape(), text.dtype());
  const Shape words{output.size(0)};
  require(sampler.keep.shape() == words && sampler.accept.shape() == words && sampler.alias.shape() == words,
          "word2vec", "the sampler must be for {} words, got {}", output.size(0), sampler.keep.shape());
  if (parts.defined()) {
    const int64_t of_words = parts.starts.numel() - 1, of_rows = parts.user_starts.numel() - 1;
    require(of_words == output.size(0) && of_rows == input.size(0), "word2vec",
            "the parts must be of {} words and {} rows, got {} and {}", output.size(0), input.size(0), of_words,
            of_rows);
  }
  require(learning_rate.dtype() == f64 && learning_rate.numel() == 1, "word2vec",
          "the learning rate must be one f64, got {} of {}", learning_rate.shape(), learning_rate.dtype());
  require_same_device("word2vec",
                      {&input, &output, &text, &learning_rate, &sampler.keep, &sampler.accept, &sampler.alias});
  if (parts.defined())
    require_same_device("word2vec", {&input, &parts.starts, &parts.rows, &parts.user_starts, &parts.users});
  require(input.numel() > 0 && output.numel() > 0, "word2vec", "the tables are empty: {}", output.shape());
  check_options(options);
  const Tensor losses =
      Tensor::empty({(text.numel() + word2vec_loss_every - 1) / word2vec_loss_every}, input.options());
  if (text.numel() == 0) return losses;
  const Tensor dense = text.contiguous();
  on<cpu::word2vec, cuda::word2vec>(input.device(), Word2VecCall{input, output, dense, sampler, learning_rate, options,
                                                                 parts, next_random_key(input.device()), losses});
  input.mark_written("word2vec");
  output.mark_written("word2vec");
  return losses;
}

}  // namespace percale
