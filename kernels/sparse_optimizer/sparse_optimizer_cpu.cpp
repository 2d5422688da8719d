#include "../../core/cpu/threads.h"
#include "../common/row_entries.h"
#include "../optimizer/optimizer_twins.h"
#include "sparse_optimizer_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/sparse_optimizer/sparse_optimizer_cpu.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // before highway.h
#include <hwy/highway.h>

#include "../common/row_sums-inl.h"
#include "../optimizer/optimizer_update-inl.h"

#ifndef PERCALE_ROW_MEMORY
#define PERCALE_ROW_MEMORY
namespace percale::cpu {

/// A block of the table's rows, and all rows of the gradient.
template <class T>
struct RowMemory {
  T* table;
  T* states[3];
  const T* rows;
  int64_t width;
};

}  // namespace percale::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Asks for the row of the table and of its states that an entry some way ahead will move.
template <int states, class T>
HWY_INLINE void prefetch_state(const RowMemory<T>& memory, const RowEntry* entry, const RowEntry* end) {
  if (entry >= end || entry->row_in_block() == (entry - 1)->row_in_block()) return;
  constexpr int64_t line = 64 / sizeof(T);
  const int64_t at = entry->row_in_block() * memory.width;
  for (int64_t column = 0; column < std::min<int64_t>(memory.width, 16 * line); column += line) {
    hwy::Prefetch(memory.table + at + column);
    for (int k = 0; k < states; ++k) hwy::Prefetch(memory.states[k] + at + column);
  }
}

/// Each row that the block's entries name: its gradient is summed in registers and moves it at once.
template <int states, class T, class Numbers>
void step_rows(const RowMemory<T>& memory, const Numbers& numbers, const RowEntries::Block& block) {
  constexpr int64_t ahead = 4;
  const RowEntry* end = block.entries + block.count;
  block.for_each_row([&](int64_t row, const RowEntry* entries, int64_t count) HWY_ATTR {
    for (int64_t i = 0; i < count; ++i) {
      simd::prefetch_row(memory.rows, memory.width, entries + i + ahead, end);
      prefetch_state<states>(memory, entries + i + ahead, end);
    }
    const int64_t first = row * memory.width;
    simd::sum_row(memory.rows, memory.width, entries, count, [&](auto d, int64_t column, auto gradient) HWY_ATTR {
      const int64_t at = first + column;
      hn::Vec<decltype(d)> own[states + 1];
      for (int k = 0; k < states; ++k) own[k] = hn::LoadU(d, memory.states[k] + at);
      const auto moved = updated<states>(d, numbers, hn::LoadU(d, memory.table + at), gradient, own);
      for (int k = 0; k < states; ++k) hn::StoreU(own[k], d, memory.states[k] + at);
      hn::StoreU(moved, d, memory.table + at);
    });
  });
}

template <class T>
void sgd(const RowMemory<T>& memory, const SgdNumbers<T>& numbers, const RowEntries::Block& block) {
  if (numbers.has_momentum)
    step_rows<1>(memory, numbers, block);
  else
    step_rows<0>(memory, numbers, block);
}
void sgd_f32(const RowMemory<float>& m, const SgdNumbers<float>& n, const RowEntries::Block& b) { sgd(m, n, b); }
void sgd_f64(const RowMemory<double>& m, const SgdNumbers<double>& n, const RowEntries::Block& b) { sgd(m, n, b); }

void adagrad_f32(const RowMemory<float>& m, const AdagradNumbers<float>& n, const RowEntries::Block& b) {
  step_rows<1>(m, n, b);
}
void adagrad_f64(const RowMemory<double>& m, const AdagradNumbers<double>& n, const RowEntries::Block& b) {
  step_rows<1>(m, n, b);
}

template <class T>
void adam(const RowMemory<T>& memory, const AdamNumbers<T>& numbers, const RowEntries::Block& block) {
  if (memory.states[2])
    step_rows<3>(memory, numbers, block);
  else
    step_rows<2>(memory, numbers, block);
}
void adam_f32(const RowMemory<float>& m, const AdamNumbers<float>& n, const RowEntries::Block& b) { adam(m, n, b); }
void adam_f64(const RowMemory<double>& m, const AdamNumbers<double>& n, const RowEntries::Block& b) { adam(m, n, b); }

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(sgd_f32);
HWY_EXPORT(sgd_f64);
HWY_EXPORT(adagrad_f32);
HWY_EXPORT(adagrad_f64);
HWY_EXPORT(adam_f32);
HWY_EXPORT(adam_f64);

namespace {

/// Runs `update` over blocks of rows: a row's entries meet in one thread, in their order.
template <class T, class Numbers, class Update>
void update_rows(const SparseStep& step, Numbers numbers, Update update) {
  const RowEntries entries(step.index, step.table.size(0));
  parallel_for(entries.blocks(), 1, [&](int64_t block, int64_t) {
    const int64_t width = step.table.size(1), first = entries.first_row(block) * width;
    RowMemory<T> memory{step.table.data<T>() + first, {}, step.rows.data<T>(), width};
    for (int k = 0; k < step.state_count(); ++k) memory.states[k] = step.states[k].data<T>() + first;
    update(memory, numbers, entries.sorted(block));
  });
}

/// Counts the step and works out its numbers, then runs the update of the table's dtype.
template <template <class> class Numbers, class Options, class Single, class Double>
void run_step(const SparseStep& step, const Options& options, Single single, Double in_double) {
  const double rate = *step.learning_rate.data<double>(), count = *step.step.data<double>() += 1;
  if (step.table.dtype() == f32)
    update_rows<float>(step, Numbers<float>(options, rate, count), single);
  else
    update_rows<double>(step, Numbers<double>(options, rate, count), in_double);
}

/// A row's momentum starts from zeros, whichever step is its first.
template <class T>
struct RowSgdNumbers : SgdNumbers<T> {
  RowSgdNumbers(const SgdOptions& options, double rate, double count) : SgdNumbers<T>(options, rate, count) {
    this->first = false;
  }
};

}  // namespace

void sparse_sgd_step(const SparseStep& step, const SgdOptions& options) {
  run_step<RowSgdNumbers>(step, options, HWY_DYNAMIC_DISPATCH(sgd_f32), HWY_DYNAMIC_DISPATCH(sgd_f64));
}

void sparse_adagrad_step(const SparseStep& step, const AdagradOptions& options) {
  run_step<AdagradNumbers>(step, options, HWY_DYNAMIC_DISPATCH(adagrad_f32), HWY_DYNAMIC_DISPATCH(adagrad_f64));
}

void sparse_adam_step(const SparseStep& step, const AdamOptions& options) {
  run_step<AdamNumbers>(step, options, HWY_DYNAMIC_DISPATCH(adam_f32), HWY_DYNAMIC_DISPATCH(adam_f64));
}

}  // namespace percale::cpu
#endif
