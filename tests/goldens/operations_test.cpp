// Every operation against PyTorch in f64: outputs, gradients, gradients of gradients and the names of grad_fn, as
// operations.jsonl has them (operations.h says what runs).
#include "operations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

namespace percale {
namespace {

using goldens::Json;
using goldens::number;
using goldens::quantised;
using goldens::Run;

const std::vector<Json>& cases() {
  static const std::vector<Json> all = [] {
    std::ifstream file(PERCALE_SOURCE_DIR "/tests/goldens/operations.jsonl");
    std::vector<Json> list;
    std::string line;
    std::getline(file, line);  // what made the file
    while (std::getline(file, line)) list.push_back(Json::parse(line));
    return list;
  }();
  return all;
}

/// The operations of the file. What dtypes promote to stands there too, and has a test of its own.
std::vector<std::string> names() {
  std::set<std::string> found;
  for (const Json& entry : cases()) found.insert(entry["op"].get<std::string>());
  found.erase("promotion");
  return {found.begin(), found.end()};
}

/// A tensor of the file in f64, i64 or bool.
Tensor tensor_of(const Json& written) {
  const Shape shape(written["shape"].get<std::vector<int64_t>>());
  if (written.contains("stream"))
    return quantised(written["stream"].get<uint64_t>(), shape, written["scale"].get<double>(),
                     written["offset"].get<double>());
  Tensor result = Tensor::empty(shape, {f64, cpu_device});
  for (int64_t i = 0; i < result.numel(); ++i)
    result.data<double>()[i] = number(written["data"][static_cast<size_t>(i)]);
  const std::string dtype = written.value("dtype", "f64");
  return dtype == "i64" ? result.to(i64) : dtype == "bool" ? result.to(boolean) : result;
}

/// Each element within `tolerance` of the file's, relative to it where it is larger than 1. Empty, or what differs.
std::string difference(const Tensor& found, const Json& written, double tolerance) {
  const Tensor expected = tensor_of(written);
  if (found.shape() != expected.shape())
    return "shape " + text(found.shape()) + " instead of " + text(expected.shape());
  if (is_floating(found.dtype()) != is_floating(expected.dtype())) return "dtype " + text(found.dtype());
  const Tensor ours = found.detach().to(f64).contiguous(), theirs = expected.to(f64);
  for (int64_t i = 0; i < ours.numel(); ++i) {
    const double a = ours.data<double>()[i], b = theirs.data<double>()[i];
    if (a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= tolerance * std::max(1.0, std::abs(b)))
      continue;
    return "element " + std::to_string(i) + " is " + text(a) + " instead of " + text(b) + ", off by " +
           text(std::abs(a - b));
  }
  return {};
}

/// The gradient of `function` with stream 9 from upstream, weighted with stream 8: what a second derivative is taken
/// of.
Tensor penalty(Run function, const Tensors& inputs, const Json& args) {
  const Tensor output = function(inputs, args);
  Tensors wanted;
  for (const Tensor& input : inputs)
    if (input.requires_grad()) wanted.push_back(input);
  Tensor total;
  for (const Tensor& gradient : grad({output}, wanted, {quantised(9, output.shape()).to(output.dtype())}, true, true)) {
    const Tensor part = sum(gradient * quantised(8, gradient.shape()).to(gradient.dtype()));
    total = total.defined() ? total + part : part;
  }
  return total;
}

void check(const Json& entry, Run function, bool twice, DType dtype) {
  Tensors inputs;
  for (size_t i = 0; i < entry["inputs"].size(); ++i) {
    Tensor input = tensor_of(entry["inputs"][i]);
    if (is_floating(input.dtype())) input = input.to(dtype).detach();
    if (entry.contains("gradients") && !entry["gradients"][i].is_null()) input.requires_grad_();
    inputs.push_back(input);
  }
  const double tolerance = dtype == f64 ? 1e-12 : 1e-5;
  const Tensor output = twice ? penalty(function, inputs, entry["args"]) : function(inputs, entry["args"]);
  EXPECT_EQ(difference(output, entry["output"], tolerance), "");
  if (!entry.contains("gradients")) return;
  if (!twice) {
    EXPECT_EQ(output.grad_fn(), entry["grad_fn"].get<std::string>());
  }
  output.backward(quantised(9, output.shape()).to(output.dtype()));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    const Tensor gradient = inputs[i].grad().defined() ? inputs[i].grad() : zeros_like(inputs[i]);
    EXPECT_EQ(difference(gradient, entry["gradients"][i], tolerance), "") << "gradient of input " << i;
  }
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, AgreesWithPyTorch) {
  const std::string name = GetParam();
  const bool twice = name.starts_with("twice.");
  auto found = goldens::operations().find(name);
  if (twice && found == goldens::operations().end()) found = goldens::operations().find(name.substr(6));
  ASSERT_NE(found, goldens::operations().end()) << name << " is in the file and not in the table";
  for (size_t i = 0; i < cases().size(); ++i) {
    if (cases()[i]["op"] != name) continue;
    for (const DType dtype : {f64, f32}) {
      SCOPED_TRACE("line " + std::to_string(i + 2) + ", args " + cases()[i]["args"].dump() + ", in " + text(dtype));
      check(cases()[i], found->second, twice, dtype);
    }
  }
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Operations, Golden, ::testing::ValuesIn(names()), test_name);

TEST(Golden, TheFileHasEachOperationOfTheTable) {
  const auto in_file = names();
  for (const auto& [name, run] : goldens::operations()) EXPECT_TRUE(std::ranges::count(in_file, name)) << name;
}

TEST(Golden, DtypesArePromotedAsPyTorchPromotes) {
  const Json* table = nullptr;
  for (const Json& entry : cases())
    if (entry["op"] == "promotion") table = &entry["args"];
  ASSERT_NE(table, nullptr);
  const auto name = [](const Tensor& tensor) { return text(tensor.dtype()); };
  const DType dtypes[] = {f32, f64, f16, bf16, i64, i32, u8, boolean};
  for (const DType a : dtypes) {
    const Tensor x = ones({2}, {a, cpu_device});
    SCOPED_TRACE(text(a));
    for (const DType b : dtypes) {
      const Tensor y = ones({2}, {b, cpu_device});
      SCOPED_TRACE("with " + text(b));
      EXPECT_EQ(name(x + y), (*table)["tensor"][text(a)][text(b)]);
      EXPECT_EQ(name(x + y[0]), (*table)["scalar_tensor"][text(a)][text(b)]);
      EXPECT_EQ(name(x / y), (*table)["div"][text(a)][text(b)]);
    }
    EXPECT_EQ(name(x + true), (*table)["number"][text(a)]["bool"]);
    EXPECT_EQ(name(x + 2), (*table)["number"][text(a)]["integer"]);
    EXPECT_EQ(name(x + 2.5), (*table)["number"][text(a)]["real"]);
    EXPECT_EQ(name(sum(x)), (*table)["sum"][text(a)]);
    EXPECT_EQ(name(exp(x)), (*table)["exp"][text(a)]);
    EXPECT_EQ(name(pow(x, 2)), (*table)["pow"][text(a)]["integer"]);
    EXPECT_EQ(name(pow(x, 0.5)), (*table)["pow"][text(a)]["real"]);
  }
}

}  // namespace
}  // namespace percale
