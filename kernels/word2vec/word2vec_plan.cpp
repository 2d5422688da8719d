#include "word2vec_plan.h"

#include <algorithm>

namespace percale::cpu {
namespace {

/// Gives each different row a slot, and counts how often it is met.
class Slots {
 public:
  Slots(BatchRows& rows, int64_t table_rows) : rows_(rows), slots_(table_of(table_rows)) { rows_.count = 0; }

  int32_t of(int32_t row) {
    int32_t& slot = slots_[static_cast<size_t>(row)];
    if (slot < 0) {
      slot = rows_.count++;
      rows_.rows[slot] = row;
      rows_.share[slot] = 0;
    }
    rows_.share[slot] += 1;
    return slot;
  }

  /// Counts become shares, and the table of slots is empty again.
  void finish(float crowd) {
    for (int slot = 0; slot < rows_.count; ++slot) {
      slots_[static_cast<size_t>(rows_.rows[slot])] = -1;
      rows_.share[slot] = crowd_share(crowd, rows_.share[slot]);
    }
  }

 private:
  /// All -1 between batches, so that a batch costs what it has and not what the table has.
  static std::vector<int32_t>& table_of(int64_t rows) {
    thread_local std::vector<int32_t> slots;
    if (slots.size() < static_cast<size_t>(rows)) slots.resize(static_cast<size_t>(rows), -1);
    return slots;
  }

  BatchRows& rows_;
  std::vector<int32_t>& slots_;
};

}  // namespace

Plan::Plan(const Word2VecCall& call, const Windows& windows) : batches_(static_cast<size_t>(call.batches())) {
  const int64_t most = std::min(call.options.batch, windows.positions());
  const int64_t contexts = windows.most_contexts(), outputs = windows.outputs();
  each_ = most * (2 + 2 * contexts + 2 * outputs);
  shares_each_ = most * (contexts + outputs);
  numbers_ = Tensor::empty({batches() * each_}, {i32, cpu_device});
  shares_ = Tensor::empty({batches() * shares_each_});
  parallel_for(batches(), 1, [&](int64_t index, int64_t) { plan(call, windows, index); });
}

void Plan::share_parts(const Word2VecCall& call, Batch& batch) {
  thread_local std::vector<int32_t> times;  // all 0 between batches
  if (times.size() < static_cast<size_t>(call.input.size(0))) times.resize(static_cast<size_t>(call.input.size(0)), 0);
  const int32_t *starts = call.parts.starts.data<int32_t>(), *rows = call.parts.rows.data<int32_t>();
  const auto for_each_part = [&](auto body) {
    for (int slot = 0; slot < batch.input_rows.count; ++slot) {
      const int32_t word = batch.input_rows.rows[slot];
      for (int32_t part = starts[word]; part < starts[word + 1]; ++part) body(times[static_cast<size_t>(rows[part])]);
    }
  };
  for_each_part([](int32_t& met) { ++met; });
  const auto crowd = static_cast<float>(call.options.crowd);
  for_each_part([&](int32_t met) { batch.part_shares.push_back(crowd_share(crowd, static_cast<float>(met))); });
  for_each_part([](int32_t& met) { met = 0; });
}

void Plan::plan(const Word2VecCall& call, const Windows& windows, int64_t index) {
  const int64_t most = std::min(call.options.batch, windows.positions());
  const int contexts = windows.most_contexts(), outputs = windows.outputs();
  int32_t* positions = numbers_.data<int32_t>() + index * each_;
  int32_t *counts = positions + most, *context = counts + most, *output = context + most * contexts;
  int32_t* input_rows = output + most * outputs;
  float* shares = shares_.data<float>() + index * shares_each_;
  Batch& batch = batches_[static_cast<size_t>(index)];
  batch = {0,
           positions,
           counts,
           context,
           output,
           {input_rows, shares, 0},
           {input_rows + most * contexts, shares + most * contexts, 0},
           {}};
  const auto crowd = static_cast<float>(call.options.crowd);
  {
    Slots inputs(batch.input_rows, call.words());
    for (int64_t p = index; p < windows.positions(); p += batches()) {
      int32_t* slots = context + int64_t{batch.centres} * contexts;
      const Window window = windows.at(p, slots);
      if (window.contexts == 0) continue;
      for (int a = 0; a < window.contexts; ++a) slots[a] = inputs.of(slots[a]);
      positions[batch.centres] = static_cast<int32_t>(p);
      counts[batch.centres++] = window.contexts;
    }
    inputs.finish(crowd);
  }
  if (call.parts.defined()) share_parts(call, batch);
  Slots rows(batch.output_rows, call.words());
  for (int j = 0; j < batch.centres; ++j, output += outputs) {
    const int32_t* drawn = windows.drawn(positions[j]);
    for (int k = 0; k < outputs; ++k) output[k] = drawn[k] < 0 ? output[0] : rows.of(drawn[k]);
  }
  rows.finish(crowd);
}

}  // namespace percale::cpu
