// The data loader: every image once an epoch, the same order for a seed, positions, captured steps.
#include <gtest/gtest.h>
#include <percale/core/graph.h>
#include <percale/core/primitives.h>
#include <percale/kernels/fill/fill.h>
#include <percale/nn/data/data_loader.h>

#include <algorithm>
#include <numeric>

#include "../testing/message_of.h"

namespace percale::data {
namespace {

/// Image i is filled with the byte i % 256, and its label is i.
LabelledImages numbered(int64_t count) {
  LabelledImages data{Tensor::empty({count, 1, 2, 3}, {u8, cpu_device}),
                      arange(0, static_cast<double>(count), 1, {i64, cpu_device})};
  for (int64_t i = 0; i < count * 6; ++i) data.images.data<uint8_t>()[i] = static_cast<uint8_t>(i / 6);
  return data;
}

std::vector<int64_t> values(const Tensor& tensor) {
  const Tensor host = tensor.to(cpu_device);
  return {host.data<int64_t>(), host.data<int64_t>() + host.numel()};
}

std::vector<int64_t> rest_of_epoch(DataLoader& loader) {
  std::vector<int64_t> labels;
  for (auto [images, batch] : loader)
    for (int64_t label : values(batch)) labels.push_back(label);
  return labels;
}

TEST(DataLoader, DealsEveryImageOnceAnEpochInAnOrderOfSeedAndEpoch) {
  DataLoader loader(numbered(103), {.batch_size = 10, .shuffle = true, .seed = 5});
  EXPECT_EQ(loader.steps(), 11);
  std::vector<int64_t> all(103);
  std::iota(all.begin(), all.end(), 0);
  const std::vector<int64_t> first = rest_of_epoch(loader), second = rest_of_epoch(loader);
  EXPECT_EQ(loader.position(), (LoaderPosition{1, 11}));
  EXPECT_NE(first, second);
  EXPECT_NE(first, all);
  for (std::vector<int64_t> epoch : {first, second}) {
    std::sort(epoch.begin(), epoch.end());
    EXPECT_EQ(epoch, all);
  }
  DataLoader again(numbered(103), {.batch_size = 25, .shuffle = true, .seed = 5});
  EXPECT_EQ(rest_of_epoch(again), first) << "the order does not depend on the batch size";
  DataLoader other(numbered(103), {.batch_size = 25, .shuffle = true, .seed = 6});
  EXPECT_NE(rest_of_epoch(other), first);
  DataLoader plain(numbered(103), {.batch_size = 10});
  EXPECT_EQ(rest_of_epoch(plain), all);
}

TEST(DataLoader, ShufflesByNumbersThatNeverChange) {
  EXPECT_EQ(values(shuffled_order(10, 1, 0)), (std::vector<int64_t>{6, 7, 3, 1, 0, 2, 9, 4, 8, 5}));
}

TEST(DataLoader, ImagesAreNormalisedAndChannelsLast) {
  DataLoader loader(numbered(4), {.batch_size = 3, .mean = {0.25}, .std = {0.5}});
  const auto [images, labels] = loader.next();
  EXPECT_EQ(images.shape(), (Shape{3, 1, 2, 3}));
  EXPECT_TRUE(images.is_channels_last());
  EXPECT_FLOAT_EQ(images.data<float>()[12], (2 / 255.f - 0.25f) / 0.5f);
  EXPECT_EQ(loader.next_batch_size(), 1);
  EXPECT_EQ(loader.next().images.size(0), 1);
  EXPECT_TRUE(loader.epoch_is_over());
  EXPECT_EQ(loader.next_batch_size(), 3);
  EXPECT_EQ(loader.next().images.size(0), 3);
  EXPECT_EQ(loader.position(), (LoaderPosition{1, 1}));
}

TEST(DataLoader, DropsTheLastBatchIfAsked) {
  DataLoader loader(numbered(11), {.batch_size = 4, .shuffle = true, .drop_last = true});
  EXPECT_EQ(loader.steps(), 2);
  EXPECT_EQ(rest_of_epoch(loader).size(), 8u);
  EXPECT_THROW(DataLoader(numbered(3), {.batch_size = 4, .drop_last = true}), Error);
}

TEST(DataLoader, GoesOnFromAnyPosition) {
  DataLoader loader(numbered(50), {.batch_size = 8, .shuffle = true, .seed = 3});
  rest_of_epoch(loader);
  const std::vector<int64_t> whole = rest_of_epoch(loader);
  DataLoader resumed(numbered(50), {.batch_size = 8, .shuffle = true, .seed = 3});
  resumed.set_position({1, 2});
  EXPECT_EQ(rest_of_epoch(resumed), std::vector<int64_t>(whole.begin() + 16, whole.end()));
  resumed.set_position({1, 7});
  EXPECT_TRUE(resumed.epoch_is_over());
  EXPECT_TRUE(rest_of_epoch(resumed).empty());
  EXPECT_EQ(rest_of_epoch(resumed).size(), 50u);
  EXPECT_EQ(resumed.epoch(), 2);
  EXPECT_THROW(resumed.set_position({0, 8}), Error);
  EXPECT_THROW(resumed.set_position({-1, 0}), Error);
}

TEST(DataLoader, ALoopThatWasLeftIsFollowedByANewEpoch) {
  DataLoader loader(numbered(50), {.batch_size = 8});
  for (auto [images, labels] : loader) break;
  EXPECT_EQ(loader.position(), (LoaderPosition{0, 1}));
  EXPECT_EQ(rest_of_epoch(loader).size(), 50u);
  EXPECT_EQ(loader.epoch(), 1);
}

TEST(DataLoader, PrefetchedBatchesAreTheSame) {
  DataLoader plain(numbered(300), {.batch_size = 32, .shuffle = true}),
      ahead(numbered(300), {.batch_size = 32, .shuffle = true, .prefetch = true});
  for (int step = 0; step < 25; ++step) {
    if (step == 13) plain.set_position({4, 3}), ahead.set_position({4, 3});
    const Batch expected = plain.next(), found = ahead.next();
    EXPECT_EQ(values(found.labels), values(expected.labels));
    ASSERT_EQ(found.images.numel(), expected.images.numel());
    EXPECT_TRUE(std::equal(found.images.data<float>(), found.images.data<float>() + found.images.numel(),
                           expected.images.data<float>()));
  }
}

TEST(DataLoader, DealsOutRowsOfDataThatAreNoImages) {
  const Tensor labels = arange(10, 21);
  DataLoader loader(labels, {.batch_size = 4, .shuffle = true, .seed = 3});
  std::vector<int64_t> seen;
  for (auto [rows, batch_labels] : loader) {
    EXPECT_EQ(rows.dtype(), i64);
    for (int64_t i = 0; i < rows.numel(); ++i) {
      EXPECT_EQ(batch_labels.data<int64_t>()[i], rows.data<int64_t>()[i] + 10);
      seen.push_back(rows.data<int64_t>()[i]);
    }
  }
  EXPECT_FALSE(std::is_sorted(seen.begin(), seen.end()));
  std::sort(seen.begin(), seen.end());
  ASSERT_EQ(seen.size(), 11u);
  for (int64_t i = 0; i < 11; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], i);
  EXPECT_THROW(DataLoader(zeros({0}, {i64, cpu_device})), Error);
  EXPECT_THROW(DataLoader(zeros({3})), Error);
}

TEST(DataLoader, RefusesWhatItCannotDeal) {
  EXPECT_THROW(DataLoader({zeros({3, 2, 2}, {u8, cpu_device}), zeros({3}, {i64, cpu_device})}), Error);
  EXPECT_THROW(DataLoader({zeros({3, 1, 2, 2}), zeros({3}, {i64, cpu_device})}), Error);
  EXPECT_THROW(DataLoader({zeros({3, 1, 2, 2}, {u8, cpu_device}), zeros({2}, {i64, cpu_device})}), Error);
  EXPECT_THROW(DataLoader({zeros({0, 1, 2, 2}, {u8, cpu_device}), zeros({0}, {i64, cpu_device})}), Error);
  EXPECT_THROW(DataLoader(LabelledImages{}), Error);
  EXPECT_THROW(DataLoader(numbered(3), {.batch_size = 0}), Error);
}

/// The labels of `epochs` epochs, each batch by a step that is captured (one a batch size) or not.
std::vector<int64_t> dealt(bool capture, Device device) {
  DataLoader loader(numbered(21), {.batch_size = 4, .shuffle = true, .seed = 9, .device = device});
  const auto take = [&] {
    auto [images, labels] = loader.next();
    return labels;
  };
  auto full = Graph::capture(take, device, capture), tail = Graph::capture(take, device, capture);
  std::vector<int64_t> all;
  for (int epoch = 0; epoch < 5; ++epoch) {
    loader.start_epoch(epoch);
    for (int64_t step = 0; !loader.epoch_is_over(); ++step) {
      EXPECT_EQ(loader.step(), step);
      for (int64_t label : values((loader.next_batch_size() == 4 ? full : tail)())) all.push_back(label);
    }
  }
  EXPECT_EQ(loader.step(), 6);
  return all;
}

TEST(DataLoader, CapturedStepsGatherTheirOwnRows) {
  const std::vector<int64_t> expected = dealt(false, cpu_device);
  EXPECT_EQ(expected.size(), 105u);
  EXPECT_EQ(dealt(true, cpu_device), expected);
}

TEST(DataLoader, CapturedStepsGatherTheirOwnRowsOnCuda) {
  if (!cuda_available()) GTEST_SKIP() << reason_without_cuda();
  const std::vector<int64_t> expected = dealt(false, cpu_device);
  EXPECT_EQ(dealt(false, cuda_device), expected);
  EXPECT_EQ(dealt(true, cuda_device), expected);
}

TEST(DataLoader, AReplayPastTheEndIsAnErrorOnCuda) {
  if (!cuda_available()) GTEST_SKIP() << reason_without_cuda();
  DataLoader loader(numbered(12), {.batch_size = 4, .shuffle = true, .device = cuda_device});
  auto step = Graph::capture([&] { return loader.next().labels; }, cuda_device);
  for (int i = 0; i < 3; ++i) values(step());
  const std::string error = percale::testing::message_of([&] { values(step()); });
  EXPECT_NE(error.find("past its end"), std::string::npos) << error;
  loader.start_epoch(1);
  EXPECT_EQ(values(step()).size(), 4u) << "the context lives on";
}

}  // namespace
}  // namespace percale::data
