// word2vec on CUDA. What each centre meets is drawn for the whole text at once, and sorted by batch and row. Then two
// launches a batch: a block a centre multiplies its rows and says how each of them should move; a warp a row adds what
// the batch's centres say of it, in their order. No atomics: the same bytes each run.
#include <algorithm>

#include "../common/device.h"
#include "../common/device_segments.h"
#include "word2vec_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256, meet_threads = 128;  // six words around a centre, in the mean: four warps have work
constexpr int64_t most_keys = int64_t{1} << 24;   // three digits of a radix sort

/// What all kernels of a call share. The text's position p is centre p / batches of batch p % batches. An entry is a
/// row that a centre meets: `contexts` of the input table, whose first are those that there are, then `outputs` of the
/// output table. Its key is that row, counted on from one table to the next and from one batch to the next of a group.
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
  index_t group;  ///< batches whose entries are sorted together

  int32_t* reach = nullptr;  ///< [positions]: 0 where the word is not kept
  int32_t* keys = nullptr;   ///< [batches, most, contexts + outputs]
  float* steps = nullptr;    ///< [most, contexts or 1, outputs]: products, and then what they become
  float* means = nullptr;    ///< [most, width], for CBOW
  float* changes = nullptr;  ///< [most, contexts + outputs, width]: what a centre says of each of its rows

  // Of words that are made of parts: `input` is then their means, [words, width].
  float *table = nullptr, *before = nullptr;  ///< the rows, and the means as the batch met them
  const int32_t *starts = nullptr, *parts = nullptr, *user_starts = nullptr, *users = nullptr;
  int32_t* touched = nullptr;  ///< [words]: the last batch that met the word, counted from 1
  index_t rows = 0;            ///< of `table`

  PERCALE_HOST_DEVICE int met() const { return mean ? 1 : contexts; }
  PERCALE_HOST_DEVICE int entries() const { return contexts + outputs; }
  PERCALE_HOST_DEVICE index_t keys_a_batch() const { return 2 * words + 1; }  ///< the last one is for no row
  __device__ index_t first_key(index_t batch) const { return batch % group * keys_a_batch(); }
  /// The keys of the centre at a position.
  __device__ int32_t* keys_of(index_t position) const {
    return keys + (position % batches * most + position / batches) * entries();
  }
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
    if (!kept) continue;
    const index_t first = s.first_key(p % s.batches) + s.words, none = s.first_key(p % s.batches) + 2 * s.words;
    int32_t* drawn = s.keys_of(p) + s.contexts;
    drawn[0] = static_cast<int32_t>(first + row);
    for (int k = 1; k < s.outputs; k += 2) {
      const Philox4 bits = philox(s.key.seed, static_cast<uint64_t>(p * blocks + 1 + k / 2), s.key.call, now);
      for (int i = 0; i < 2 && k + i < s.outputs; ++i) {
        const int32_t noise = noise_word(bits.words[2 * i], bits.words[2 * i + 1], s.accept, s.alias, s.words);
        drawn[k + i] = static_cast<int32_t>(noise != row ? first + noise : none);
      }
    }
  }
}

/// The nearest kept words before or after a position, as far as its sentence and its reach go.
__device__ inline int look_around(const Step& s, index_t p, int direction, index_t first, int32_t* around) {
  int found = 0;
  for (index_t q = p + direction; q >= 0 && q < s.positions && s.text[q] >= 0 && found < s.reach[p]; q += direction)
    if (s.reach[q] > 0) around[found++] = static_cast<int32_t>(first + s.text[q]);
  return found;
}

/// A thread a centre: its window. A word that stands alone is no centre.
__global__ void window_kernel(Step s) {
  for (index_t p : grid_stride(s.batches * s.most)) {
    int32_t* keys = s.keys_of(p);
    const index_t first = s.first_key(p % s.batches), none = first + 2 * s.words;
    int found = 0;
    if (p < s.positions && s.reach[p] > 0) {
      found = look_around(s, p, -1, first, keys);
      found += look_around(s, p, 1, first, keys + found);
    }
    const int last = found > 0 ? s.contexts : s.entries();
    for (int e = found; e < last; ++e) keys[e] = static_cast<int32_t>(none);
  }
}

/// One centre of a batch, and what it meets.
struct Centre {
  const Step& s;
  index_t index, first;
  const int32_t* keys;
  int found = 0;  ///< words around it

  __device__ Centre(const Step& s, index_t batch, index_t index)
      : s(s), index(index), first(s.first_key(batch)), keys(s.keys + (batch * s.most + index) * s.entries()) {
    for (int a = lane_index(); a < s.contexts; a += warp_size) found += keys[a] - first < s.words;
    found = warp_sum(found);
  }
  __device__ int met() const { return s.mean ? 1 : found; }
  /// Whether it has its k-th word of the output table: noise that is the centre does not count.
  __device__ bool has(int k) const { return keys[s.contexts + k] - first < 2 * s.words; }
  __device__ float* steps() const { return s.steps + index * s.met() * s.outputs; }
  __device__ float* mean() const { return s.means + index * s.width; }
  __device__ const float* around(int a) const { return s.input + (keys[a] - first) * s.width; }
  __device__ const float* x(int a) const { return s.mean ? mean() : around(a); }
  __device__ const float* y(int k) const { return s.output + (keys[s.contexts + k] - first - s.words) * s.width; }
};

template <int vector>
__device__ inline void add_to(Vector<float, vector>& sum, float factor, const float* from) {
  const Vector<float, vector> values = load_vector<vector>(from);
#pragma unroll
  for (int i = 0; i < vector; ++i) sum[i] = fmaf(factor, values[i], sum[i]);
}

/// The mean of a centre's rows, by its block.
template <int vector>
__device__ void take_mean(const Centre& centre) {
  const float weight = 1.0f / static_cast<float>(centre.found);
  for (index_t i = thread_in_block() * vector; i < centre.s.width; i += meet_threads * vector) {
    Vector<float, vector> sum = {};
    for (int a = 0; a < centre.found; ++a) add_to(sum, weight, centre.around(a) + i);
    store_vector(centre.mean() + i, sum);
  }
  __syncthreads();
}

/// A warp a product.
template <int vector>
__device__ void multiply(const Centre& centre) {
  const int outputs = centre.s.outputs;
  for (int p = warp_index(); p < centre.met() * outputs; p += meet_threads / warp_size) {
    if (!centre.has(p % outputs)) continue;
    const float *x = centre.x(p / outputs), *y = centre.y(p % outputs);
    float sum = 0;
    for (index_t i = lane_index() * vector; i < centre.s.width; i += warp_size * vector) {
      const Vector<float, vector> a = load_vector<vector>(x + i), b = load_vector<vector>(y + i);
#pragma unroll
      for (int c = 0; c < vector; ++c) sum = fmaf(a[c], b[c], sum);
    }
    sum = warp_sum(sum);
    if (lane_index() == 0) centre.steps()[p] = sum;
  }
  __syncthreads();
}

__device__ inline float softplus(float x) { return (x > 0 ? x : 0.0f) + log1pf(expf(x > 0 ? -x : x)); }

/// A thread a product, which becomes a step. Returns the centre's loss.
__device__ inline float judge(const Centre& centre, float rate) {
  float* steps = centre.steps();
  float loss = 0;
  for (int p = thread_in_block(); p < centre.met() * centre.s.outputs; p += meet_threads) {
    const int k = p % centre.s.outputs;
    if (!centre.has(k)) continue;
    const float product = steps[p], label = k == 0 ? 1.0f : 0.0f;
    loss += softplus(k == 0 ? -product : product);
    steps[p] = rate * (label - 1.0f / (1.0f + expf(-product)));
  }
  return block_sum(loss, dynamic_shared<BlockScratch<float>>());  // whose barriers stand before the steps are read
}

/// What the centre says of each of its rows, by a warp each.
template <int vector>
__device__ void write_changes(const Centre& centre) {
  const Step& s = centre.s;
  const float* steps = centre.steps();
  for (int e = warp_index(); e < s.entries(); e += meet_threads / warp_size) {
    const int own = e - s.contexts;  // of the outputs
    if (own < 0 ? e >= centre.found : !centre.has(own)) continue;
    float* change = s.changes + (centre.index * s.entries() + e) * s.width;
    for (index_t i = lane_index() * vector; i < s.width; i += warp_size * vector) {
      Vector<float, vector> sum = {};
      if (own < 0) {
        for (int k = 0; k < s.outputs; ++k)
          if (centre.has(k)) add_to(sum, steps[(s.mean ? 0 : e) * s.outputs + k], centre.y(k) + i);
      } else {
        for (int a = 0; a < centre.met(); ++a) add_to(sum, steps[a * s.outputs + own], centre.x(a) + i);
      }
      store_vector(change + i, sum);
    }
  }
}

/// A block a centre. Nobody changes the tables meanwhile, so its rows stay in the block's cache.
template <int vector>
__global__ void __launch_bounds__(meet_threads) meet_kernel(Step s, index_t batch, const ErrorRecord* error) {
  if (has_error(error)) return;
  const float rate = static_cast<float>(*s.learning_rate);
  for (index_t j = blockIdx.x; j < s.most; j += gridDim.x) {
    const Centre centre(s, batch, j);
    const index_t position = batch + j * s.batches;
    float loss = 0;
    if (centre.found > 0) {
      if (s.mean) take_mean<vector>(centre);
      multiply<vector>(centre);
      loss = judge(centre, rate);
      write_changes<vector>(centre);
    }
    if (thread_in_block() == 0 && position < s.positions && position % word2vec_loss_every == 0)
      s.losses[position / word2vec_loss_every] = loss;
  }
}

/// A batch's entries in the order of their rows; those of one row in the order of the centres.
struct Sorted {
  const uint32_t *keys, *places;  ///< places among all entries of the group
  index_t count;
  uint32_t first_place;

  __device__ bool is_first(index_t i) const { return i == 0 || keys[i - 1] != keys[i]; }
};

/// A warp an entry and 32 * vector columns: the first entry of each row moves it for all that have it.
template <int vector>
__global__ void move_kernel(Step s, index_t batch, Sorted entries, const ErrorRecord* error) {
  if (has_error(error)) return;
  constexpr index_t columns = warp_size * vector;
  const int lane = lane_index();
  const index_t pieces = (s.width + columns - 1) / columns, warps = threads / warp_size;
  for (index_t task = blockIdx.x * warps + warp_index(); task < entries.count * pieces; task += gridDim.x * warps) {
    const index_t begin = task / pieces, column = task % pieces * columns + lane * vector;
    const uint32_t key = entries.keys[begin];
    const index_t row = static_cast<index_t>(key) - s.first_key(batch);
    if (row >= 2 * s.words || !entries.is_first(begin)) continue;
    Vector<float, vector> sum = {};
    index_t times = 0;
    for (int found = warp_size; found == warp_size; times += found) {
      const index_t i = begin + times + lane;
      const bool same = i < entries.count && entries.keys[i] == key;
      const uint32_t place = same ? entries.places[i] - entries.first_place : 0;
      found = __popc(__ballot_sync(full_mask, same));
#pragma unroll 4
      for (int k = 0; k < found; ++k) {
        const index_t from = shuffle(place, k);
        add_to(sum, 1.0f, s.changes + from * s.width + (column < s.width ? column : 0));
      }
    }
    if (column >= s.width) continue;
    const float share = crowd_share(s.crowd, static_cast<float>(times));
    float* to = (row < s.words ? s.input + row * s.width : s.output + (row - s.words) * s.width) + column;
    Vector<float, vector> moved = load_vector<vector>(to);
#pragma unroll
    for (int i = 0; i < vector; ++i) moved[i] = fmaf(share, sum[i], moved[i]);
    store_vector(to, moved);
  }
}

/// A warp an entry: the first of each word makes it, the mean of its rows.
__global__ void make_words_kernel(Step s, index_t batch, Sorted entries) {
  const index_t warps = threads / warp_size;
  for (index_t i = blockIdx.x * warps + warp_index(); i < entries.count; i += gridDim.x * warps) {
    const index_t word = static_cast<index_t>(entries.keys[i]) - s.first_key(batch);
    if (word >= s.words || !entries.is_first(i)) continue;
    const int32_t begin = s.starts[word], end = s.starts[word + 1];
    const float each = 1.0f / static_cast<float>(end - begin);
    for (index_t column = lane_index(); column < s.width; column += warp_size) {
      float mean = 0;
      for (int32_t part = begin; part < end; ++part) mean = fmaf(each, s.table[s.parts[part] * s.width + column], mean);
      s.input[word * s.width + column] = s.before[word * s.width + column] = mean;
    }
    if (lane_index() == 0) s.touched[word] = static_cast<int32_t>(batch + 1);
  }
}

/// A warp a row: what the batch added to the words that have it, in their order. No two warps write one row.
__global__ void share_out_kernel(Step s, index_t batch, const ErrorRecord* error) {
  if (has_error(error)) return;
  const int lane = lane_index();
  const index_t warps = threads / warp_size;
  for (index_t row = blockIdx.x * warps + warp_index(); row < s.rows; row += gridDim.x * warps) {
    const int32_t begin = s.user_starts[row], end = s.user_starts[row + 1];
    int met = 0;
    for (int32_t at = begin; at < end; ++at) met += s.touched[s.users[at]] == batch + 1;
    if (met == 0) continue;
    const float share = crowd_share(s.crowd, static_cast<float>(met));
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

/// What a call needs beside its tables: memory of their own for each, so that the emulator's guard bytes stand behind.
struct Memory {
  Tensor reach, keys, steps, means, changes, words, before, touched;

  explicit Memory(const Word2VecCall& call, index_t most, index_t entries, index_t steps_a_centre) {
    const index_t width = call.input.size(1);
    const auto integers = [&](index_t count) { return Tensor::empty({count}, {i32, call.input.device()}); };
    const auto floats = [&](index_t count) { return Tensor::empty({count}, call.input.options()); };
    reach = integers(call.text.numel());
    keys = integers(call.batches() * most * entries);
    steps = floats(most * steps_a_centre);
    means = floats(call.options.model == WordModel::cbow ? most * width : 0);
    changes = floats(most * entries * width);
    if (!call.parts.defined()) return;
    words = floats(call.words() * width);
    before = floats(call.words() * width);
    touched = integers(call.words());
  }
};

Step step_of(const Word2VecCall& call) {
  const index_t batches = call.batches();
  const int window = static_cast<int>(call.options.window);
  return {.input = call.input.data<float>(),
          .output = call.output.data<float>(),
          .text = call.text.data<int32_t>(),
          .keep = call.sampler.keep.data<float>(),
          .accept = call.sampler.accept.data<float>(),
          .alias = call.sampler.alias.data<int32_t>(),
          .learning_rate = call.learning_rate.data<double>(),
          .losses = call.losses.data<float>(),
          .positions = call.text.numel(),
          .words = call.words(),
          .width = call.input.size(1),
          .batches = batches,
          .most = (call.text.numel() + batches - 1) / batches,
          .window = window,
          .contexts = 2 * window,
          .outputs = static_cast<int>(call.options.negative) + 1,
          .mean = call.options.model == WordModel::cbow,
          .crowd = static_cast<float>(call.options.crowd),
          .key = call.key,
          .group = std::clamp(most_keys / (2 * call.words() + 1), int64_t{1}, batches)};
}

void use(Step& s, const Memory& memory) {
  s.reach = memory.reach.data<int32_t>();
  s.keys = memory.keys.data<int32_t>();
  s.steps = memory.steps.data<float>();
  s.means = memory.means.data<float>();
  s.changes = memory.changes.data<float>();
}

/// The tables become those of words that are made of parts.
void use_parts(Step& s, const Word2VecCall& call, const Memory& memory) {
  s.table = s.input;
  s.input = memory.words.data<float>();
  s.before = memory.before.data<float>();
  s.starts = call.parts.starts.data<int32_t>();
  s.parts = call.parts.rows.data<int32_t>();
  s.user_starts = call.parts.user_starts.data<int32_t>();
  s.users = call.parts.users.data<int32_t>();
  s.touched = memory.touched.data<int32_t>();
  s.rows = call.input.size(0);
  fill_async(s.touched, 0, static_cast<size_t>(s.words) * sizeof(int32_t), current_stream());
}

template <int vector>
void run_batch(const Step& s, index_t batch, const Sorted& entries) {
  const Stream stream = current_stream();
  const ErrorRecord* error = error_record();
  if (s.table) launch(make_words_kernel, blocks_of_warps(entries.count), threads, 0, stream, s, batch, entries);
  launch(meet_kernel<vector>, blocks_for(s.most, 1), meet_threads, sizeof(BlockScratch<float>), stream, s, batch,
         error);
  const index_t pieces = (s.width + warp_size * vector - 1) / (warp_size * vector);
  launch(move_kernel<vector>, blocks_of_warps(entries.count * pieces), threads, 0, stream, s, batch, entries, error);
  if (s.table) launch(share_out_kernel, blocks_of_warps(s.rows), threads, 0, stream, s, batch, error);
}

/// Batches whose entries are sorted together.
void run_group(const Step& s, const Tensor& keys, index_t begin, index_t end) {
  const index_t each = s.most * s.entries();
  const SortedEntries sorted(keys.slice(0, begin * each, end * each), (end - begin) * s.keys_a_batch());
  const auto run = [&]<int vector>() {
    for (index_t batch = begin; batch < end; ++batch) {
      const index_t first = (batch - begin) * each;
      run_batch<vector>(s, batch,
                        {sorted.keys() + first, sorted.positions() + first, each, static_cast<uint32_t>(first)});
    }
  };
  with_vector<float>(s.width, run, s.input, s.output, s.changes);
}

}  // namespace

/// `fast` changes nothing here, where the deterministic step keeps the device busy.
void word2vec(const Word2VecCall& call) {
  require(call.words() < int64_t{1} << 30, "word2vec", "on CUDA a table has at most 2^30 words, got {}", call.words());
  Step s = step_of(call);
  const Memory memory(call, s.most, s.entries(), int64_t{s.met()} * s.outputs);
  use(s, memory);
  if (call.parts.defined()) use_parts(s, call, memory);
  const Stream stream = current_stream();
  launch(draw_kernel, blocks_for(s.positions, threads), threads, 0, stream, s,
         error_reporter("word2vec", call.text.shape(), stream, no_row_message));
  launch(window_kernel, blocks_for(s.batches * s.most, threads), threads, 0, stream, s);
  for (index_t begin = 0; begin < s.batches; begin += s.group)
    run_group(s, memory.keys, begin, std::min(begin + s.group, s.batches));
}

}  // namespace percale::cuda
