#include <algorithm>
#include <cmath>
#include <cstring>

#include "../../core/cpu/threads.h"
#include "../common/convert.h"
#include "../common/index_range.h"
#include "../common/row_entries.h"
#include "embedding_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/embedding/embedding_cpu.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // before highway.h
#include <hwy/highway.h>

#include "../common/row_sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Whether whole vectors can be stored past the cache: rows of `bytes` bytes, one after the other from `to` on.
bool can_stream(const void* to, int64_t bytes) {
  const size_t vector = hn::Lanes(hn::ScalableTag<uint8_t>());
  return bytes % static_cast<int64_t>(vector) == 0 && reinterpret_cast<uintptr_t>(to) % vector == 0;
}

template <class Index>
void gather(const uint8_t* table, const Index* index, int64_t count, int64_t bytes, uint8_t* to, bool stream) {
  const hn::ScalableTag<uint8_t> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  constexpr int64_t ahead = 8;  // rows lie anywhere: asked for early, they come at once
  for (int64_t k = 0; k < count; ++k, to += bytes) {
    const uint8_t* row = table + static_cast<int64_t>(index[k]) * bytes;
    if (k + ahead < count) {
      const uint8_t* next = table + static_cast<int64_t>(index[k + ahead]) * bytes;
      for (int64_t line = 0; line < std::min<int64_t>(bytes, 1024); line += 64) hwy::Prefetch(next + line);
    }
    if (!stream)
      std::memcpy(to, row, static_cast<size_t>(bytes));
    else
      for (int64_t i = 0; i < bytes; i += lanes) hn::Stream(hn::LoadU(d, row + i), d, to + i);
  }
  hwy::FlushStream();
}
void gather_i64(const uint8_t* table, const int64_t* index, int64_t count, int64_t bytes, uint8_t* to, bool stream) {
  gather(table, index, count, bytes, to, stream && can_stream(to, bytes));
}
void gather_i32(const uint8_t* table, const int32_t* index, int64_t count, int64_t bytes, uint8_t* to, bool stream) {
  gather(table, index, count, bytes, to, stream && can_stream(to, bytes));
}

template <bool stream, class D>
HWY_INLINE void put(hn::Vec<D> value, D d, hn::TFromD<D>* to) {
  if constexpr (stream)
    hn::Stream(value, d, to);
  else
    hn::StoreU(value, d, to);
}

template <bool stream, class T>
HWY_INLINE void put_zeros(T* to, int64_t count) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) put<stream>(hn::Zero(d), d, to + i);
  for (; i < count; ++i) to[i] = T(0);
}

/// All `rows` rows of a block: sums where it has entries, zeros elsewhere.
template <bool stream, class T>
void sum_block(const T* upstream, int64_t width, const RowEntries::Block& block, int64_t rows, T* gradient) {
  const RowEntry* end = block.entries + block.count;
  int64_t next = 0;
  block.for_each_row([&](int64_t row, const RowEntry* entries, int64_t count) HWY_ATTR {
    put_zeros<stream>(gradient + next * width, (row - next) * width);
    for (int64_t i = 0; i < count; ++i) simd::prefetch_row(upstream, width, entries + i + 8, end);
    T* to = gradient + row * width;
    simd::sum_row(upstream, width, entries, count, [to](auto d, int64_t column, auto sum) HWY_ATTR {
      if constexpr (stream && hn::MaxLanes(d) > 1)
        hn::Stream(sum, d, to + column);
      else
        hn::StoreU(sum, d, to + column);
    });
    next = row + 1;
  });
  put_zeros<stream>(gradient + next * width, (rows - next) * width);
  hwy::FlushStream();
}

template <class T>
void sum_block(const T* upstream, int64_t width, const RowEntries::Block& block, int64_t rows, T* gradient,
               bool stream) {
  if (stream && can_stream(gradient, width * static_cast<int64_t>(sizeof(T))))
    sum_block<true>(upstream, width, block, rows, gradient);
  else
    sum_block<false>(upstream, width, block, rows, gradient);
}
void sum_block_f32(const float* upstream, int64_t width, const RowEntries::Block& block, int64_t rows, float* gradient,
                   bool stream) {
  sum_block(upstream, width, block, rows, gradient, stream);
}
void sum_block_f64(const double* upstream, int64_t width, const RowEntries::Block& block, int64_t rows,
                   double* gradient, bool stream) {
  sum_block(upstream, width, block, rows, gradient, stream);
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(gather_i64);
HWY_EXPORT(gather_i32);
HWY_EXPORT(sum_block_f32);
HWY_EXPORT(sum_block_f64);

namespace {

/// Results beyond a core's own cache are stored past it: they would push out what is read, and be read from memory
/// first.
constexpr int64_t cached_bytes = 2 << 20;

int64_t bytes_of(const Tensor& tensor) { return tensor.numel() * static_cast<int64_t>(size_of(tensor.dtype())); }

/// As sum_block, for f16 and bf16, summed in f32.
template <class T>
void sum_block_half(const T* upstream, int64_t width, const RowEntries::Block& block, int64_t rows, T* gradient, bool) {
  std::fill_n(gradient, rows * width, T(0.0f));
  block.for_each_row([&](int64_t row, const RowEntry* entries, int64_t count) {
    for (int64_t column = 0; column < width; ++column) {
      float sum = 0;
      for (int64_t i = 0; i < count; ++i) sum += static_cast<float>(upstream[entries[i].position() * width + column]);
      gradient[row * width + column] = T(sum);
    }
  });
}

template <class T, class SumBlock>
void sum_blocks(const Tensor& upstream, const Tensor& index, const Tensor& gradient, SumBlock sum_block) {
  const RowEntries entries(index, gradient.size(0));
  const int64_t width = gradient.size(1);
  const bool stream = bytes_of(gradient) > cached_bytes;
  parallel_for(entries.blocks(), 1, [&](int64_t block, int64_t) {
    const int64_t first = entries.first_row(block);
    sum_block(upstream.data<T>(), width, entries.sorted(block), entries.end_row(block) - first,
              gradient.data<T>() + first * width, stream);
  });
}

template <class T>
double norm_of(const T* row, int64_t width, double type) {
  double norm = 0;
  for (int64_t i = 0; i < width; ++i) {
    const double size = std::abs(static_cast<double>(static_cast<compute_t<T>>(row[i])));
    if (std::isinf(type))
      norm = std::max(norm, size);
    else
      norm += type == 2 ? size * size : std::pow(size, type);
  }
  return std::isinf(type) ? norm : type == 2 ? std::sqrt(norm) : std::pow(norm, 1 / type);
}

}  // namespace

void gather_rows(const Tensor& table, const Tensor& index, const Tensor& rows) {
  const int64_t bytes = table.size(1) * static_cast<int64_t>(size_of(table.dtype()));
  const bool stream = bytes_of(rows) > cached_bytes;
  const auto* from = static_cast<const uint8_t*>(table.data());
  auto* to = static_cast<uint8_t*>(rows.data());
  auto run = [&](const auto* positions, auto gather) {
    check_range("embedding", index_message, positions, index.shape(), table.size(0));
    parallel_for(index.numel(), std::max<int64_t>((256 << 10) / std::max<int64_t>(bytes, 1), 1),
                 [&](int64_t begin, int64_t end) {
                   gather(from, positions + begin, end - begin, bytes, to + begin * bytes, stream);
                 });
  };
  if (index.dtype() == i64)
    run(index.data<int64_t>(), HWY_DYNAMIC_DISPATCH(gather_i64));
  else
    run(index.data<int32_t>(), HWY_DYNAMIC_DISPATCH(gather_i32));
}

void sum_rows(const Tensor& upstream, const Tensor& index, const Tensor& gradient) {
  switch (gradient.dtype()) {
    case f32:
      return sum_blocks<float>(upstream, index, gradient, HWY_DYNAMIC_DISPATCH(sum_block_f32));
    case f64:
      return sum_blocks<double>(upstream, index, gradient, HWY_DYNAMIC_DISPATCH(sum_block_f64));
    case f16:
      return sum_blocks<half>(upstream, index, gradient, sum_block_half<half>);
    default:
      return sum_blocks<bfloat16>(upstream, index, gradient, sum_block_half<bfloat16>);
  }
}

void renormalise_rows(const Tensor& table, const Tensor& index, double max_norm, double norm_type) {
  visit_index("embedding", index.dtype(), [&]<class Index>() {
    check_range("embedding", index_message, index.data<Index>(), index.shape(), table.size(0));
  });
  const RowEntries entries(index, table.size(0));
  const int64_t width = table.size(1);
  visit_floating("embedding", table.dtype(), [&]<class T>() {
    parallel_for(entries.blocks(), 1, [&](int64_t block, int64_t) {
      entries.sorted(block).for_each_row([&](int64_t row, const RowEntry*, int64_t) {
        T* values = table.data<T>() + (entries.first_row(block) + row) * width;
        const double norm = norm_of(values, width, norm_type);
        if (!(norm > max_norm)) return;
        const auto factor = static_cast<compute_t<T>>(max_norm / (norm + 1e-7));
        for (int64_t i = 0; i < width; ++i) values[i] = convert_to<T>(static_cast<compute_t<T>>(values[i]) * factor);
      });
    });
  });
}

}  // namespace percale::cpu
#endif
