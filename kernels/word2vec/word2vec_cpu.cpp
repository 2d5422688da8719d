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

/// Columns that a thread works on at a time, from a batch's gathering to its update: no other thread touches them, so
/// they stay in its cache. A divisor of every width would be better still; 64 are four cache lines.
inline constexpr int64_t piece_columns = 64;
inline constexpr int most_rows = 2000 + 1001;  // of one centre: the windows' and the noise's limit

/// What one call works with. Tables are [words, width].
struct StepMemory {
  float *input, *output, *losses;
  int64_t width;
  bool mean;  ///< CBOW: the words around a centre are met as their mean
  int most_contexts, outputs;
  int64_t stride;  ///< products a centre, in whole vectors
  float rate;
  const int32_t *part_starts, *parts;  ///< of the words' rows, or null where word w is row w

  int met(int contexts) const { return mean ? 1 : contexts; }
};

/// One batch, and a piece of the columns: its rows as they stood when the batch began, and its part of the products.
struct PieceMemory {
  int64_t first, columns;
  float *input, *output, *means, *products;
  float* added;  ///< of words made of parts: what the batch adds to each slot's vector
};

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

/// The mean of a word's rows.
inline void mean_of_parts(const StepMemory& step, int32_t word, const float* table, int64_t columns, float* to) {
  constexpr int32_t at_once = 16;
  const int32_t begin = step.part_starts[word], end = step.part_starts[word + 1];
  const float *rows[at_once], each = 1.0f / static_cast<float>(end - begin);
  float weights[at_once];
  std::fill_n(weights, at_once, each);
  std::fill_n(to, columns, 0.0f);
  for (int32_t first = begin; first < end; first += at_once) {
    const int32_t count = std::min(at_once, end - first);
    for (int32_t i = 0; i < count; ++i) rows[i] = table + step.parts[first + i] * step.width;
    add_rows(to, columns, rows, weights, count);
  }
}

inline void make_rows(const StepMemory& step, const BatchRows& rows, const float* table, int64_t columns, float* to) {
  for (int slot = 0; slot < rows.count; ++slot, to += piece_columns) {
    mean_of_parts(step, rows.rows[slot], table, columns, to);
    if (columns < piece_columns) std::fill(to + columns, to + piece_columns, 0.0f);
  }
}

/// What the batch adds to its words' vectors goes to their rows, in the order of the slots.
inline void share_out(const StepMemory& step, const Batch& batch, const PieceMemory& piece) {
  const float *share = batch.part_shares.data(), *added = piece.added;
  for (int slot = 0; slot < batch.input_rows.count; ++slot, added += piece_columns) {
    const int32_t word = batch.input_rows.rows[slot];
    for (int32_t part = step.part_starts[word]; part < step.part_starts[word + 1]; ++part, ++share)
      add_rows(step.input + piece.first + step.parts[part] * step.width, piece.columns, &added, share, 1);
  }
}

inline void copy_rows(const BatchRows& rows, const float* table, int64_t width, int64_t columns, float* to) {
  for (int slot = 0; slot < rows.count; ++slot, to += piece_columns) {
    std::memcpy(to, table + rows.rows[slot] * width, static_cast<size_t>(columns) * sizeof(float));
    if (columns < piece_columns) std::fill(to + columns, to + piece_columns, 0.0f);
  }
}

inline void mean_row(const float* const* rows, int count, int64_t columns, float* mean) {
  const float weight = 1.0f / static_cast<float>(count);
  std::fill_n(mean, columns, 0.0f);
  for (int a = 0; a < count; ++a) add_rows(mean, columns, rows + a, &weight, 1);
}

/// Gathers a batch's rows, and multiplies each centre's.
void meet(const StepMemory& step, const Batch& batch, const PieceMemory& piece) {
  if (step.parts)
    make_rows(step, batch.input_rows, step.input + piece.first, piece.columns, piece.input);
  else
    copy_rows(batch.input_rows, step.input + piece.first, step.width, piece.columns, piece.input);
  copy_rows(batch.output_rows, step.output + piece.first, step.width, piece.columns, piece.output);
  const float *x[most_rows], *y[most_rows];
  for (int j = 0; j < batch.centres; ++j) {
    const int contexts = batch.contexts[j];
    for (int a = 0; a < contexts; ++a) x[a] = piece.input + batch.context[j * step.most_contexts + a] * piece_columns;
    for (int k = 0; k < step.outputs; ++k) y[k] = piece.output + batch.output[j * step.outputs + k] * piece_columns;
    if (step.mean) {
      mean_row(x, contexts, piece_columns, piece.means + j * piece_columns);
      x[0] = piece.means + j * piece_columns;
    }
    all_dots(x, step.met(contexts), y, step.outputs, piece_columns, piece.products + j * step.stride);
  }
}

/// The pieces' products become one, in their order, and then steps.
void judge(const StepMemory& step, const Batch& batch, const Windows& windows, const float* const* products,
           int64_t pieces, float* steps, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; ++j) {
    float* sums = steps + j * step.stride;
    const int met = step.met(batch.contexts[j]);
    const float one = 1;
    std::copy_n(products[0] + j * step.stride, step.stride, sums);
    for (int64_t piece = 1; piece < pieces; ++piece) {
      const float* more = products[piece] + j * step.stride;
      add_rows(sums, int64_t{met} * step.outputs, &more, &one, 1);
    }
    const int64_t position = batch.positions[j];
    const int32_t* drawn = windows.drawn(position);
    if (position % word2vec_loss_every == 0)
      step.losses[position / word2vec_loss_every] = loss_of(sums, met, step.outputs, drawn);
    to_steps(sums, met, step.outputs, drawn, step.rate);
  }
}

/// Moves a batch's rows, centre by centre, by what the gathered rows and the steps say.
void move(const StepMemory& step, const Batch& batch, const PieceMemory& piece, const float* steps) {
  const float *x[most_rows], *y[most_rows];
  float weights[most_rows];
  HWY_ALIGN float joined[piece_columns];
  float *input = step.input + piece.first, *output = step.output + piece.first;
  if (step.parts) std::fill_n(piece.added, batch.input_rows.count * piece_columns, 0.0f);
  for (int j = 0; j < batch.centres; ++j, steps += step.stride) {
    const int contexts = batch.contexts[j], met = step.met(contexts);
    const int32_t *context = batch.context + j * step.most_contexts, *drawn = batch.output + j * step.outputs;
    for (int a = 0; a < contexts; ++a) x[a] = piece.input + context[a] * piece_columns;
    if (step.mean) x[0] = piece.means + j * piece_columns;
    for (int k = 0; k < step.outputs; ++k) y[k] = piece.output + drawn[k] * piece_columns;
    if (step.mean) {
      std::fill_n(joined, piece_columns, 0.0f);
      add_rows(joined, piece_columns, y, steps, step.outputs);
    }
    for (int a = 0; a < contexts; ++a) {
      float* row = step.parts ? piece.added + context[a] * piece_columns
                              : input + batch.input_rows.rows[context[a]] * step.width;
      const float share = batch.input_rows.share[context[a]];
      const float* only = joined;
      for (int k = 0; k < step.outputs; ++k) weights[k] = share * steps[(step.mean ? 0 : a) * step.outputs + k];
      if (step.mean)
        add_rows(row, piece.columns, &only, &share, 1);
      else
        add_rows(row, piece.columns, y, weights, step.outputs);
    }
    for (int k = 0; k < step.outputs; ++k) {
      const float share = batch.output_rows.share[drawn[k]];
      for (int a = 0; a < met; ++a) weights[a] = share * steps[a * step.outputs + k];
      add_rows(output + batch.output_rows.rows[drawn[k]] * step.width, piece.columns, x, weights, met);
    }
  }
  if (step.parts) share_out(step, batch, piece);
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

HWY_EXPORT(meet);
HWY_EXPORT(judge);
HWY_EXPORT(move);
HWY_EXPORT(train_centres);

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
          .parts = call.parts.defined() ? call.parts.rows.data<int32_t>() : nullptr};
}

void train_fast(const StepMemory& step, const Windows& windows) {
  const auto train = HWY_DYNAMIC_DISPATCH(train_centres);
  parallel_for(windows.positions(), 1024, [&](int64_t begin, int64_t end) {
    const Tensor room = Tensor::empty({step.stride + (step.outputs + 1) * step.width});
    train(step, windows, begin, end, room.data<float>(), room.data<float>() + step.stride);
  });
}

/// Batch after batch: products by pieces of columns, steps by groups of centres, updates by pieces of columns again, in
/// one go with the next batch's products: threads wait for each other twice a batch.
void train_batches(const Word2VecCall& call, const StepMemory& step, const Windows& windows) {
  const Plan plan(call, windows);
  const auto meet_piece = HWY_DYNAMIC_DISPATCH(meet);
  const auto judge_centres = HWY_DYNAMIC_DISPATCH(judge);
  const auto move_piece = HWY_DYNAMIC_DISPATCH(move);
  const int64_t pieces = (step.width + piece_columns - 1) / piece_columns;
  const int64_t most = std::min(call.options.batch, windows.positions());
  const int64_t inputs = most * step.most_contexts * piece_columns, outputs = most * step.outputs * piece_columns;
  const int64_t means = step.mean ? most * piece_columns : 0, added = step.parts ? inputs : 0;
  const int64_t each = inputs + outputs + means + most * step.stride + added;
  const Tensor room = Tensor::empty({pieces * each + most * step.stride});
  float* steps = room.data<float>() + pieces * each;
  std::vector<PieceMemory> memory;
  std::vector<const float*> products;
  for (int64_t piece = 0; piece < pieces; ++piece) {
    float* at = room.data<float>() + piece * each;
    memory.push_back({piece * piece_columns, std::min(piece_columns, step.width - piece * piece_columns), at,
                      at + inputs, at + inputs + outputs, at + inputs + outputs + means, at + each - added});
    products.push_back(memory.back().products);
  }
  for (int64_t b = 0; b <= plan.batches(); ++b) {
    parallel_for(pieces, 1, [&](int64_t index, int64_t) {
      const PieceMemory& piece = memory[static_cast<size_t>(index)];
      if (b > 0) move_piece(step, plan[b - 1], piece, steps);
      if (b < plan.batches()) meet_piece(step, plan[b], piece);
    });
    if (b == plan.batches()) break;
    parallel_for(plan[b].centres, 256, [&](int64_t begin, int64_t end) {
      judge_centres(step, plan[b], windows, products.data(), pieces, steps, begin, end);
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
