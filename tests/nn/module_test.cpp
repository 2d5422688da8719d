// Modules: names, state, devices, modes, hooks, printing.
#include "../../nn/module.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "../../core/autograd.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/reduction/reduction.h"
#include "../../nn/layers/activations.h"
#include "../../nn/layers/embedding.h"
#include "../../nn/layers/embedding_bag.h"
#include "../../nn/layers/normalisation.h"
#include "../../nn/layers/pooling.h"
#include "../../nn/losses.h"
#include "../../nn/models/simple_cnn.h"
#include "../../nn/sequential.h"
#include "../../nn/summary.h"
#include "../testing/check.h"
#include "../testing/message_of.h"
#include "inputs.h"

namespace percale::nn {
namespace {

using testing::counted;
using testing::message_of;
using testing::same_bytes;

struct Autoencoder : ModuleOf<Autoencoder> {
  Sequential encoder = add("encoder", Sequential(Linear(784, 128), ReLU(), Linear(128, 6)));
  Sequential decoder = add("decoder", Sequential(Linear(6, 128), ReLU(), Linear(128, 784), Sigmoid()));
  Tensor forward(const Tensor& x) const { return decoder(sigmoid(encoder(x))); }
};

struct ALayerWithANameSoLongThatTheColumnGrows : ModuleOf<ALayerWithANameSoLongThatTheColumnGrows> {
  Tensor forward(const Tensor& x) const { return x; }
};

struct Odd : ModuleOf<Odd> {
  Parameter scale = add("scale", ones({5}));
  Linear shared = add("shared", Linear(5, 5));
  Sequential blocks =
      add("blocks", Sequential(Sequential(Sequential(Linear(5, 5, {.bias = false}), ReLU()), Tanh()), Dropout(0.1)));
  Linear unused = add("unused", Linear(3, 3));
  ModuleList<Linear> layers = add("layers", ModuleList<Linear>{Linear(5, 5), Linear(5, 2000)});
  ALayerWithANameSoLongThatTheColumnGrows last = add("last", ALayerWithANameSoLongThatTheColumnGrows());

  Tensor forward(Tensor x) const {
    x = shared(shared(x * scale));
    x = blocks(x);
    for (const Linear& layer : layers) x = layer(x);
    return last(x);
  }
};

Sequential strided() {
  return Sequential(Conv2d(3, 32, 5, {.stride = 2, .padding = 2}), ReLU(),
                    Conv2d(32, 64, 3, {.stride = 2, .padding = 1}), ReLU(), MaxPool2d(2), AdaptiveAvgPool2d(1),
                    Flatten(), Linear(64, 128));
}

Sequential every_layer() {
  return Sequential(Conv2d(1, 2, {3, 5}, {.stride = 2, .padding = {1, 2}, .dilation = 2, .bias = false}),
                    Conv2d(4, 8, 3, {.groups = 2}), GELU(), GELU(GeluApproximation::tanh), MaxPool2d(2),
                    MaxPool2d({2, 3}, {.stride = 1, .padding = 1}),
                    MaxPool2d(3, {.stride = 2, .padding = 1, .ceil_mode = true}), AvgPool2d(2),
                    AvgPool2d({2, 2}, {.stride = Pair{1, 1}, .padding = 1}), AdaptiveAvgPool2d(1),
                    AdaptiveAvgPool2d({2, 3}), Flatten(), Flatten(0, 2), Dropout(0.25), ReLU(), Tanh(), Sigmoid(),
                    Identity(), Linear(5, 10), Linear(5, 10, {.bias = false}), Sequential());
}

Sequential normalising() {
  return Sequential(Conv2d(3, 8, 3, {.padding = 1, .bias = false}), BatchNorm2d(8), ReLU(), AdaptiveAvgPool2d(1),
                    Flatten(), Linear(8, 16), BatchNorm1d(16, {.eps = 1e-3, .momentum = 0.01}), LayerNorm(16), GELU(),
                    LayerNorm(16, {.eps = 1e-12, .bias = false}), LayerNorm(16, {.elementwise_affine = false}),
                    BatchNorm1d(16, {.affine = false}), BatchNorm1d(16, {.track_running_stats = false}));
}

ModuleList<Sequential> repeated() {
  ModuleList<Sequential> list;
  for (int i = 0; i < 12; ++i) list.push_back(Sequential(Linear(4, 4), ReLU()));
  for (int i = 0; i < 2; ++i) list.push_back(Sequential());
  list.push_back(Sequential(Tanh()));
  return list;
}

nlohmann::json goldens() {
  std::ifstream file(PERCALE_SOURCE_DIR "/tests/goldens/modules.json");
  return nlohmann::json::parse(file)["cases"];
}

template <class Model>
void expect_printed(const Model& model, const std::string& name, DType dtype = f32) {
  const auto golden = goldens()[name];
  EXPECT_EQ(to_text(model), golden["repr"].get<std::string>());
  const Shape shape(golden["shape"].get<std::vector<int64_t>>());
  EXPECT_EQ(summary(model, shape, dtype), golden["summary"].get<std::string>());
}

TEST(Module, PrintsAsPyTorchAndSummaryAsTorchinfo) {
  expect_printed(models::SimpleCNN(), "SimpleCNN");
  expect_printed(models::SimpleCNN(), "SimpleCNN one");
  Autoencoder autoencoder;
  autoencoder.encoder.requires_grad_(false);
  expect_printed(autoencoder, "Autoencoder");
  expect_printed(Odd(), "Odd");
  expect_printed(strided(), "strided");
  EXPECT_EQ(to_text(every_layer()), goldens()["every layer"]["repr"].get<std::string>());
  expect_printed(normalising(), "normalising");
  expect_printed(Embedding(30, 8, {.padding_idx = 2}), "Embedding", i64);
  expect_printed(EmbeddingBag(30, 8, {.mode = BagMode::max}), "EmbeddingBag", i64);
  EXPECT_EQ(to_text(repeated()), goldens()["repeated"]["repr"].get<std::string>());
  EXPECT_EQ(to_text(CrossEntropyLoss()) + to_text(MSELoss()), "CrossEntropyLoss()MSELoss()");
}

TEST(Module, SummaryLeavesNothingBehind) {
  const Autoencoder model;
  model.decoder.eval();
  summary(model, {2, 784});
  for (const auto& [name, module] : model.named_modules()) {
    EXPECT_FALSE(module.has_hooks()) << name;
    EXPECT_EQ(module.training(), name.rfind("decoder", 0) != 0) << name;
  }
}

TEST(Module, NamesItsParameters) {
  const models::SimpleCNN model;
  std::vector<std::string> names;
  int64_t count = 0;
  for (const auto& [name, parameter] : model.named_parameters()) {
    names.push_back(name);
    count += parameter.numel();
    EXPECT_TRUE(parameter.requires_grad());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "fc1.weight",
                                             "fc1.bias", "fc2.weight", "fc2.bias"}));
  EXPECT_EQ(count, 421642);
  EXPECT_TRUE(model.conv2.weight.is_channels_last());
  std::vector<std::string> modules;
  for (const auto& [name, module] : Autoencoder().named_modules()) modules.push_back(name);
  EXPECT_EQ(modules, (std::vector<std::string>{"", "encoder", "encoder.0", "encoder.1", "encoder.2", "decoder",
                                               "decoder.0", "decoder.1", "decoder.2", "decoder.3"}));
}

TEST(Module, CopiesShareTheirState) {
  const models::SimpleCNN model;
  const models::SimpleCNN copy = model;
  EXPECT_TRUE(copy.fc1.weight.is_same(model.fc1.weight));
  copy.eval();
  EXPECT_FALSE(model.training());
  EXPECT_FALSE(model.fc2.training());
}

TEST(Module, SharedParametersComeOnceAndAreSavedUnderBothNames) {
  struct Tied : ModuleOf<Tied> {
    Linear first = add("first", Linear(4, 4));
    Linear second = add("second", Linear(4, 4, {.bias = false}));
  } model;
  model.second.weight = model.second.add("weight", model.first.weight);
  EXPECT_EQ(model.parameters().size(), 2u);
  EXPECT_EQ(model.state_dict().size(), 3u);
}

TEST(Module, StateDictRoundTrip) {
  const models::SimpleCNN model, other;
  const StateDict state = model.state_dict();
  EXPECT_FALSE(same_bytes(model.conv2.weight, other.conv2.weight));
  for (const auto& [name, tensor] : state) {
    EXPECT_TRUE(tensor.is_contiguous() && tensor.device().is_cpu() && !tensor.requires_grad()) << name;
  }
  other.load_state_dict(state);
  EXPECT_TRUE(other.conv2.weight.is_channels_last());
  const StateDict again = other.state_dict();
  for (size_t i = 0; i < state.size(); ++i) {
    EXPECT_EQ(state[i].first, again[i].first);
    EXPECT_TRUE(same_bytes(state[i].second, again[i].second)) << state[i].first;
  }
  {  // what was saved is a copy
    const NoGradGuard no_grad;
    model.fc1.bias.fill_(7);
  }
  EXPECT_FALSE(same_bytes(state[5].second, model.fc1.bias));
}

TEST(Module, StrictLoadListsWhatIsWrongAndWritesNothing) {
  const models::SimpleCNN model;
  StateDict state = models::SimpleCNN().state_dict();
  state.erase(state.begin() + 3);
  state[3].second = zeros({128, 3000});
  state.emplace_back("fc3.weight", zeros({2}));
  const Tensor before = model.fc2.weight.detach().clone();
  EXPECT_EQ(
      message_of([&] { model.load_state_dict(state); }),
      "[load_state_dict] SimpleCNN: missing: conv2.bias; unexpected: fc3.weight; wrong shape: fc1.weight expected "
      "[128, 3136], got [128, 3000]");
  EXPECT_TRUE(same_bytes(before, model.fc2.weight));
  EXPECT_EQ(message_of([&] { model.load_state_dict(state, false); }),
            "[load_state_dict] SimpleCNN: wrong shape: fc1.weight expected [128, 3136], got [128, 3000]");
  state.erase(state.begin() + 3);
  model.load_state_dict(state, false);
  EXPECT_TRUE(same_bytes(state.at(4).second, model.fc2.weight));
}

TEST(Module, NamesAreChecked) {
  const Sequential model;
  EXPECT_EQ(message_of([&] { model.Module::add("a.b", Linear(1, 1)); }),
            "[add] a name is not empty and has no dot, got 'a.b'");
  EXPECT_EQ(message_of([&] { model.add("self", model); }), "[add] Sequential cannot be a part of itself");
  EXPECT_EQ(message_of([] { Autoencoder().decoder.get_submodule("5"); }),
            "[get_submodule] Sequential has no '5', but 0, 1, 2, 3");
  EXPECT_EQ(message_of([] { Autoencoder().encoder.at<Linear>(1); }), "[at] layer 1 is a ReLU");
}

TEST(Module, APartCanBeReplaced) {
  models::SimpleCNN model;
  model.fc2 = model.add("fc2", Linear(128, 3));
  const auto [output, embeddings] = model(zeros({2, 1, 28, 28}));
  EXPECT_EQ(output.shape(), (Shape{2, 3}));
  EXPECT_EQ(model.named_children().size(), 4u);
  EXPECT_EQ(model.state_dict().back().second.shape(), (Shape{3}));
}

TEST(Module, DtypeIsConvertedUnderEveryHolder) {
  const models::SimpleCNN model;
  const Tensor held = model.conv2.weight;
  model.to(f64);
  EXPECT_EQ(held.dtype(), f64);
  EXPECT_TRUE(held.is_channels_last() && held.requires_grad());
  EXPECT_EQ(model(zeros({1, 1, 28, 28}, {f64, cpu_device})).first.dtype(), f64);
}

TEST(Module, CudaMovesParametersUnderTheirHolders) {
  if (!cuda_available()) GTEST_SKIP() << reason_without_cuda();
  const models::SimpleCNN model;
  const Tensor held = model.conv2.weight;
  const StateDict state = model.state_dict();
  model.to(cuda_device);
  EXPECT_TRUE(held.device().is_cuda() && held.is_channels_last());
  const StateDict moved = model.state_dict();
  for (size_t i = 0; i < state.size(); ++i) EXPECT_TRUE(same_bytes(state[i].second, moved[i].second));
}

TEST(Module, FrozenParametersGetNoGradient) {
  const Autoencoder model;
  model.encoder.requires_grad_(false);
  mean(model(ones({2, 784}))).backward();
  EXPECT_FALSE(model.encoder.at<Linear>(0).weight.grad().defined());
  EXPECT_TRUE(model.decoder.at<Linear>(2).weight.grad().defined());
  model.zero_grad();
  EXPECT_FALSE(model.decoder.at<Linear>(2).weight.grad().defined());
}

TEST(Module, DropoutKnowsTheMode) {
  const Sequential model(Dropout(0.5));
  const Tensor x = ones({1000});
  EXPECT_FALSE(same_bytes(model(x), x));
  model.eval();
  EXPECT_TRUE(same_bytes(model(x), x));
}

TEST(Hooks, TakeEmbeddingsFromAModuleThatIsNotOurs) {
  const Autoencoder model;
  const Tensor x = ones({2, 784});
  Tensor embeddings;
  HookHandle handle =
      model.get_submodule("encoder.2")
          .register_forward_hook([&](const Module& module, const Tensors& inputs, const Tensors& outputs) {
            EXPECT_EQ(module.type(), "Linear");
            EXPECT_EQ(inputs[0].shape(), (Shape{2, 128}));
            embeddings = outputs[0];
          });
  model(x);
  EXPECT_TRUE(same_bytes(embeddings, model.encoder(x)));
  handle.remove();
  handle.remove();
  embeddings = {};
  model(x);
  EXPECT_FALSE(embeddings.defined());
  EXPECT_FALSE(model.get_submodule("encoder.2").has_hooks());
}

TEST(Hooks, SeeAndReplaceOutputs) {
  const models::SimpleCNN model;
  std::vector<std::string> order;
  model.register_forward_pre_hook(
      [&](const Module&, const Tensors& inputs) { order.push_back("before " + text(inputs[0].shape())); });
  model.register_forward_hook([&](const Module&, const Tensors&, const Tensors& outputs) {
    order.push_back("after " + text(outputs[1].shape()));
    return Tensors{outputs[0], zeros({1})};
  });
  HookHandle doubled = model.fc2.register_forward_hook(
      [](const Module&, const Tensors&, const Tensors& outputs) { return outputs[0] * 2.0; });
  const Tensor x = ones({2, 1, 28, 28});
  const auto [output, embeddings] = model(x);
  EXPECT_EQ(order, (std::vector<std::string>{"before [2, 1, 28, 28]", "after [2, 128]"}));
  EXPECT_EQ(embeddings.shape(), (Shape{1}));
  doubled.remove();
  EXPECT_TRUE(same_bytes(output, model(x).first * 2.0));
}

TEST(Fusion, GivesTheSameBytesAsLayerByLayer) {
  const Sequential model(Conv2d(3, 8, 3, {.padding = 1}), ReLU(), MaxPool2d(2), Conv2d(8, 8, 3), ReLU(),
                         Conv2d(8, 4, 1), Flatten(), Linear(4 * 4 * 4, 32), ReLU(), Linear(32, 5));
  const Tensor x = counted({2, 3, 12, 12}).requires_grad_();
  auto run = [&](const Tensor& input) {
    model.zero_grad();
    input.set_grad({});
    const Tensor y = model(input);
    mean(y * y).backward();
    Tensors results{y.detach(), input.grad()};
    for (const Tensor& parameter : model.parameters()) results.push_back(parameter.grad().clone());
    return results;
  };
  const Tensors fused = run(x);
  int seen = 0;
  std::vector<HookHandle> handles;
  for (const auto& [name, layer] : model.named_children())
    handles.push_back(layer.register_forward_hook([&](const Module&, const Tensors&, const Tensors&) { ++seen; }));
  const Tensors unfused = run(x);
  EXPECT_EQ(seen, 10);
  ASSERT_EQ(fused.size(), unfused.size());
  for (size_t i = 0; i < fused.size(); ++i) EXPECT_TRUE(same_bytes(fused[i], unfused[i])) << i;
  for (HookHandle& handle : handles) handle.remove();
}

TEST(Fusion, HappensUnlessALayerIsWatched) {
  const Linear linear(4, 3);
  const ReLU activation;
  const Sequential model(linear, activation);
  const Tensor x = ones({2, 4});
  auto nodes = [](const Tensor& result, int64_t before) { return result.defined() ? live_nodes() - before : 0; };
  const int64_t before = live_nodes(), fused = nodes(model(x), before),
                layer_by_layer = nodes(activation(linear(x)), before);
  EXPECT_LT(fused, layer_by_layer);
  HookHandle handle = activation.register_forward_hook([](const Module&, const Tensors&, const Tensors&) {});
  EXPECT_EQ(nodes(model(x), before), layer_by_layer);
}

TEST(Module, InferenceFromManyThreads) {
  const models::SimpleCNN model;
  model.eval();
  const Tensor x = counted({3, 1, 28, 28});
  const Tensor expected = [&] {
    const NoGradGuard no_grad;
    return model(x).first;
  }();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      const NoGradGuard no_grad;
      for (int i = 0; i < 20; ++i) wrong += !same_bytes(model(x).first, expected);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace percale::nn
