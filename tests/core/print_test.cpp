// Tensors print as PyTorch prints them: every case of tests/goldens/printing.jsonl, byte for byte.
#include <gtest/gtest.h>
#include <percale/core/autograd.h>
#include <percale/core/print.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace percale {
namespace {

using Json = nlohmann::json;

/// The cases that live on `device`, after the line that says what made them.
std::vector<Json> cases(const std::string& device) {
  std::ifstream file(PERCALE_SOURCE_DIR "/tests/goldens/printing.jsonl");
  std::vector<Json> cases;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    Json entry = Json::parse(line);
    if (entry.value("device", "cpu") == device) cases.push_back(std::move(entry));
  }
  return cases;
}

DType dtype_named(const std::string& name) {
  for (DType dtype : {f32, f64, f16, bf16, i64, i32, u8, boolean})
    if (name == name_of(dtype)) return dtype;
  throw std::runtime_error("no dtype is called " + name);
}

/// A contiguous CPU tensor whose memory is `hex` over and over.
Tensor filled(const std::string& hex, const Shape& shape, DType dtype) {
  Tensor tensor = Tensor::empty(shape, {dtype, cpu_device});
  std::string block;
  for (size_t i = 0; i < hex.size(); i += 2) block += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(dtype);
  for (size_t done = 0; done < bytes; done += block.size())
    std::memcpy(static_cast<char*>(tensor.data()) + done, block.data(), std::min(block.size(), bytes - done));
  return tensor;
}

Tensor viewed(const Tensor& tensor, const Json& view) {
  const std::string name = view[0];
  std::vector<int64_t> numbers;
  for (size_t i = 1; i < view.size(); ++i) numbers.push_back(view[i].get<int64_t>());
  if (name == "transpose") return tensor.transpose(numbers[0], numbers[1]);
  if (name == "permute") return tensor.permute(numbers);
  if (name == "slice") return tensor.slice(numbers[0], numbers[1], numbers[2], numbers[3]);
  if (name == "select") return tensor.select(numbers[0], numbers[1]);
  if (name == "expand") return tensor.expand(numbers);
  if (name == "view") return tensor.view(numbers);
  if (name == "unsqueeze") return tensor.unsqueeze(numbers[0]);
  if (name == "channels_last") return tensor.channels_last();
  throw std::runtime_error("no view is called " + name);
}

/// A tensor that came out of a node called `name`.
Tensor out_of_node(const Tensor& tensor, const std::string& name) {
  const Tensor input = tensor.detach();
  input.requires_grad_();
  static std::set<std::string> names;  // a node keeps its name by address
  return record(names.insert(name).first->c_str(), tensor.detach(), {input}, saved(),
                [](const Tensors& gradients, const Saved&) -> Tensors { return {gradients[0]}; });
}

Tensor built(const Json& entry) {
  Tensor tensor = filled(entry["data"], entry["shape"].get<std::vector<int64_t>>(), dtype_named(entry["dtype"]));
  for (const Json& view : entry.value("views", Json::array())) tensor = viewed(tensor, view);
  if (entry.contains("device")) tensor = tensor.to(cuda_device);
  if (entry.value("requires_grad", false)) tensor.requires_grad_();
  if (entry.contains("grad_fn")) tensor = out_of_node(tensor, entry["grad_fn"]);
  return tensor;
}

PrintOptions options_of(const Json& entry) {
  PrintOptions options;
  const Json given = entry.value("options", Json::object());
  options.precision = given.value("precision", options.precision);
  options.threshold = given.value("threshold", options.threshold);
  options.edgeitems = given.value("edgeitems", options.edgeitems);
  options.linewidth = given.value("linewidth", options.linewidth);
  if (given.contains("sci_mode")) options.sci_mode = given["sci_mode"].get<bool>();
  return options;
}

void expect_texts(const std::string& device) {
  for (const Json& entry : cases(device)) {
    set_print_options(options_of(entry));
    std::ostringstream stream;
    stream << built(entry);
    EXPECT_EQ(stream.str(), entry["text"].get<std::string>()) << entry["dtype"] << " " << entry["shape"];
  }
  set_print_options({});
}

TEST(Print, IsPyTorchsText) {
  ASSERT_GE(cases("cpu").size(), 200u);
  expect_texts("cpu");
}

TEST(Print, IsPyTorchsTextForCudaTensors) {
  if (!cuda_available()) GTEST_SKIP() << "no CUDA device";
  expect_texts("cuda");
}

TEST(Print, ShapesAreSizes) {
  EXPECT_EQ(to_text(Shape{64, 128}), "torch.Size([64, 128])");
  EXPECT_EQ(to_text(Shape{}), "torch.Size([])");
}

TEST(Print, LeavesNoTraceInTheTape) {
  const Tensor tensor = Tensor::empty({2000}).requires_grad_();
  tensor.detach().zero_();
  const uint64_t version = tensor.version();
  to_text(tensor);
  EXPECT_EQ(tensor.version(), version);
  EXPECT_TRUE(tensor.is_leaf());
}

}  // namespace
}  // namespace percale
