// Batches of a data set that lies on the device as bytes: shuffled by seed and epoch, gathered where they are used.
#pragma once

#include <memory>
#include <vector>

#include "idx.h"

namespace percale::data {

struct DataLoaderOptions {
  int64_t batch_size = 64;
  bool shuffle = false;    ///< another order each epoch, a function of (seed, epoch) alone
  bool drop_last = false;  ///< leaves out the last batch if it is smaller
  uint64_t seed = 0;
  std::vector<double> mean = {0.5}, std = {0.5};  ///< of byte / 255, a number a channel or one for all
  Device device = cpu_device;
  /// On the CPU, a thread gathers the next batch while this one is worked on. It does the same work with the same
  /// processors, so it pays only where one of them would idle and a batch takes milliseconds; 64 images of 28 x 28 take
  /// some 20 microseconds, a thousandth of a training step.
  bool prefetch = false;
};

struct Batch {
  Tensor images;  ///< f32 [batch, C, H, W], channels-last, normalised; or i64 [batch], the numbers of the rows
  Tensor labels;  ///< i64 [batch]
};

/// Where an epoch stands: `step` batches of `epoch` have been taken.
struct LoaderPosition {
  int64_t epoch = 0, step = 0;
  friend bool operator==(const LoaderPosition&, const LoaderPosition&) = default;
};

/// Deals out a data set in batches, for one thread at a time:
///
///     for (auto [images, labels] : loader) ...      // one epoch; the next loop is the next epoch
///
/// `next()` may stand in a captured step (Graph::capture): order and cursor lie on the device, so each replay gathers
/// rows of its own, and the loader knows of every replay. Between two epochs the loop must call `start_epoch`; a replay
/// past the end is an error at the next synchronising call. A captured step has the batch size that it was captured
/// with:
///
///     while (!loader.epoch_is_over()) (loader.next_batch_size() == 64 ? full : tail)();
class DataLoader {
 public:
  /// Errors: images not u8 [count, C, H, W], labels not i64 [count], none of them, or a batch size below 1.
  explicit DataLoader(const LabelledImages& data, const DataLoaderOptions& options = {});
  /// Of data that are no images: deals out {numbers of rows, their labels}, with which index_select fetches the rest.
  /// Errors: labels not i64 [count], none of them, or a batch size below 1.
  explicit DataLoader(const Tensor& labels, const DataLoaderOptions& options = {});

  ~DataLoader();
  DataLoader(const DataLoader&) = delete;

  /// The next batch. After the last of an epoch the next epoch starts (but not in a captured step).
  Batch next();
  void start_epoch(int64_t epoch) { set_position({epoch, 0}); }

  int64_t count() const { return labels_.size(0); }
  /// Batches an epoch.
  int64_t steps() const;
  int64_t epoch() const { return epoch_; }
  int64_t step() const { return first_step_ + static_cast<int64_t>(cursor_.version() - first_version_); }
  bool epoch_is_over() const { return step() >= steps(); }
  /// Rows in the batch that `next()` gives; that of a new epoch, if this one is over.
  int64_t next_batch_size() const;
  LoaderPosition position() const { return {epoch(), step()}; }
  /// Goes to a position, of a checkpoint for instance; the next loop goes on from there.
  void set_position(LoaderPosition position);

  const Tensor& images() const { return images_; }
  const Tensor& labels() const { return labels_; }
  const DataLoaderOptions& options() const { return options_; }

  struct End {};
  class Iterator {
   public:
    explicit Iterator(DataLoader& loader) : loader_(&loader) {}
    Batch operator*() const { return loader_->next(); }
    Iterator& operator++() { return *this; }
    bool operator!=(End) const { return !loader_->epoch_is_over(); }

   private:
    DataLoader* loader_;
  };
  Iterator begin();
  End end() const { return {}; }

 private:
  Tensor gather(const Tensor& rows) const;
  Tensor take_prefetched(const Tensor& rows, int64_t step);

  DataLoaderOptions options_;
  Tensor images_, labels_;  ///< no images: rows are dealt out by number
  Tensor order_, cursor_;   ///< i64 on the device: this epoch's rows, and how many have been taken
  int64_t epoch_ = -1;
  int64_t first_step_ = 0;      ///< the step at which the cursor was set,
  uint64_t first_version_ = 0;  ///< and its memory's version then: each batch, replayed or not, raises it by one
  bool untouched_ = true;       ///< no batch has been taken since the position was set
  struct Ahead;
  std::unique_ptr<Ahead>
      ahead_;  ///< the batch that is being prefetched; the last member, since its thread reads the others
};

/// 0 to count - 1 in an order that depends on (seed, epoch) alone (Fisher and Yates, by Philox): i64 [count].
Tensor shuffled_order(int64_t count, uint64_t seed, int64_t epoch);

}  // namespace percale::data
