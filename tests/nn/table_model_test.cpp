// The model of a table: three ways to represent a category, what is missing, and the same function in two of them.
#include <gtest/gtest.h>
#include <percale/percale.h>

namespace percale::models {
namespace {

Tensor integers(std::initializer_list<int64_t> values, const Shape& shape) { return tensor(values).reshape(shape); }

TEST(TableModel, HasTheUsualWidths) {
  const TableModel model({.categories = {3, 42, 200}, .numbers = 2, .outputs = 2});
  EXPECT_EQ(model.features(), 2 + 21 + 50 + 2);
  EXPECT_EQ(model.vectors(1).shape(), Shape({43, 21}));
  const auto state = model.state_dict();
  EXPECT_EQ(state.front().first, "embeddings.0.weight");
  EXPECT_EQ(state.back().first, "output.bias");
  EXPECT_EQ(TableModel({.categories = {3, 42}, .representation = Representation::one_hot}).features(), 45);
  EXPECT_EQ(TableModel({.categories = {3, 42}, .numbers = 1, .representation = Representation::index}).features(), 3);
  EXPECT_EQ(TableModel({.categories = {3}, .dim = 7, .hidden = 5}).state_dict().size(), 5u);
  EXPECT_THROW(TableModel({}), Error);
  EXPECT_THROW(TableModel({.categories = {3}, .representation = Representation::index}).vectors(0), Error);
}

TEST(TableModel, RepresentsCodesAndWhatIsMissing) {
  const Tensor codes = integers({0, 1, 2, 3}, {4, 1});
  const auto features = [&](Representation representation) {
    const TableModel model({.categories = {3}, .representation = representation, .dim = 2});
    const NoGradGuard no_grad;
    return model(codes, Tensor::empty({4, 0})).second;
  };
  EXPECT_EQ(to_text(features(Representation::one_hot)),
            "tensor([[1., 0., 0.],\n        [0., 1., 0.],\n        [0., 0., 1.],\n        [0., 0., 0.]])");
  EXPECT_EQ(to_text(features(Representation::index)),
            "tensor([[-1.0000],\n        [-0.3333],\n        [ 0.3333],\n        [ 1.0000]])");
  const Tensor vectors = features(Representation::embedding);
  for (int i = 0; i < 6; ++i) EXPECT_NE(vectors.data<float>()[i], 0);
  for (int i = 6; i < 8; ++i) EXPECT_EQ(vectors.data<float>()[i], 0);
}

/// An embedding is a one-hot vector times its table: with the head's weights to match, outputs and gradients agree.
TEST(TableModel, EmbeddingAndOneHotAreTheSameFunction) {
  const Tensor codes = integers({0, 1, 2, 1, 3, 4}, {3, 2}), numbers = rand({3, 2});
  const TableModel embedding({.categories = {4, 4}, .numbers = 2, .outputs = 3, .dim = 4}),
      one_hot({.categories = {4, 4}, .numbers = 2, .outputs = 3, .representation = Representation::one_hot});
  nn::StateDict state = one_hot.state_dict();
  const nn::StateDict own = embedding.state_dict();
  const Tensor weight = own[2].second;  // [3, 4 + 4 + 2]
  ASSERT_EQ(own[2].first, "output.weight");
  const Tensor first = matmul(weight.slice(1, 0, 4), own[0].second.slice(0, 0, 4).t()),
               second = matmul(weight.slice(1, 4, 8), own[1].second.slice(0, 0, 4).t());
  state = {{"output.weight", cat({first, second, weight.slice(1, 8)}, 1)}, {"output.bias", own[3].second}};
  one_hot.load_state_dict(state);
  const Tensor a = embedding(codes, numbers).first, b = one_hot(codes, numbers).first;
  for (int i = 0; i < 9; ++i) EXPECT_NEAR(a.data<float>()[i], b.data<float>()[i], 1e-6);
}

TEST(TableModel, NamesAreRead) {
  for (const Representation way : {Representation::index, Representation::one_hot, Representation::embedding})
    EXPECT_EQ(representation_named(name_of(way)), way);
  EXPECT_THROW(representation_named("onehot"), Error);
}

}  // namespace
}  // namespace percale::models
