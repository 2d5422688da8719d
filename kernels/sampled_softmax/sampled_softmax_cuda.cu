// Sampled softmax on CUDA: a thread a drawn class; a block a row of scores; then a thread a score.
#include "../common/device.h"
#include "../common/device_exponentials.h"
#include "../word2vec/word2vec_twins.h"
#include "sampled_softmax_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

template <class A>
struct Draw {
  const int64_t* target;
  const float *accept, *log_share;
  const int32_t* alias;
  RandomKey key;
  index_t rows, samples, bound;
  double log_samples;
  int64_t* classes;
  A* correction;
};

template <class A>
__global__ void draw_kernel(Draw<A> draw, ErrorReporter reporter) {
  const uint64_t step = draw.key.step_now();
  for (index_t i : grid_stride(draw.rows + draw.samples)) {
    if (i < draw.rows) {
      draw.classes[i] = checked_index(reporter, i, draw.target[i], draw.bound);
    } else {
      const index_t n = i - draw.rows;
      const Philox4 bits = philox(draw.key.seed, static_cast<uint64_t>(n / 2), draw.key.call, step);
      const int32_t drawn =
          noise_word(bits.words[n % 2 * 2], bits.words[n % 2 * 2 + 1], draw.accept, draw.alias, draw.bound);
      draw.classes[i] = drawn;
      draw.correction[n] = static_cast<A>(-(draw.log_samples + static_cast<double>(draw.log_share[drawn])));
    }
  }
}

template <class A>
struct Scores {
  const A *own, *scores;
  const int64_t* classes;
  index_t rows, samples;

  explicit Scores(const SampledScores& in)
      : own(in.own.data<A>()),
        scores(in.scores.data<A>()),
        classes(in.classes.data<int64_t>()),
        rows(in.own.size(0)),
        samples(in.scores.size(1)) {}
};

/// A block a row.
template <class A>
__global__ void loss_kernel(Scores<A> in, A* losses, A* statistics) {
  const index_t row = blockIdx.x;
  const int64_t target = in.classes[row];
  const A* scores = in.scores + row * in.samples;
  Exponentials<A> all;
  for (index_t n = threadIdx.x; n < in.samples; n += threads)
    if (in.classes[in.rows + n] != target) all.add(scores[n]);
  if (threadIdx.x == 0) all.add(in.own[row]);
  all = group_reduce<threads>(all, combine::Joined{}, Exponentials<A>{});
  if (threadIdx.x != 0) return;
  const A logarithm = ::log(all.sum);
  statistics[row] = all.largest;
  statistics[in.rows + row] = logarithm;
  losses[row] = all.largest - in.own[row] + logarithm;
}

/// A thread a score; the own score is the row's last one.
template <class A>
__global__ void gradient_kernel(Scores<A> in, const A* upstream, const A* statistics, A* own, A* scores) {
  for (index_t i : grid_stride(in.rows * (in.samples + 1))) {
    const index_t row = i / (in.samples + 1), n = i % (in.samples + 1);
    const A largest = statistics[row], logarithm = statistics[in.rows + row];
    if (n == in.samples) {
      own[row] = (::exp(in.own[row] - largest - logarithm) - 1) * upstream[row];
    } else {
      const index_t at = row * in.samples + n;
      const bool hit = in.classes[in.rows + n] == in.classes[row];
      scores[at] = hit ? A(0) : ::exp(in.scores[at] - largest - logarithm) * upstream[row];
    }
  }
}

template <class A>
void draw_as(const ClassDraw& draw, double log_samples) {
  const Stream stream = current_stream();
  const Draw<A> call{draw.target.data<int64_t>(),
                     draw.sampler.accept.data<float>(),
                     draw.sampler.log_share.data<float>(),
                     draw.sampler.alias.data<int32_t>(),
                     draw.key,
                     draw.rows(),
                     draw.samples(),
                     draw.sampler.accept.numel(),
                     log_samples,
                     draw.classes.data<int64_t>(),
                     draw.correction.data<A>()};
  launch(draw_kernel<A>, blocks_for(draw.classes.numel(), threads), threads, 0, stream, call,
         error_reporter("sampled_softmax", draw.target.shape(), stream, target_message));
}

template <class A>
void loss_as(const SampledScores& in, const SampledLoss& out) {
  launch(loss_kernel<A>, in.own.size(0), threads, group_scratch<threads, Exponentials<A>>, current_stream(),
         Scores<A>(in), out.losses.data<A>(), out.statistics.data<A>());
}

template <class A>
void gradient_as(const SampledScores& in, const SampledGradient& out) {
  launch(gradient_kernel<A>, blocks_for(in.scores.numel() + in.own.numel(), threads), threads, 0, current_stream(),
         Scores<A>(in), out.upstream.data<A>(), out.statistics.data<A>(), out.own.data<A>(), out.scores.data<A>());
}

}  // namespace

void draw_classes(const ClassDraw& draw) {
  const double log_samples = ::log(static_cast<double>(draw.samples()));
  draw.correction.dtype() == f64 ? draw_as<double>(draw, log_samples) : draw_as<float>(draw, log_samples);
}

void sampled_loss(const SampledScores& in, const SampledLoss& out) {
  in.own.dtype() == f64 ? loss_as<double>(in, out) : loss_as<float>(in, out);
}

void sampled_gradient(const SampledScores& in, const SampledGradient& out) {
  in.own.dtype() == f64 ? gradient_as<double>(in, out) : gradient_as<float>(in, out);
}

}  // namespace percale::cuda
