// Cross entropy on CUDA. Forward: some lanes, a block or a thread a position; blocks leave partial sums that a last
// block adds in order - or one block does it all, as for a batch of 64. Backward: one thread an element.
#include "../common/data_or_null.h"
#include "../common/device.h"
#include "../common/device_exponentials.h"
#include "cross_entropy_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

template <class A>
struct Totals {
  A loss = 0, counted = 0;
};

struct AddTotals {
  template <class A>
  __device__ Totals<A> operator()(const Totals<A>& a, const Totals<A>& b) const {
    Totals<A> both;
    both.loss = a.loss + b.loss;
    both.counted = a.counted + b.counted;
    return both;
  }
};

template <class A>
struct Forward {
  CrossEntropy shape;
  const A* logits;
  const int64_t* target;
  const A* weight;  ///< null: ones
  A *loss, *statistics, *counted;
  Totals<A>* partial;  ///< one a block
  ErrorReporter reporter;

  __device__ A weight_of(index_t c) const { return weight ? weight[c] : A(1); }
  __device__ index_t start(index_t position) const {
    return position / shape.inner * shape.classes * shape.inner + position % shape.inner;
  }
  /// The weights of all classes together, by `group` threads.
  template <int group>
  __device__ A weight_sum(int thread) const {
    if (!weight) return static_cast<A>(shape.classes);
    A sum = 0;
    for (index_t c = thread; c < shape.classes; c += group) sum += weight[c];
    return group_reduce<group>(sum, combine::Sum{}, A(0));
  }

  /// What is left to do with one position, by one thread: `spread` is the sum of weight * (largest - logit).
  __device__ void finish(index_t p, const Exponentials<A>& all, A spread, A weights, Totals<A>& totals) const {
    const index_t positions = shape.positions();
    const A logarithm = ::log(all.sum);
    statistics[p] = all.largest;
    statistics[positions + p] = logarithm;
    A value = 0;
    if (target[p] != shape.ignore_index) {
      const index_t chosen = checked_index(reporter, p, target[p], shape.classes);
      const A below = all.largest - logits[start(p) + chosen * shape.inner];
      const A share = static_cast<A>(shape.smoothing / static_cast<double>(shape.classes));
      value = static_cast<A>(1 - shape.smoothing) * weight_of(chosen) * (below + logarithm);
      value += share * (spread + weights * logarithm);
      totals.counted += weight_of(chosen);
    }
    totals.loss += value;
    if (shape.reduction == Reduction::none) loss[p] = value;
  }

  __device__ void write(const Totals<A>& totals) const {
    *loss = shape.reduction == Reduction::mean ? totals.loss / totals.counted : totals.loss;
    *counted = totals.counted;
  }

  /// The block's threads' totals, to where they belong. All threads take part.
  __device__ void leave(Totals<A> totals) const {
    if (shape.reduction == Reduction::none) return;
    totals = block_reduce(totals, AddTotals{}, Totals<A>{}, dynamic_shared<BlockScratch<Totals<A>>>());
    if (threadIdx.x != 0) return;
    if (gridDim.x == 1)
      write(totals);
    else
      partial[blockIdx.x] = totals;
  }
};

/// Shared memory serves each kind of reduction in turn; between them lies a barrier (block_reduce ends with one).
template <class A>
constexpr size_t shared_bytes = sizeof(BlockScratch<Totals<A>>) > sizeof(BlockScratch<Exponentials<A>>)
                                    ? sizeof(BlockScratch<Totals<A>>)
                                    : sizeof(BlockScratch<Exponentials<A>>);

/// Positions a block of `forward_rows_kernel` takes.
template <int group>
constexpr int64_t rows_of_block = group == 8           ? 512
                                  : group == warp_size ? 64
                                                       : 4;

/// `group` threads a position whose logits are neighbours.
template <int group, class A>
__global__ void forward_rows_kernel(Forward<A> forward) {
  constexpr int at_once = threads / group;
  const int thread = static_cast<int>(threadIdx.x) % group, which = static_cast<int>(threadIdx.x) / group;
  const index_t classes = forward.shape.classes, positions = forward.shape.positions();
  const index_t begin = blockIdx.x * rows_of_block<group>;
  const index_t end = begin + rows_of_block<group> < positions ? begin + rows_of_block<group> : positions;
  const bool smooth = forward.shape.smoothing > 0;
  const A weights = smooth ? forward.template weight_sum<group>(thread) : A(0);
  Totals<A> totals;
  for (index_t first = begin; first < end; first += at_once) {  // the same number of times for every thread
    const index_t p = first + which;
    const index_t length = p < end ? classes : 0;
    const A* x = forward.logits + p * classes;
    Exponentials<A> all;
    for (index_t c = thread; c < length; c += group) all.add(x[c]);
    all = group_reduce<group>(all, combine::Joined{}, Exponentials<A>{});
    A spread = 0;
    if (smooth) {
      for (index_t c = thread; c < length; c += group) spread += forward.weight_of(c) * (all.largest - x[c]);
      spread = group_reduce<group>(spread, combine::Sum{}, A(0));
    }
    if (thread == 0 && p < end) forward.finish(p, all, spread, weights, totals);
  }
  forward.leave(totals);
}

/// A thread a position, whose neighbours' logits lie beside its own.
template <class A>
__global__ void forward_columns_kernel(Forward<A> forward) {
  const CrossEntropy& shape = forward.shape;
  const bool smooth = shape.smoothing > 0;
  const A weights = smooth ? forward.template weight_sum<threads>(static_cast<int>(threadIdx.x)) : A(0);
  const index_t p = static_cast<index_t>(blockIdx.x) * threads + threadIdx.x;
  Totals<A> totals;
  if (p < shape.positions()) {
    const A* x = forward.logits + forward.start(p);
    Exponentials<A> all;
    for (index_t c = 0; c < shape.classes; ++c) all.add(x[c * shape.inner]);
    A spread = 0;
    for (index_t c = 0; smooth && c < shape.classes; ++c)
      spread += forward.weight_of(c) * (all.largest - x[c * shape.inner]);
    forward.finish(p, all, spread, weights, totals);
  }
  forward.leave(totals);
}

template <class A>
__global__ void add_partial_kernel(Forward<A> forward, index_t count) {
  Totals<A> totals;
  for (index_t i = threadIdx.x; i < count; i += threads) totals = AddTotals{}(totals, forward.partial[i]);
  totals = block_reduce(totals, AddTotals{}, Totals<A>{}, dynamic_shared<BlockScratch<Totals<A>>>());
  if (threadIdx.x == 0) forward.write(totals);
}

template <class A>
struct Backward {
  CrossEntropy shape;
  const A *gradient, *logits;
  const int64_t* target;
  const A *weight, *weight_sum;  ///< null: ones, and their number
  const A *statistics, *counted;
  A* result;
};

template <class A>
__global__ void backward_kernel(Backward<A> backward) {
  const CrossEntropy& shape = backward.shape;
  const index_t positions = shape.positions();
  const A share = static_cast<A>(shape.smoothing / static_cast<double>(shape.classes));
  const A divisor = shape.reduction == Reduction::mean ? *backward.counted : A(1);
  const A weight_sum = backward.weight ? *backward.weight_sum : static_cast<A>(shape.classes);
  for (index_t i : grid_stride(positions * shape.classes)) {
    const index_t line = i / shape.inner, p = line / shape.classes * shape.inner + i % shape.inner;
    const index_t c = line % shape.classes;
    const int64_t named = backward.target[p];
    if (named == shape.ignore_index) {
      backward.result[i] = 0;
      continue;
    }
    const index_t chosen = named >= 0 && named < shape.classes ? named : 0;  // forward has reported it
    const A incoming = backward.gradient[shape.reduction == Reduction::none ? p : 0] / divisor;
    const A aimed = incoming * static_cast<A>(1 - shape.smoothing) * (backward.weight ? backward.weight[chosen] : A(1));
    const A spread = incoming * share;
    const A probability = ::exp(backward.logits[i] - backward.statistics[p] - backward.statistics[positions + p]);
    A value = probability * (aimed + spread * weight_sum) - spread * (backward.weight ? backward.weight[c] : A(1));
    if (c == chosen) value -= aimed;
    backward.result[i] = value;
  }
}

template <class A>
void forward_as(const CrossEntropyForward& tensors, const CrossEntropy& shape) {
  const int64_t positions = shape.positions();
  const int64_t each = shape.inner > 1         ? threads
                       : shape.classes <= 32   ? rows_of_block<8>
                       : shape.classes <= 1024 ? rows_of_block<warp_size>
                                               : rows_of_block<threads>;
  const int64_t blocks = (positions + each - 1) / each;
  const bool several = blocks > 1 && shape.reduction != Reduction::none;
  const Tensor partial = Tensor::empty({several ? 2 * blocks : 0}, tensors.logits.options());
  const Stream stream = current_stream();
  const Forward<A> forward{shape,
                           tensors.logits.data<A>(),
                           tensors.target.data<int64_t>(),
                           data_or_null<A>(tensors.weight),
                           tensors.loss.data<A>(),
                           tensors.statistics.data<A>(),
                           tensors.counted.data<A>(),
                           static_cast<Totals<A>*>(partial.data()),
                           error_reporter("cross_entropy", tensors.target.shape(), stream, class_message)};
  auto start = [&](auto kernel) { launch(kernel, blocks, threads, shared_bytes<A>, stream, forward); };
  if (shape.inner > 1)
    start(forward_columns_kernel<A>);
  else if (shape.classes <= 32)
    start(forward_rows_kernel<8, A>);
  else if (shape.classes <= 1024)
    start(forward_rows_kernel<warp_size, A>);
  else
    start(forward_rows_kernel<threads, A>);
  if (several) launch(add_partial_kernel<A>, 1, threads, shared_bytes<A>, stream, forward, blocks);
}

template <class A>
void backward_as(const CrossEntropyBackward& tensors, const CrossEntropy& shape) {
  const Backward<A> backward{shape,
                             tensors.gradient.data<A>(),
                             tensors.logits.data<A>(),
                             tensors.target.data<int64_t>(),
                             data_or_null<A>(tensors.weight),
                             data_or_null<A>(tensors.weight_sum),
                             tensors.statistics.data<A>(),
                             tensors.counted.data<A>(),
                             tensors.result.data<A>()};
  launch(backward_kernel<A>, blocks_for(tensors.result.numel(), threads), threads, 0, current_stream(), backward);
}

}  // namespace

void cross_entropy(const CrossEntropyForward& tensors, const CrossEntropy& loss) {
  if (tensors.logits.dtype() == f64)
    forward_as<double>(tensors, loss);
  else
    forward_as<float>(tensors, loss);
}

void cross_entropy_gradient(const CrossEntropyBackward& tensors, const CrossEntropy& loss) {
  if (tensors.logits.dtype() == f64)
    backward_as<double>(tensors, loss);
  else
    backward_as<float>(tensors, loss);
}

}  // namespace percale::cuda
