// The tensor itself: shapes, strides, views, conversions, versions.
#include "../../core/tensor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "../../kernels/fill/fill.h"
#include "../testing/message_of.h"

namespace percale {
namespace {

using testing::message_of;

std::vector<double> values_of(const Tensor& tensor) {
  const Tensor host = tensor.detach().to(f64).contiguous();
  const auto elements = host.span<double>();
  return {elements.begin(), elements.end()};
}

TEST(Tensor, KnowsItsShape) {
  const Tensor x = zeros({2, 3, 4});
  EXPECT_EQ(x.rank(), 3);
  EXPECT_EQ(x.numel(), 24);
  EXPECT_EQ(x.size(-1), 4);
  EXPECT_EQ(x.strides(), (Strides{12, 4, 1}));
  EXPECT_TRUE(x.is_contiguous());
  EXPECT_FALSE(Tensor().defined());
}

TEST(Tensor, RefusesWhatCannotBe) {
  EXPECT_EQ(message_of([] { zeros({2}).size(1); }), "[size] dimension 1 is out of range: expected -1 to 0");
  EXPECT_EQ(message_of([] {
              zeros({2, 3}).item<float>();
            }),
            "[item] needs a tensor with one element, got shape [2, 3]");
  EXPECT_EQ(message_of([] { zeros({2}).data<double>(); }), "[data] elements are f32, not f64");
  EXPECT_EQ(message_of([] {
              zeros({1, 1, 1, 1, 1, 1, 1, 1}).unsqueeze(0);
            }),
            "[shape] a tensor has at most 8 dimensions");
  EXPECT_NE(message_of([] {
              zeros({2, 3}).t().span<float>();
            }).find("needs a contiguous CPU tensor"),
            std::string::npos);
}

TEST(Tensor, ViewsShareMemoryAndVersion) {
  const Tensor x = arange(12).to(f32).reshape({3, 4});
  const Tensor row = x.select(0, 1);
  const uint64_t before = x.version();
  row.fill_(7);
  EXPECT_EQ(x.select(0, 1).select(0, 2).item<int>(), 7);
  EXPECT_GT(x.version(), before);
  EXPECT_EQ(x.storage(), row.storage());
}

TEST(Tensor, ViewNeverCopiesAndReshapeMay) {
  const Tensor x = arange(6).reshape({2, 3}).t();
  EXPECT_NE(message_of([&] { x.view({6}); }).find("reshape()"), std::string::npos);
  EXPECT_EQ(values_of(x.reshape({6})), (std::vector<double>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(x.reshape({3, 2, 1}).storage(), x.storage());
}

TEST(Tensor, FlattensChannelsLastImagesInLogicalOrder) {
  Tensor images = Tensor::empty_channels_last({1, 2, 2, 2});
  copy(arange(8).to(f32).reshape({1, 2, 2, 2}), images);
  EXPECT_TRUE(images.is_channels_last());
  EXPECT_FALSE(images.is_contiguous());
  EXPECT_EQ(values_of(images.flatten(1)), (std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(Tensor, SlicesAsPythonDoes) {
  const Tensor x = arange(10);
  EXPECT_EQ(values_of(x.slice(0, 2, 8, 3)), (std::vector<double>{2, 5}));
  EXPECT_EQ(values_of(x.slice(0, -3)), (std::vector<double>{7, 8, 9}));
  EXPECT_EQ(x.slice(0, 8, 2).numel(), 0);
  EXPECT_EQ(x.slice(0, 5, 100).numel(), 5);
}

TEST(Tensor, ConvertsAsPyTorchDoes) {
  const Tensor x = tensor({-1.5f, 0.0f, 2.5f, 300.7f});
  EXPECT_EQ(values_of(x.to(i64)), (std::vector<double>{-1, 0, 2, 300}));
  EXPECT_EQ(values_of(x.to(u8)), (std::vector<double>{255, 0, 2, 44}));
  EXPECT_EQ(values_of(x.to(boolean)), (std::vector<double>{1, 0, 1, 1}));
  EXPECT_EQ(x.to(f16).to(f32).select(0, 3).item<float>(), 300.75f);
  EXPECT_EQ(x.to(bf16).to(f32).select(0, 3).item<float>(), 300.0f);
}

TEST(Tensor, PromotesAsPyTorchDoes) {
  EXPECT_EQ(promote(f32, i64), f32);
  EXPECT_EQ(promote(f16, bf16), f32);
  EXPECT_EQ(promote(u8, i32), i32);
  EXPECT_EQ(promote(boolean, u8), u8);
  EXPECT_EQ(promote(f16, i64), f16);
}

TEST(Tensor, HalvesRoundToNearestEven) {
  for (int bits = 0; bits < 65536; ++bits) {
    half value;
    value.bits = static_cast<uint16_t>(bits);
    const float wide = value;
    if (std::isnan(wide)) continue;
    ASSERT_EQ(half(wide).bits, value.bits) << bits;
    const float next = half::to_float(static_cast<uint16_t>(bits + 1));
    if ((bits & 0x7fff) >= 0x7bff) continue;
    const float middle = wide + (next - wide) / 2;  // exact: halves have 11 bits, floats 24
    ASSERT_EQ(half(middle).bits, bits % 2 ? bits + 1 : bits) << bits;
  }
  EXPECT_EQ(half(65520.0f).bits, 0x7c00);
  EXPECT_EQ(half(65519.99f).bits, 0x7bff);
  EXPECT_EQ(bfloat16(1.00390625f).bits, 0x3f80);
  EXPECT_EQ(bfloat16(1.01171875f).bits, 0x3f82);
}

TEST(Tensor, WrapsForeignMemory) {
  float elements[] = {1, 2, 3};
  int deleted = 0;
  {
    const Tensor x = Tensor::from_blob(elements, {3}, {}, [&](void*) { ++deleted; });
    const Tensor view = x.slice(0, 1);
    view.fill_(9);
  }
  EXPECT_EQ(deleted, 1);
  EXPECT_EQ(elements[2], 9);
}

TEST(Tensor, GivenOtherElementsEveryCopySeesThem) {
  const Tensor x = zeros({2, 3}).requires_grad_();
  const Tensor copy = x;
  x.set_data(ones({4}, {f64, cpu_device}));
  EXPECT_EQ(copy.shape(), (Shape{4}));
  EXPECT_EQ(copy.dtype(), f64);
  EXPECT_TRUE(copy.requires_grad());
  EXPECT_EQ(message_of([&] { x.set_data(arange(3)); }), "[set_data] a tensor that requires its gradient cannot be i64");
  EXPECT_NE(message_of([&] { x.clone().set_data(ones({4})); }).find("only a leaf"), std::string::npos);
}

TEST(Allocator, ReusesWhatIsGivenBack) {
  void* first = nullptr;
  for (int i = 0; i < 5; ++i) {
    const Tensor x = Tensor::empty({1000});
    if (i == 0) first = x.data();
    EXPECT_EQ(x.data(), first);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
  }
}

TEST(Allocator, SaysWhatHoldsTheMemoryWhenThereIsNoMore) {
  EXPECT_NE(message_of([] {
              Tensor::empty({int64_t{1} << 60}, {u8, cpu_device});
            }).find("out of memory on cpu"),
            std::string::npos);
}

}  // namespace
}  // namespace percale
