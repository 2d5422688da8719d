#include "word2vec_windows.h"

#include "../common/index_range.h"
#include "../common/random_words.h"

namespace percale::cpu {
namespace {

constexpr int64_t grain = 128;

}  // namespace

Windows::Windows(const Word2VecCall& call)
    : positions_(call.text.numel()),
      outputs_(static_cast<int>(call.options.negative) + 1),
      most_contexts_(2 * static_cast<int>(call.options.window)),
      reach_(Tensor::empty({positions_}, {i32, cpu_device})),
      drawn_(Tensor::empty({positions_, outputs_}, {i32, cpu_device})),
      place_(Tensor::empty({positions_}, {i32, cpu_device})),
      line_(Tensor::empty({positions_ + 2}, {i32, cpu_device})) {
  check_range("word2vec", no_row_message, call.text.data<int32_t>(), call.text.shape(), call.words(), -1);
  parallel_for(positions_, grain, [&](int64_t begin, int64_t end) { draw(call, begin, end); });
  line_up(call.text.data<int32_t>());
}

void Windows::draw(const Word2VecCall& call, int64_t begin, int64_t end) {
  const int32_t *text = call.text.data<int32_t>(), *alias = call.sampler.alias.data<int32_t>();
  const float *keep = call.sampler.keep.data<float>(), *accept = call.sampler.accept.data<float>();
  const int64_t words = call.words(), blocks = draw_blocks(outputs_ - 1);
  const Tensor bits = Tensor::empty({(end - begin) * blocks * 4}, {i32, cpu_device});
  auto* word = reinterpret_cast<uint32_t*>(bits.data<int32_t>());
  random_words(call.key, static_cast<uint64_t>(begin * blocks), (end - begin) * blocks, word);
  for (int64_t p = begin; p < end; ++p, word += blocks * 4) {
    const bool kept = text[p] >= 0 && is_kept(word[0], keep[text[p]]);
    reach_.data<int32_t>()[p] = kept ? window_reach(word[1], most_contexts_ / 2) : 0;
    if (!kept) continue;
    int32_t* drawn = drawn_.data<int32_t>() + p * outputs_;
    drawn[0] = text[p];
    for (int k = 1; k < outputs_; ++k) {
      const int32_t noise = noise_word(word[2 + 2 * k], word[3 + 2 * k], accept, alias, words);
      drawn[k] = noise == text[p] ? -1 : noise;
    }
  }
}

void Windows::line_up(const int32_t* text) {
  int32_t *line = line_.data<int32_t>(), *place = place_.data<int32_t>();
  const int32_t* reach = reach_.data<int32_t>();
  line[0] = -1;
  int32_t end = 1;
  for (int64_t p = 0; p < positions_; ++p) {
    place[p] = end;
    line[end] = text[p];
    end += text[p] < 0 || reach[p] > 0;
  }
  line[end] = -1;
}

Window Windows::at(int64_t p, int32_t* context) const {
  const int reach = reach_.data<int32_t>()[p];
  const int32_t* centre = line_.data<int32_t>() + place_.data<int32_t>()[p];
  Window window{context, 0, drawn(p)};
  if (reach == 0) return window;
  for (int step = 1; step <= reach && centre[-step] >= 0; ++step) context[window.contexts++] = centre[-step];
  for (int step = 1; step <= reach && centre[step] >= 0; ++step) context[window.contexts++] = centre[step];
  return window;
}

}  // namespace percale::cpu
