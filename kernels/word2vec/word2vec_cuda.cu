#include "../common/device.h"
#include "word2vec_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256, warps_a_block = threads / warp_size;
constexpr int per_lane = 4, columns_a_warp = per_lane * warp_size;
constexpr int32_t nobody = 0x7fffffff;

/// What all kernels of a call share. The text's position p is centre p / batches of batch p % batches; arrays over
/// centres are [batches, most, ...], so that a batch's stand together.
struct Step {
  float *input, *output;
  const int32_t* text;
  const float *keep, *accept;
  const int32_t* alias;
  const double* learning_rate;
  float* losses;
  index_t positions, words, width, batches, most;
  int window, contexts, outputs;  ///< contexts: at most, 2 * window; outputs: the centre and its noise
  bool mean;                      ///< CBOW
  float crowd;
  RandomKey key;

  int32_t* reach;   ///< [positions]: 0 where the word is not kept
  int32_t* around;  ///< [batches, most, contexts]: rows of the input table, or -1
  int32_t* drawn;   ///< [batches, most, outputs]: rows of the output table, -1 for none
  float* steps;     ///< [most, contexts or 1, outputs]
  float* means;     ///< [most, width], for CBOW
  float* moved;     ///< [most * (contexts + outputs), width]: rows as they will be, at the first entry that has them
  int32_t* first;   ///< [2, words]: a row's first entry of the batch, or `nobody`; of the input and of the output table
  int32_t* times;   ///< [2, words]: entries that have the row

  // Of words that are made of parts: `input` is then their means, [words, width].
  float *table, *before;  ///< the rows, and the means as the batch met them
  const int32_t *starts, *parts, *user_starts, *users;
  int32_t* touched;  ///< [words]: the last batch that met the word, counted from 1
  index_t rows;      ///< of `table`

  __device__ index_t centre_of(index_t position) const { return position % batches * most + position / batches; }
  __device__ int met() const { return mean ? 1 : contexts; }
};

/// A thread a position: is the word kept, how far does its window reach, which noise does it meet.
__global__ void draw_kernel(Step s, ErrorReporter reporter) {
  const uint64_t now = s.key.step_now();
  const int blocks = draw_blocks(s.outputs - 1);
  for (index_t p : grid_stride(s.positions)) {
    const index_t row = s.text[p];
    const bool bad = row < -1 || row >= s.words;
    if (bad) report_bad_index(reporter, p, row, s.words);
    const bool present = row >= 0 && !bad;
    const Philox4 own = philox(s.key.seed, static_cast<uint64_t>(p * blocks), s.key.call, now);
    const bool kept = present && is_kept(own.words[0], s.keep[row]);
    s.reach[p] = kept ? window_reach(own.words[1], s.window) : 0;
    int32_t* drawn = s.drawn + s.centre_of(p) * s.outputs;
    drawn[0] = kept ? static_cast<int32_t>(row) : -1;
    for (int k = 1; k < s.outputs; k += 2) {
      const Philox4 bits = philox(s.key.seed, static_cast<uint64_t>(p * blocks + 1 + k / 2), s.key.call, now);
      for (int i = 0; i < 2 && k + i < s.outputs; ++i) {
        const int32_t noise = noise_word(bits.words[2 * i], bits.words[2 * i + 1], s.accept, s.alias, s.words);
        drawn[k + i] = kept && noise != row ? noise : -1;
      }
    }
  }
}

/// The nearest kept words before or after a position, as far as its sentence and its reach go.
__device__ inline int look_around(const Step& s, index_t p, int direction, int32_t* around) {
  int found = 0;
  for (index_t q = p + direction; q >= 0 && q < s.positions && s.text[q] >= 0 && found < s.reach[p]; q += direction)
    if (s.reach[q] > 0) around[found++] = s.text[q];
  return found;
}

/// A thread a position: its window. A word that stands alone is no centre.
__global__ void window_kernel(Step s) {
  for (index_t p : grid_stride(s.batches * s.most)) {
    int32_t* around = s.around + s.centre_of(p) * s.contexts;
    int found = 0;
    if (p < s.positions && s.reach[p] > 0) {
      found = look_around(s, p, -1, around);
      found += look_around(s, p, 1, around + found);
    }
    for (int a = found; a < s.contexts; ++a) around[a] = -1;
    if (found > 0) continue;
    for (int k = 0; k < s.outputs; ++k) s.drawn[s.centre_of(p) * s.outputs + k] = -1;
  }
}

__device__ inline float softplus(float x) { return (x > 0 ? x : 0.0f) + log1pf(expf(x > 0 ? -x : x)); }

/// The mean of a centre's rows, by its warp: each lane's columns are those that it reads again, so nobody waits.
__device__ inline void mean_of(const Step& s, const int32_t* around, float* mean) {
  int count = 0;
  while (count < s.contexts && around[count] >= 0) ++count;
  const float weight = 1.0f / static_cast<float>(count);
  for (index_t i = lane_index(); i < s.width; i += warp_size) {
    float sum = 0;
    for (int a = 0; a < count; ++a) sum = fmaf(weight, s.input[around[a] * s.width + i], sum);
    mean[i] = sum;
  }
}

/// Notes that entry `entry` of the batch has `row`: by integers, whose minimum and sum do not depend on the order.
__device__ inline void claim(const Step& s, int table, int32_t row, int32_t entry) {
  if (row < 0) return;
  atomicMin(s.first + table * s.words + row, entry);
  atomicAdd(s.times + table * s.words + row, 1);
}

/// A warp a centre: its products, and the steps that they make.
__global__ void meet_kernel(Step s, index_t batch, const ErrorRecord* error) {
  if (has_error(error)) return;
  const int lane = lane_index();
  const float rate = static_cast<float>(*s.learning_rate);
  for (index_t j = static_cast<index_t>(blockIdx.x) * warps_a_block + warp_index(); j < s.most;
       j += static_cast<index_t>(gridDim.x) * warps_a_block) {
    const index_t position = batch + j * s.batches;
    const int32_t *around = s.around + (batch * s.most + j) * s.contexts,
                  *drawn = s.drawn + (batch * s.most + j) * s.outputs;
    if (around[0] < 0) {
      if (lane == 0 && position < s.positions && position % word2vec_loss_every == 0)
        s.losses[position / word2vec_loss_every] = 0;
      continue;
    }
    for (int a = lane; a < s.contexts; a += warp_size) claim(s, 0, around[a], static_cast<int32_t>(j * s.contexts + a));
    for (int k = lane; k < s.outputs; k += warp_size) claim(s, 1, drawn[k], static_cast<int32_t>(j * s.outputs + k));
    if (s.mean) mean_of(s, around, s.means + j * s.width);
    float* steps = s.steps + j * s.met() * s.outputs;
    float loss = 0;
    for (int a = 0; a < s.met() && around[a] >= 0; ++a) {
      const float* x = s.mean ? s.means + j * s.width : s.input + around[a] * s.width;
      for (int k = 0; k < s.outputs; ++k) {
        float sum = 0;
        if (drawn[k] >= 0)
          for (index_t i = lane; i < s.width; i += warp_size) sum = fmaf(x[i], s.output[drawn[k] * s.width + i], sum);
        const float product = warp_sum(sum), label = k == 0 ? 1.0f : 0.0f;
        if (drawn[k] >= 0) loss += softplus(k == 0 ? -product : product);
        if (lane == 0) steps[a * s.outputs + k] = drawn[k] < 0 ? 0.0f : rate * (label - 1.0f / (1.0f + expf(-product)));
      }
    }
    if (lane == 0 && position % word2vec_loss_every == 0) s.losses[position / word2vec_loss_every] = loss;
  }
}

/// An entry of the batch: a row that a centre meets. The entries of the input table come first.
struct Entry {
  int table;
  index_t index;
  int32_t row;
  const int32_t* rows;  ///< the batch's entries of the same table
  index_t count;

  __device__ Entry(const Step& s, index_t batch, index_t number) : table(number >= s.most * s.contexts) {
    index = table ? number - s.most * s.contexts : number;
    count = s.most * (table ? s.outputs : s.contexts);
    rows = table ? s.drawn + batch * count : s.around + batch * count;
    row = rows[index];
  }
  /// Whether it is the first with its row: it moves it for all of them.
  __device__ bool leads(const Step& s) const {
    return row >= 0 && volatile_load(s.first + table * s.words + row) == static_cast<int32_t>(index);
  }
};

/// Adds what one entry says of `columns` of its row.
__device__ inline void add_entry(const Step& s, index_t batch, const Entry& entry, index_t at, float share,
                                 index_t begin, float (&sums)[per_lane]) {
  const int each = entry.table ? s.outputs : s.contexts;
  const index_t j = at / each;
  const int own = static_cast<int>(at % each), lane = lane_index();
  const float* steps = s.steps + j * s.met() * s.outputs;
  const int32_t *around = s.around + (batch * s.most + j) * s.contexts,
                *drawn = s.drawn + (batch * s.most + j) * s.outputs;
  float joined[per_lane] = {};
  const int others = entry.table ? s.met() : s.outputs;
  for (int other = 0; other < others; ++other) {
    const int32_t row = entry.table ? around[other] : drawn[other];
    if (row < 0) continue;
    const float step = entry.table ? steps[other * s.outputs + own] : steps[(s.mean ? 0 : own) * s.outputs + other];
    const float* from = !entry.table ? s.output + row * s.width
                        : s.mean     ? s.means + j * s.width
                                     : s.input + row * s.width;
    for (int i = 0; i < per_lane; ++i) {
      const index_t column = begin + lane + i * warp_size;
      if (column >= s.width) continue;
      if (s.mean && !entry.table)
        joined[i] = fmaf(step, from[column], joined[i]);
      else
        sums[i] = fmaf(share * step, from[column], sums[i]);
    }
  }
  if (s.mean && !entry.table)
    for (int i = 0; i < per_lane; ++i) sums[i] = fmaf(share, joined[i], sums[i]);
}

/// A warp an entry and 128 columns. The first entry of each row looks through those behind it, 32 at a time, and adds
/// what belongs to its row in their order, from tables that nobody changes meanwhile. No atomics, no sorting.
__global__ void move_kernel(Step s, index_t batch, const ErrorRecord* error) {
  if (has_error(error)) return;
  const int lane = lane_index();
  const index_t entries = s.most * (s.contexts + s.outputs), pieces = (s.width + columns_a_warp - 1) / columns_a_warp;
  for (index_t task = static_cast<index_t>(blockIdx.x) * warps_a_block + warp_index(); task < entries * pieces;
       task += static_cast<index_t>(gridDim.x) * warps_a_block) {
    const index_t number = task / pieces, begin = task % pieces * columns_a_warp;
    const Entry entry(s, batch, number);
    if (!entry.leads(s)) continue;
    const int times = s.times[entry.table * s.words + entry.row];
    const float share = s.crowd < static_cast<float>(times) ? s.crowd / static_cast<float>(times) : 1.0f;
    const float* row = (entry.table ? s.output : s.input) + entry.row * s.width;
    float sums[per_lane] = {};
    for (int i = 0; i < per_lane; ++i)
      if (begin + lane + i * warp_size < s.width) sums[i] = row[begin + lane + i * warp_size];
    int met = 0;
    for (index_t at = entry.index; met < times; at += warp_size) {
      const bool same = at + lane < entry.count && entry.rows[at + lane] == entry.row;
      for (unsigned found = __ballot_sync(full_mask, same); found; found &= found - 1, ++met)
        add_entry(s, batch, entry, at + __ffs(static_cast<int>(found)) - 1, share, begin, sums);
    }
    for (int i = 0; i < per_lane; ++i)
      if (begin + lane + i * warp_size < s.width) s.moved[number * s.width + begin + lane + i * warp_size] = sums[i];
  }
}

/// A warp an entry: the moved rows go to their tables, and what the batch noted of them is forgotten.
__global__ void settle_kernel(Step s, index_t batch, const ErrorRecord* error) {
  if (has_error(error)) return;
  const int lane = lane_index();
  for (index_t number = static_cast<index_t>(blockIdx.x) * warps_a_block + warp_index();
       number < s.most * (s.contexts + s.outputs); number += static_cast<index_t>(gridDim.x) * warps_a_block) {
    const Entry entry(s, batch, number);
    const bool leads = entry.leads(s);
    __syncwarp();
    if (!leads) continue;
    float* row = (entry.table ? s.output : s.input) + entry.row * s.width;
    for (index_t i = lane; i < s.width; i += warp_size) row[i] = s.moved[number * s.width + i];
    if (lane == 0) {
      if (s.table && entry.table == 0) s.touched[entry.row] = static_cast<int32_t>(batch + 1);
      volatile_store(s.first + entry.table * s.words + entry.row, nobody);
      s.times[entry.table * s.words + entry.row] = 0;
    }
  }
}

__global__ void clear_kernel(Step s) {
  for (index_t i : grid_stride(2 * s.words)) {
    s.first[i] = nobody;
    s.times[i] = 0;
    if (s.table && i < s.words) s.touched[i] = 0;
  }
}

/// A thread a word's number: the mean of its rows'.
__global__ void make_words_kernel(Step s) {
  for (index_t i : grid_stride(s.words * s.width)) {
    const index_t word = i / s.width, column = i % s.width;
    const int32_t begin = s.starts[word], end = s.starts[word + 1];
    const float each = 1.0f / static_cast<float>(end - begin);
    float mean = 0;
    for (int32_t part = begin; part < end; ++part) mean = fmaf(each, s.table[s.parts[part] * s.width + column], mean);
    s.input[i] = s.before[i] = mean;
  }
}

/// A warp a row: what the batch added to the words that have it, in their order. No two warps write one row.
__global__ void share_out_kernel(Step s, index_t batch, const ErrorRecord* error) {
  if (has_error(error)) return;
  const int lane = lane_index();
  for (index_t row = static_cast<index_t>(blockIdx.x) * warps_a_block + warp_index(); row < s.rows;
       row += static_cast<index_t>(gridDim.x) * warps_a_block) {
    const int32_t begin = s.user_starts[row], end = s.user_starts[row + 1];
    int met = 0;
    for (int32_t at = begin; at < end; ++at) met += s.touched[s.users[at]] == batch + 1;
    if (met == 0) continue;
    const float share = s.crowd < static_cast<float>(met) ? s.crowd / static_cast<float>(met) : 1.0f;
    for (index_t column = lane; column < s.width; column += warp_size) {
      float sum = s.table[row * s.width + column];
      for (int32_t at = begin; at < end; ++at) {
        const index_t from = s.users[at] * s.width + column;
        if (s.touched[s.users[at]] == batch + 1) sum = fmaf(share, s.input[from] - s.before[from], sum);
      }
      s.table[row * s.width + column] = sum;
    }
  }
}

unsigned blocks_of_warps(index_t warps) { return blocks_for(warps * warp_size, threads); }

}  // namespace

/// Three launches a batch, and two more where words are made of parts; `fast` changes nothing here, where the
/// deterministic step keeps the device busy.
void word2vec(const Word2VecCall& call) {
  const index_t positions = call.text.numel(), words = call.words(), width = call.input.size(1);
  const bool made = call.parts.defined();
  const index_t batches = call.batches(), most = (positions + batches - 1) / batches, centres = batches * most;
  const bool mean = call.options.model == WordModel::cbow;
  const int window = static_cast<int>(call.options.window), contexts = 2 * window;
  const int outputs = static_cast<int>(call.options.negative) + 1;
  const index_t entries = most * (contexts + outputs), met = mean ? 1 : contexts;
  // Memory of their own for each, so that the emulator's guard bytes stand behind each.
  const auto integers = [&](index_t count) { return Tensor::empty({count}, {i32, call.input.device()}); };
  const auto floats = [&](index_t count) { return Tensor::empty({count}, call.input.options()); };
  const Tensor reach = integers(positions), around = integers(centres * contexts), drawn = integers(centres * outputs);
  const Tensor first = integers(2 * words), times = integers(2 * words), touched = integers(made ? words : 0);
  const Tensor steps = floats(most * met * outputs), means = floats(mean ? most * width : 0);
  const Tensor moved = floats(entries * width);
  const Tensor made_words = floats(made ? words * width : 0), before = floats(made ? words * width : 0);
  const auto part = [&](const Tensor& numbers) { return made ? numbers.data<int32_t>() : nullptr; };
  const Step s{made ? made_words.data<float>() : call.input.data<float>(),
               call.output.data<float>(),
               call.text.data<int32_t>(),
               call.sampler.keep.data<float>(),
               call.sampler.accept.data<float>(),
               call.sampler.alias.data<int32_t>(),
               call.learning_rate.data<double>(),
               call.losses.data<float>(),
               positions,
               words,
               width,
               batches,
               most,
               window,
               contexts,
               outputs,
               mean,
               static_cast<float>(call.options.crowd),
               call.key,
               reach.data<int32_t>(),
               around.data<int32_t>(),
               drawn.data<int32_t>(),
               steps.data<float>(),
               means.data<float>(),
               moved.data<float>(),
               first.data<int32_t>(),
               times.data<int32_t>(),
               made ? call.input.data<float>() : nullptr,
               made ? before.data<float>() : nullptr,
               part(call.parts.starts),
               part(call.parts.rows),
               part(call.parts.user_starts),
               part(call.parts.users),
               touched.data<int32_t>(),
               call.input.size(0)};
  const Stream stream = current_stream();
  launch(clear_kernel, blocks_for(2 * words, threads), threads, 0, stream, s);
  launch(draw_kernel, blocks_for(positions, threads), threads, 0, stream, s,
         error_reporter("word2vec", call.text.shape(), stream, no_row_message));
  launch(window_kernel, blocks_for(centres, threads), threads, 0, stream, s);
  const index_t pieces = (width + columns_a_warp - 1) / columns_a_warp;
  for (index_t batch = 0; batch < batches; ++batch) {
    if (made) launch(make_words_kernel, blocks_for(words * width, threads), threads, 0, stream, s);
    launch(meet_kernel, blocks_of_warps(most), threads, 0, stream, s, batch, error_record());
    launch(move_kernel, blocks_of_warps(entries * pieces), threads, 0, stream, s, batch, error_record());
    launch(settle_kernel, blocks_of_warps(entries), threads, 0, stream, s, batch, error_record());
    if (made) launch(share_out_kernel, blocks_of_warps(s.rows), threads, 0, stream, s, batch, error_record());
  }
}

}  // namespace percale::cuda
