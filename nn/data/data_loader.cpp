#include "data_loader.h"

#include <algorithm>
#include <future>
#include <numeric>
#include <utility>

#include "../../core/cpu/threads.h"
#include "../../core/cuda/runtime.h"
#include "../../core/philox.h"
#include "../../core/primitives.h"
#include "../../core/trace.h"
#include "../../kernels/image_batch/image_batch.h"
#include "../../kernels/next_rows/next_rows.h"

namespace percale::data {
namespace {

constexpr uint32_t call_number = 0x0da7a;  // keeps these numbers apart from those of random operations

bool is_captured(Device device) {
  if constexpr (has_cuda) return device.is_cuda() && cuda::is_capturing(cuda::current_stream());
  return false;
}

Tensor unshuffled_order(int64_t count) {
  Tensor order = Tensor::empty({count}, {i64, cpu_device});
  std::iota(order.data<int64_t>(), order.data<int64_t>() + count, int64_t{0});
  return order;
}

}  // namespace

Tensor shuffled_order(int64_t count, uint64_t seed, int64_t epoch) {
  Tensor order = unshuffled_order(count);
  int64_t* rows = order.data<int64_t>();
  for (int64_t i = count - 1; i > 0; --i) {
    const auto block = static_cast<uint64_t>(i) >> 1;
    const Philox4 bits = philox(seed, block, call_number, static_cast<uint64_t>(epoch));
    const uint64_t number = uint64_t{bits.words[2 * (i & 1)]} << 32 | bits.words[2 * (i & 1) + 1];
    // The product's upper half is uniform below i + 1, but for one part in 2^64 / count.
    const auto other =
        static_cast<int64_t>(static_cast<unsigned __int128>(number) * static_cast<uint64_t>(i + 1) >> 64);
    std::swap(rows[i], rows[other]);
  }
  return order;
}

/// A batch on its way; waits for it when it goes.
struct DataLoader::Ahead {
  LoaderPosition position;
  std::future<Tensor> images;
};

DataLoader::~DataLoader() = default;

DataLoader::DataLoader(const LabelledImages& data, const DataLoaderOptions& options)
    : DataLoader(data.labels, options) {
  const Tensor& images = data.images;
  require(images.defined() && images.rank() == 4 && images.dtype() == u8 && images.numel() > 0, "data_loader",
          "images must be u8 [count, C, H, W] and not empty, got {} of {}", images.defined() ? images.shape() : Shape{},
          images.defined() ? images.dtype() : u8);
  require(images.size(0) == count(), "data_loader", "labels must be i64 [{}], got {}", images.size(0), labels_.shape());
  images_ = images.contiguous().to(options.device);
}

DataLoader::DataLoader(const Tensor& labels, const DataLoaderOptions& options) : options_(options) {
  require(labels.defined() && labels.rank() == 1 && labels.dtype() == i64 && labels.numel() > 0, "data_loader",
          "labels must be i64 [count] and not empty, got {} of {}", labels.defined() ? labels.shape() : Shape{},
          labels.defined() ? labels.dtype() : i64);
  require(options.batch_size >= 1, "data_loader", "batch_size must be at least 1, got {}", options.batch_size);
  require(!options.drop_last || options.batch_size <= labels.size(0), "data_loader",
          "with drop_last, {} rows make no batch of {}", labels.size(0), options.batch_size);
  labels_ = labels.contiguous().to(options.device);
  order_ = Tensor::empty({count()}, {i64, options.device});
  cursor_ = Tensor::empty({1}, {i64, options.device});
  start_epoch(0);
}

int64_t DataLoader::steps() const {
  return options_.drop_last ? count() / options_.batch_size : (count() + options_.batch_size - 1) / options_.batch_size;
}

int64_t DataLoader::next_batch_size() const {
  const int64_t taken = epoch_is_over() ? 0 : step() * options_.batch_size;
  return std::min(options_.batch_size, count() - taken);
}

void DataLoader::set_position(LoaderPosition position) {
  require(position.epoch >= 0 && position.step >= 0 && position.step <= steps(), "data_loader",
          "there is no step {} of epoch {}: an epoch has {} steps", position.step, position.epoch, steps());
  require(!is_captured(options_.device), "data_loader", "an epoch can't start within a captured step");
  ahead_.reset();
  if (position.epoch != epoch_ && (options_.shuffle || epoch_ < 0)) {
    const TraceRange range("shuffle");
    copy(options_.shuffle ? shuffled_order(count(), options_.seed, position.epoch) : unshuffled_order(count()), order_);
  }
  Tensor taken = Tensor::empty({1}, {i64, cpu_device});
  *taken.data<int64_t>() = std::min(position.step * options_.batch_size, count());
  copy(taken, cursor_);
  cursor_.mark_written("start_epoch");
  epoch_ = position.epoch;
  first_step_ = position.step;
  first_version_ = cursor_.version();
  untouched_ = true;
}

DataLoader::Iterator DataLoader::begin() {
  if (!untouched_) start_epoch(epoch_ + 1);
  untouched_ = false;
  return Iterator(*this);
}

Tensor DataLoader::gather(const Tensor& rows) const {
  return !images_.defined() ? rows : image_batch(images_, rows, options_.mean, options_.std);
}

Tensor DataLoader::take_prefetched(const Tensor& rows, int64_t step) {
  const bool ready = ahead_ && ahead_->position == LoaderPosition{epoch_, step};
  Tensor images = ready ? ahead_->images.get() : gather(rows);
  ahead_.reset();
  if (epoch_is_over()) return images;
  const int64_t begin = this->step() * options_.batch_size;
  const auto work = [this, next = order_.slice(0, begin, begin + next_batch_size())] {
    cpu::set_num_threads(1);  // of this thread's own loops: the others belong to the step
    return gather(next);
  };
  ahead_ = std::unique_ptr<Ahead>(new Ahead{position(), std::async(std::launch::async, work)});
  return images;
}

Batch DataLoader::next() {
  const TraceRange range("data");
  const bool captured = is_captured(options_.device);
  if (epoch_is_over()) start_epoch(epoch_ + 1);
  untouched_ = false;
  const int64_t step_taken = step();
  auto [rows, labels] = next_rows(order_, labels_, cursor_, next_batch_size());
  if (captured) ++first_version_;  // recording is no batch; its replays are
  if (options_.prefetch && options_.device.is_cpu()) return {take_prefetched(rows, step_taken), labels};
  return {gather(rows), labels};
}

}  // namespace percale::data
