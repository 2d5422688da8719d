#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/word2vec/word2vec_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "word2vec_plan.h"
#include "word2vec_rows-inl.h"

#ifndef PERCALE_WORD2VEC_CPU_ONCE
#define PERCALE_WORD2VEC_CPU_ONCE
namespace percale::cpu {

inline constexpr int64_t sum_columns = 64;         // products are sums of sums over so many columns
inline constexpr int64_t most_moved_columns = 80;  // that a thread moves at a time, and nobody else meanwhile
inline constexpr int most_rows = 2000 + 1001;      // of one centre: the windows' and the noise's limit

/// What one call works with. Tables are [words, width].
struct StepMemory {
  float *input, *output, *losses;
  int64_t width;
  bool mean;  ///< CBOW: the words around a centre are met as their mean
  int most_contexts, outputs;
  int64_t stride;  ///< products a centre, in whole vectors
  float rate;
  const int32_t *part_starts, *parts;  ///< of the words' rows, or null where word w is row w
  int64_t piece;                       ///< columns that a thread moves at a time, in whole vectors
  // Of the batch, for its update:
  float* steps = nullptr;  ///< [centres, stride]
  float* means = nullptr;  ///< CBOW: [centres, width]
  float* made = nullptr;   ///< of words made of parts, their vectors: [slots, width]

  int met(int contexts) const { return mean ? 1 : contexts; }
};

/// Floats that `meet` needs a thread: products of some columns, and copies of them.
inline int64_t meeting_room(const StepMemory& step) {
  return step.stride + (step.most_contexts + step.outputs) * sum_columns;
}

inline float softplus(float x) { return std::max(x, 0.0f) + std::log1p(std::exp(-std::abs(x))); }

/// The negative log-likelihood of a centre's labels.
inline float loss_of(const float* products, int xs, int ys, const int32_t* drawn) {
  float loss = 0;
  for (int a = 0; a < xs; ++a)
    for (int k = 0; k < ys; ++k)
      if (drawn[k] >= 0) loss += softplus(k == 0 ? -products[a * ys] : products[a * ys + k]);
  return loss;
}

}  // namespace percale::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
/// Asks for a row, or a piece of one, that is needed soon: a batch's rows lie anywhere in tables larger than the
/// caches.
inline void fetch(const float* row, int64_t columns) {
  for (int64_t i = 0; i < columns; i += 16) __builtin_prefetch(row + i);
  __builtin_prefetch(row + columns - 1);
}

/// The mean of a word's rows.
inline void mean_of_parts(const StepMemory& step, int32_t word, float* to) {
  constexpr int32_t at_once = 16;
  const int32_t begin = step.part_starts[word], end = step.part_starts[word + 1];
  const float *rows[at_once], each = 1.0f / static_cast<float>(end - begin);
  float weights[at_once];
  std::fill_n(weights, at_once, each);
  std::fill_n(to, step.width, 0.0f);
  for (int32_t first = begin; first < end; first += at_once) {
    const int32_t count = std::min(at_once, end - first);
    for (int32_t i = 0; i < count; ++i) rows[i] = step.input + step.parts[first + i] * step.width;
    add_rows(to, step.width, rows, weights, count);
  }
}

/// The vectors of some of a batch's words made of parts.
void make(const StepMemory& step, const Batch& batch, int64_t begin, int64_t end) {
  for (int64_t slot = begin; slot < end; ++slot) {
    if (slot + 1 < end) {
      const int32_t next = batch.input_rows.rows[slot + 1];
      for (int32_t part = step.part_starts[next]; part < step.part_starts[next + 1]; ++part)
        fetch(step.input + step.parts[part] * step.width, step.width);
    }
    mean_of_parts(step, batch.input_rows.rows[slot], step.made + slot * step.width);
  }
}

/// The vector of a slot as it stands until the batch moves it.
inline const float* input_row(const StepMemory& step, const Batch& batch, int32_t slot) {
  return step.parts ? step.made + slot * step.width : step.input + batch.input_rows.rows[slot] * step.width;
}

inline float* output_row(const StepMemory& step, const Batch& batch, int32_t slot) {
  return step.output + batch.output_rows.rows[slot] * step.width;
}

inline void mean_row(const float* const* rows, int count, int64_t columns, float* mean) {
  const float weight = 1.0f / static_cast<float>(count);
  std::fill_n(mean, columns, 0.0f);
  for (int a = 0; a < count; ++a) add_rows(mean, columns, rows + a, &weight, 1);
}

/// Points to copies of the rows' columns, filled up with zeros.
inline void copy_columns(const float** rows, int count, int64_t columns, float* to) {
  for (int i = 0; i < count; ++i, to += sum_columns) {
    std::copy_n(rows[i], columns, to);
    std::fill(to + columns, to + sum_columns, 0.0f);
    rows[i] = to;
  }
}

/// sums[a * ys + k] = x_rows[a] . y_rows[k]: a sum for every 64 columns, which then become one in their order. Rows
/// that begin within a cache line are copied to where they begin with one. `room` holds meeting_room floats.
inline void multiply(const StepMemory& step, const float* const* x_rows, int xs, const float* const* y_rows,
                     float* sums, float* room) {
  const int ys = step.outputs;
  const float *x[most_rows], *y[most_rows], *const products = room, one = 1;
  for (int64_t first = 0; first < step.width; first += sum_columns) {
    const int64_t columns = std::min(sum_columns, step.width - first);
    for (int a = 0; a < xs; ++a) x[a] = x_rows[a] + first;
    for (int k = 0; k < ys; ++k) y[k] = y_rows[k] + first;
    if (columns < sum_columns || step.width % 16 != 0) {
      copy_columns(x, xs, columns, room + step.stride);
      copy_columns(y, ys, columns, room + step.stride + xs * sum_columns);
    }
    all_dots(x, xs, y, ys, sum_columns, first ? room : sums);
    if (first) add_rows(sums, int64_t{xs} * ys, &products, &one, 1);
  }
}

/// Multiplies the rows of some centres, and makes steps of the products.
void meet(const StepMemory& step, const Batch& batch, const Windows& windows, float* room, int64_t begin, int64_t end) {
  const float *x[most_rows], *y[most_rows];
  for (int64_t j = begin; j < end; ++j) {
    const int32_t *context = batch.context + j * step.most_contexts, *output = batch.output + j * step.outputs;
    if (j + 1 < end) {
      for (int a = 0; a < batch.contexts[j + 1]; ++a)
        fetch(input_row(step, batch, context[step.most_contexts + a]), step.width);
      for (int k = 0; k < step.outputs; ++k) fetch(output_row(step, batch, output[step.outputs + k]), step.width);
    }
    const int contexts = batch.contexts[j], met = step.met(contexts);
    for (int a = 0; a < contexts; ++a) x[a] = input_row(step, batch, context[a]);
    for (int k = 0; k < step.outputs; ++k) y[k] = output_row(step, batch, output[k]);
    if (step.mean) {
      mean_row(x, contexts, step.width, step.means + j * step.width);
      x[0] = step.means + j * step.width;
    }
    float* sums = step.steps + j * step.stride;
    multiply(step, x, met, y, sums, room);
    const int64_t position = batch.positions[j];
    const int32_t* drawn = windows.drawn(position);
    if (position % word2vec_loss_every == 0)
      step.losses[position / word2vec_loss_every] = loss_of(sums, met, step.outputs, drawn);
    to_steps(sums, met, step.outputs, drawn, step.rate);
  }
}

/// Moves columns `first` and on of a batch's rows of the input table, or of `added` where words are made of parts. The
/// output table stands still meanwhile.
inline void move_inputs(const StepMemory& step, const Batch& batch, int64_t first, int64_t columns, float* added) {
  const float* y[most_rows];
  float weights[most_rows];
  HWY_ALIGN float joined[most_moved_columns];
  const auto row_of = [&](int32_t slot) {
    return step.parts ? added + slot * step.piece : step.input + batch.input_rows.rows[slot] * step.width + first;
  };
  for (int64_t j = 0; j < batch.centres; ++j) {
    const int32_t *context = batch.context + j * step.most_contexts, *output = batch.output + j * step.outputs;
    if (j + 1 < batch.centres) {
      for (int a = 0; a < batch.contexts[j + 1]; ++a) fetch(row_of(context[step.most_contexts + a]), columns);
      for (int k = 0; k < step.outputs; ++k) fetch(output_row(step, batch, output[step.outputs + k]) + first, columns);
    }
    const float* steps = step.steps + j * step.stride;
    for (int k = 0; k < step.outputs; ++k) y[k] = output_row(step, batch, output[k]) + first;
    if (step.mean) {
      std::fill_n(joined, columns, 0.0f);
      add_rows(joined, columns, y, steps, step.outputs);
    }
    for (int a = 0; a < batch.contexts[j]; ++a) {
      const float share = batch.input_rows.share[context[a]], *only = joined;
      for (int k = 0; k < step.outputs; ++k) weights[k] = share * steps[(step.mean ? 0 : a) * step.outputs + k];
      if (step.mean)
        add_rows(row_of(context[a]), columns, &only, &share, 1);
      else
        add_rows(row_of(context[a]), columns, y, weights, step.outputs);
    }
  }
}

/// Moves those of the output table; `before` has the columns of skip-gram's input rows as they stood.
inline void move_outputs(const StepMemory& step, const Batch& batch, int64_t first, int64_t columns,
                         const float* before) {
  const float* x[most_rows];
  float weights[most_rows];
  for (int64_t j = 0; j < batch.centres; ++j) {
    const int32_t *context = batch.context + j * step.most_contexts, *output = batch.output + j * step.outputs;
    if (j + 1 < batch.centres)
      for (int k = 0; k < step.outputs; ++k) fetch(output_row(step, batch, output[step.outputs + k]) + first, columns);
    const int met = step.met(batch.contexts[j]);
    for (int a = 0; a < met; ++a)
      x[a] = step.mean    ? step.means + j * step.width + first
             : step.parts ? step.made + context[a] * step.width + first
                          : before + context[a] * step.piece;
    for (int k = 0; k < step.outputs; ++k) {
      const float share = batch.output_rows.share[output[k]];
      for (int a = 0; a < met; ++a) weights[a] = share * step.steps[j * step.stride + a * step.outputs + k];
      add_rows(output_row(step, batch, output[k]) + first, columns, x, weights, met);
    }
  }
}

/// What the batch adds to its words' vectors goes to their rows, in the order of the slots.
inline void share_out(const StepMemory& step, const Batch& batch, int64_t first, int64_t columns, const float* added) {
  const float* share = batch.part_shares.data();
  const auto row_of = [&](int32_t part) { return step.input + step.parts[part] * step.width + first; };
  for (int slot = 0; slot < batch.input_rows.count; ++slot, added += step.piece) {
    const int32_t word = batch.input_rows.rows[slot];
    if (slot + 1 < batch.input_rows.count) {
      const int32_t next = batch.input_rows.rows[slot + 1];
      for (int32_t part = step.part_starts[next]; part < step.part_starts[next + 1]; ++part)
        fetch(row_of(part), columns);
    }
    for (int32_t part = step.part_starts[word]; part < step.part_starts[word + 1]; ++part, ++share)
      add_rows(row_of(part), columns, &added, share, 1);
  }
}

/// Moves columns `first` and on of a batch's rows, centre by centre, by what the steps and the rows as they stood say.
/// `room` holds those columns of each input slot.
void move(const StepMemory& step, const Batch& batch, int64_t first, float* room) {
  const int64_t columns = std::min(step.piece, step.width - first);
  const BatchRows& inputs = batch.input_rows;
  if (step.parts)
    std::fill_n(room, inputs.count * step.piece, 0.0f);
  else if (!step.mean)
    for (int slot = 0; slot < inputs.count; ++slot) {
      constexpr int ahead = 8;
      if (slot + ahead < inputs.count) fetch(input_row(step, batch, slot + ahead) + first, columns);
      std::copy_n(input_row(step, batch, slot) + first, columns, room + slot * step.piece);
    }
  move_inputs(step, batch, first, columns, room);
  move_outputs(step, batch, first, columns, room);
  if (step.parts) share_out(step, batch, first, columns, room);
}

/// The lock-free mode: centres one after the other, on rows that other threads move meanwhile (Recht and others,
/// "Hogwild!", 2011). `room` holds outputs + 1 rows.
void train_centres(const StepMemory& step, const Windows& windows, int64_t begin, int64_t end, float* products,
                   float* room) {
  float *x[most_rows], *y[most_rows], weights[most_rows];
  int32_t context[2][most_rows];
  const int64_t width = step.width;
  Window next = windows.at(begin, context[begin & 1]);
  for (int64_t p = begin; p < end; ++p) {
    const Window window = next;
    if (p + 1 < end) {
      next = windows.at(p + 1, context[(p + 1) & 1]);
      if (next.contexts)
        for (int k = 0; k < step.outputs; ++k)
          for (int64_t i = 0; i < width && next.drawn[k] >= 0; i += 16)
            __builtin_prefetch(step.output + next.drawn[k] * width + i, 1);
    }
    if (window.contexts == 0) continue;
    const int met = step.met(window.contexts);
    for (int a = 0; a < window.contexts; ++a) x[a] = step.input + window.context[a] * width;
    for (int k = 0; k < step.outputs; ++k) y[k] = step.output + std::max(window.drawn[k], 0) * width;
    float *mean = room + step.outputs * width, *const *from = x;
    if (step.mean) {
      mean_row(x, window.contexts, width, mean);
      from = &mean;
    }
    all_dots(from, met, y, step.outputs, width, products);
    if (p % word2vec_loss_every == 0)
      step.losses[p / word2vec_loss_every] = loss_of(products, met, step.outputs, window.drawn);
    to_steps(products, met, step.outputs, window.drawn, step.rate);
    for (int k = 0; k < step.outputs; ++k) {
      for (int a = 0; a < met; ++a) weights[a] = products[a * step.outputs + k];
      std::fill_n(room + k * width, width, 0.0f);
      add_rows(room + k * width, width, from, weights, met);
    }
    for (int a = 0; a < window.contexts; ++a)
      add_rows(x[a], width, y, products + (step.mean ? 0 : a) * step.outputs, step.outputs);
    for (int k = 0; k < step.outputs; ++k) {
      const float *change = room + k * width, one = 1;
      if (window.drawn[k] >= 0) add_rows(y[k], width, &change, &one, 1);
    }
  }
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
namespace {

HWY_EXPORT(make);
HWY_EXPORT(meet);
HWY_EXPORT(move);
HWY_EXPORT(train_centres);

/// An even number of pieces, as that of threads mostly is.
int64_t piece_of(int64_t width) {
  const int64_t pairs = (width + 2 * most_moved_columns - 1) / (2 * most_moved_columns);
  return ((width + 2 * pairs - 1) / (2 * pairs) + 15) / 16 * 16;
}

StepMemory memory_of(const Word2VecCall& call, const Windows& windows) {
  const bool mean = call.options.model == WordModel::cbow;
  const int64_t most = int64_t{mean ? 1 : windows.most_contexts()} * windows.outputs();
  return {.input = call.input.data<float>(),
          .output = call.output.data<float>(),
          .losses = call.losses.data<float>(),
          .width = call.input.size(1),
          .mean = mean,
          .most_contexts = windows.most_contexts(),
          .outputs = windows.outputs(),
          .stride = (most + 15) / 16 * 16,
          .rate = static_cast<float>(*call.learning_rate.data<double>()),
          .part_starts = call.parts.defined() ? call.parts.starts.data<int32_t>() : nullptr,
          .parts = call.parts.defined() ? call.parts.rows.data<int32_t>() : nullptr,
          .piece = piece_of(call.input.size(1))};
}

void train_fast(const StepMemory& step, const Windows& windows) {
  const auto train = HWY_DYNAMIC_DISPATCH(train_centres);
  parallel_for(windows.positions(), 1024, [&](int64_t begin, int64_t end) {
    const Tensor room = Tensor::empty({step.stride + (step.outputs + 1) * step.width});
    train(step, windows, begin, end, room.data<float>(), room.data<float>() + step.stride);
  });
}

/// Batch after batch: steps by groups of centres, from whole rows of tables that nobody moves; then updates by pieces
/// of columns. Rows are not gathered for all of it: what the updates need as it stood, each piece copies for itself, so
/// that a batch's memory is little more than its rows and a thread's stays in its cache.
void train_batches(const Word2VecCall& call, StepMemory step, const Windows& windows) {
  const Plan plan(call, windows);
  const auto make_words = HWY_DYNAMIC_DISPATCH(make);
  const auto meet_centres = HWY_DYNAMIC_DISPATCH(meet);
  const auto move_piece = HWY_DYNAMIC_DISPATCH(move);
  int64_t slots = 0, centres = 0;
  for (int64_t b = 0; b < plan.batches(); ++b) {
    slots = std::max<int64_t>(slots, plan[b].input_rows.count);
    centres = std::max<int64_t>(centres, plan[b].centres);
  }
  const Tensor steps = Tensor::empty({centres * step.stride});
  const Tensor vectors = Tensor::empty({(step.mean ? centres : 0) + (step.parts ? slots : 0), step.width});
  step.steps = steps.data<float>();
  step.means = vectors.data<float>();
  step.made = step.means + (step.mean ? centres : 0) * step.width;
  const int64_t pieces = (step.width + step.piece - 1) / step.piece;
  for (int64_t b = 0; b < plan.batches(); ++b) {
    const Batch& batch = plan[b];
    if (step.parts)
      parallel_for(batch.input_rows.count, 64,
                   [&](int64_t begin, int64_t end) { make_words(step, batch, begin, end); });
    parallel_for(batch.centres, 64, [&](int64_t begin, int64_t end) {
      const Tensor room = Tensor::empty({meeting_room(step)});
      meet_centres(step, batch, windows, room.data<float>(), begin, end);
    });
    parallel_for(pieces, 1, [&](int64_t piece, int64_t) {
      const Tensor room = Tensor::empty({slots * step.piece});
      // First every other one: threads that move neighbours would share the cache lines between them.
      const int64_t evens = (pieces + 1) / 2, which = piece < evens ? 2 * piece : 2 * (piece - evens) + 1;
      move_piece(step, batch, which * step.piece, room.data<float>());
    });
  }
}

}  // namespace

void word2vec(const Word2VecCall& call) {
  const Windows windows(call);
  const StepMemory step = memory_of(call, windows);
  std::fill_n(step.losses, call.losses.numel(), 0.0f);
  if (call.options.fast && !call.parts.defined())
    train_fast(step, windows);
  else
    train_batches(call, step, windows);
}

}  // namespace percale::cpu
#endif
