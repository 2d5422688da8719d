#include <algorithm>

#include "../common/device.h"
#include "optimizer_twins.h"
#include "optimizer_update.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;
constexpr int capacity = 56;  // parameters a launch: what fits the 4 KB of a kernel's arguments

/// Up to `capacity` parameters by value, and which blocks work on which: block b on the last one with first_block <= b.
template <class T>
struct List {
  T* parameter[capacity];
  bfloat16* rounded[capacity];
  const T* gradient[capacity];
  T* states[3][capacity];
  double* step[capacity];
  index_t count[capacity];
  int first_block[capacity];
  int size, blocks;
  int chunk;     ///< elements a block
  bool aligned;  ///< every address allows 16-byte accesses
};
static_assert(sizeof(List<float>) < 3900 && capacity <= 64);

/// A block's parameter and its part of it.
template <class T>
struct Part {
  int index;
  index_t begin, end;

  __device__ explicit Part(const List<T>& list) : index(0) {
    const int block = static_cast<int>(blockIdx.x);
    for (int step = 32; step > 0; step /= 2)
      if (index + step < list.size && list.first_block[index + step] <= block) index += step;
    begin = static_cast<index_t>(block - list.first_block[index]) * list.chunk;
    end = begin + list.chunk < list.count[index] ? begin + list.chunk : list.count[index];
  }
};

/// Calls `body.operator()<width>(i)` for this thread's elements of the part: 16 bytes' worth at a time, then the odd
/// ones.
template <class T, class Body>
__device__ void for_each_vector(const Part<T>& part, bool aligned, Body body) {
  index_t i = part.begin;
  if (aligned) {
    const index_t whole = part.end - part.end % wide<T>;
    for (i += static_cast<index_t>(threadIdx.x) * wide<T>; i < whole; i += threads * wide<T>)
      body.template operator()<wide<T>>(i);
    i = whole > part.begin ? whole : part.begin;
  }
  for (i += threadIdx.x; i < part.end; i += threads) body.template operator()<1>(i);
}

/// Counts the steps, and works out the numbers of this one in f64: once a parameter, for all blocks of the next kernel.
template <class T, class Numbers, class Options>
__global__ void prepare_kernel(List<T> list, Options options, const double* learning_rate, Numbers* numbers,
                               const ErrorRecord* error) {
  const int i = static_cast<int>(threadIdx.x);
  if (has_error(error) || i >= list.size) return;
  const double step = *list.step[i] + 1;
  *list.step[i] = step;
  numbers[i] = Numbers(options, *learning_rate, step);
}

template <int states, class T, class Numbers>
__global__ void step_kernel(List<T> list, const Numbers* all_numbers, const ErrorRecord* error) {
  if (has_error(error)) return;
  const Part<T> part(list);
  const Numbers numbers = all_numbers[part.index];
  T* parameter = list.parameter[part.index];
  bfloat16* rounded = list.rounded[part.index];
  const T* gradient = list.gradient[part.index];
  for_each_vector(part, list.aligned, [&]<int width>(index_t i) {
    Vector<T, width> p = load_vector<width>(parameter + i), state[3];
    const Vector<T, width> g = load_vector<width>(gradient + i);
#pragma unroll
    for (int k = 0; k < states; ++k) state[k] = load_vector<width>(list.states[k][part.index] + i);
#pragma unroll
    for (int lane = 0; lane < width; ++lane) {
      T own[3] = {};
      for (int k = 0; k < states; ++k) own[k] = state[k][lane];
      update<states>(numbers, p[lane], g[lane], own);
      for (int k = 0; k < states; ++k) state[k][lane] = own[k];
    }
    store_vector(parameter + i, p);
    if (rounded) {
      Vector<bfloat16, width> in_bf16;
#pragma unroll
      for (int lane = 0; lane < width; ++lane) in_bf16[lane] = static_cast<float>(p[lane]);
      store_vector(rounded + i, in_bf16);
    }
#pragma unroll
    for (int k = 0; k < states; ++k) store_vector(list.states[k][part.index] + i, state[k]);
  });
}

template <NormKind kind>
struct NormJoin {
  __device__ double operator()(double a, double b) const { return norm_join<kind>(a, b); }
};

template <NormKind kind, class T>
__global__ void norm_parts_kernel(List<T> list, double order, double* parts) {
  const Part<T> part(list);
  const T* values = list.parameter[part.index];
  double joined = 0;
  for_each_vector(part, list.aligned, [&]<int width>(index_t i) {
    const Vector<T, width> loaded = load_vector<width>(values + i);
#pragma unroll
    for (int lane = 0; lane < width; ++lane)
      joined = norm_join<kind>(joined, norm_part<kind>(static_cast<double>(loaded[lane]), order));
  });
  joined = block_reduce(joined, NormJoin<kind>{}, 0.0, dynamic_shared<BlockScratch<double>>());
  if (threadIdx.x == 0) parts[blockIdx.x] = joined;
}

template <NormKind kind, class T>
__global__ void norm_kernel(const double* parts, index_t count, double order, T* norm) {
  double joined = 0;
  for (index_t i = threadIdx.x; i < count; i += threads) joined = norm_join<kind>(joined, parts[i]);
  joined = block_reduce(joined, NormJoin<kind>{}, 0.0, dynamic_shared<BlockScratch<double>>());
  if (threadIdx.x == 0) *norm = static_cast<T>(norm_root(joined, order));
}

/// Multiplies by a factor that follows from a norm in device memory.
template <class T>
struct Scale {
  const T* norm;
  double max_norm;
  __device__ auto ready() const {
    return [factor = static_cast<T>(clip_factor(*norm, max_norm))](T value) { return value * factor; };
  }
};

template <class T>
struct Clamp {
  T limit;
  __device__ auto ready() const {
    return [limit = limit](T value) { return value > limit ? limit : value < -limit ? -limit : value; };
  }
};

template <class T, class Change>
__global__ void change_kernel(List<T> list, Change change, const ErrorRecord* error) {
  if (has_error(error)) return;
  const auto changed = change.ready();
  const Part<T> part(list);
  T* values = list.parameter[part.index];
  for_each_vector(part, list.aligned, [&]<int width>(index_t i) {
    Vector<T, width> loaded = load_vector<width>(values + i);
#pragma unroll
    for (int lane = 0; lane < width; ++lane) loaded[lane] = changed(loaded[lane]);
    store_vector(values + i, loaded);
  });
}

/// Elements a block: enough blocks to fill the device, not many more.
int chunk_for(const ParameterSpans& spans) {
  int64_t total = 0;
  for (const ParameterSpan& span : spans) total += span.count;
  int64_t chunk = 2048;
  while (chunk < (1 << 20) && total / chunk > int64_t{16} * multiprocessor_count()) chunk *= 2;
  return static_cast<int>(chunk);
}

/// Calls `body(list)` for as many lists as it takes to hold all parameters.
template <class T, class Body>
void for_each_list(const ParameterSpans& spans, Body&& body) {
  const int chunk = chunk_for(spans);
  for (size_t begin = 0; begin < spans.size(); begin += capacity) {
    List<T> list{};
    list.chunk = chunk;
    list.aligned = true;
    for (; list.size < capacity && begin + static_cast<size_t>(list.size) < spans.size(); ++list.size) {
      const ParameterSpan& span = spans[begin + static_cast<size_t>(list.size)];
      const int i = list.size;
      list.parameter[i] = static_cast<T*>(span.parameter);
      list.rounded[i] = span.rounded;
      list.gradient[i] = static_cast<const T*>(span.gradient);
      for (int k = 0; k < 3; ++k) list.states[k][i] = static_cast<T*>(span.states[k]);
      list.step[i] = span.step;
      list.count[i] = span.count;
      list.first_block[i] = list.blocks;
      list.blocks += static_cast<int>((span.count + chunk - 1) / chunk);
      for (const void* address : std::initializer_list<const void*>{span.parameter, span.rounded, span.gradient,
                                                                    span.states[0], span.states[1], span.states[2]})
        list.aligned = list.aligned && reinterpret_cast<uintptr_t>(address) % 16 == 0;
    }
    body(list);
  }
}

template <class T, class Numbers, class Options>
void run_step(const ParameterSpans& spans, const Tensor& learning_rate, const Options& options) {
  const Tensor workspace =
      Tensor::empty({capacity * static_cast<int64_t>(sizeof(Numbers))}, {u8, learning_rate.device()});
  auto* numbers = static_cast<Numbers*>(workspace.data());
  const ErrorRecord* error = error_record();
  int states = 0;
  while (states < 3 && spans[0].states[states]) ++states;
  for_each_list<T>(spans, [&](const List<T>& list) {
    auto start = [&](auto* kernel) { launch(kernel, list.blocks, threads, 0, current_stream(), list, numbers, error); };
    launch(prepare_kernel<T, Numbers, Options>, 1, capacity, 0, current_stream(), list, options,
           learning_rate.data<double>(), numbers, error);
    if constexpr (std::is_same_v<Options, SgdOptions>) {
      if (states == 0)
        start(step_kernel<0, T, Numbers>);
      else
        start(step_kernel<1, T, Numbers>);
    } else if constexpr (std::is_same_v<Options, AdagradOptions>) {
      start(step_kernel<1, T, Numbers>);
    } else {
      if (states == 2)
        start(step_kernel<2, T, Numbers>);
      else
        start(step_kernel<3, T, Numbers>);
    }
  });
}

template <NormKind kind, class T>
void run_norm(const ParameterSpans& spans, double order, const Tensor& norm) {
  int64_t blocks = 0;
  for_each_list<T>(spans, [&](const List<T>& list) { blocks += list.blocks; });
  const Tensor workspace = Tensor::empty({blocks}, {f64, norm.device()});
  double* parts = workspace.data<double>();
  constexpr size_t shared = sizeof(BlockScratch<double>);
  for_each_list<T>(spans, [&](const List<T>& list) {
    launch(norm_parts_kernel<kind, T>, list.blocks, threads, shared, current_stream(), list, order, parts);
    parts += list.blocks;
  });
  launch(norm_kernel<kind, T>, 1, threads, shared, current_stream(), workspace.data<double>(), blocks, order,
         norm.data<T>());
}

template <class T>
void run_norm(const ParameterSpans& spans, double order, const Tensor& norm) {
  switch (norm_kind(order)) {
    case NormKind::one:
      return run_norm<NormKind::one, T>(spans, order, norm);
    case NormKind::two:
      return run_norm<NormKind::two, T>(spans, order, norm);
    case NormKind::largest:
      return run_norm<NormKind::largest, T>(spans, order, norm);
    case NormKind::any:
      return run_norm<NormKind::any, T>(spans, order, norm);
  }
}

template <class T, class Change>
void run_change(const ParameterSpans& spans, Change change) {
  const ErrorRecord* error = error_record();
  for_each_list<T>(spans, [&](const List<T>& list) {
    launch(change_kernel<T, Change>, list.blocks, threads, 0, current_stream(), list, change, error);
  });
}

}  // namespace

void sgd_step(const ParameterSpans& spans, DType dtype, const Tensor& learning_rate, const SgdOptions& options) {
  if (dtype == f32)
    run_step<float, SgdNumbers<float>>(spans, learning_rate, options);
  else
    run_step<double, SgdNumbers<double>>(spans, learning_rate, options);
}

void adagrad_step(const ParameterSpans& spans, DType dtype, const Tensor& learning_rate,
                  const AdagradOptions& options) {
  if (dtype == f32)
    run_step<float, AdagradNumbers<float>>(spans, learning_rate, options);
  else
    run_step<double, AdagradNumbers<double>>(spans, learning_rate, options);
}

void adam_step(const ParameterSpans& spans, DType dtype, const Tensor& learning_rate, const AdamOptions& options) {
  if (dtype == f32)
    run_step<float, AdamNumbers<float>>(spans, learning_rate, options);
  else
    run_step<double, AdamNumbers<double>>(spans, learning_rate, options);
}

void gradient_norm(const ParameterSpans& spans, double order, const Tensor& norm) {
  if (norm.dtype() == f32)
    run_norm<float>(spans, order, norm);
  else
    run_norm<double>(spans, order, norm);
}

void scale_to_norm(const ParameterSpans& spans, DType dtype, const Tensor& norm, double max_norm) {
  if (dtype == f32)
    run_change<float>(spans, Scale<float>{norm.data<float>(), max_norm});
  else
    run_change<double>(spans, Scale<double>{norm.data<double>(), max_norm});
}

void clamp_gradients(const ParameterSpans& spans, DType dtype, double limit) {
  if (dtype == f32)
    run_change<float>(spans, Clamp<float>{static_cast<float>(limit)});
  else
    run_change<double>(spans, Clamp<double>{limit});
}

}  // namespace percale::cuda
