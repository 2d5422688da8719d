// Encoders of text as the peers in PyTorch time them: a forward pass of random weights.
#include "case.h"

namespace percale::bench {
namespace {

models::BertConfig bert_base() { return {}; }
/// all-MiniLM-L6-v2's.
models::BertConfig minilm() {
  return {.hidden_size = 384, .num_hidden_layers = 6, .num_attention_heads = 12, .intermediate_size = 1536};
}

/// Floating-point operations of a forward pass: of the four projections, the two layers behind them, and attention.
double forward_operations(const models::BertConfig& config, int64_t batch, int64_t length) {
  const auto hidden = static_cast<double>(config.hidden_size), inner = static_cast<double>(config.intermediate_size);
  const auto tokens = static_cast<double>(batch * length), layers = static_cast<double>(config.num_hidden_layers);
  return layers * tokens * (2 * (4 * hidden * hidden + 2 * hidden * inner) + 4 * static_cast<double>(length) * hidden);
}

/// The last hidden state of `batch` sequences of `length` tokens; the peers begin behind the embeddings.
Case bert(Device device, Precision precision, const char* name, const models::BertConfig& config, int64_t batch,
          int64_t length) {
  auto prepare = [=] {
    const NoGradGuard no_grad;
    const models::Bert model = models::Bert(config, false).to(device);
    const Tensor ids = randint(0, config.vocab_size, {batch, length}, {i64, cpu_device});
    const auto tokens = models::PackedTokens::from_padded(ids, {}).to(device);
    const auto output = std::make_shared<Tensor>();
    auto call = [=] {
      const NoGradGuard no_grad;
      const PrecisionGuard guard(precision, device);
      *output = model(tokens).last_hidden_state;
    };
    auto check = [=] {
      const NoGradGuard no_grad;
      models::Bert exact(config, false);
      exact.load_state_dict(model.state_dict());
      exact.to(f64);
      const double tolerance = precision == Precision::fp32 ? 1e-5 : precision == Precision::int8 ? 0.1 : 2e-2;
      return distance({*output}, {exact(tokens.to(cpu_device)).last_hidden_state}, tolerance);
    };
    return Prepared{.call = call, .check = check, .operations = forward_operations(config, batch, length)};
  };
  std::string full = name;
  full.append(".").append(std::to_string(batch)).append("x").append(std::to_string(length));
  full.append(precision == Precision::int8 ? ".int8" : precision_suffix(device, precision));
  return {full, prepare, reason_without(precision, device)};
}

}  // namespace

std::vector<Case> text_cases(Device device) {
  std::vector<Case> cases;
  std::vector<Precision> precisions = {Precision::fp32, Precision::bf16};
  if (!device.is_cuda()) precisions.push_back(Precision::int8);
  for (const Precision precision : precisions) {
    cases.push_back(bert(device, precision, "bert_base", bert_base(), 1, 8));
    cases.push_back(bert(device, precision, "bert_base", bert_base(), 8, 128));
    if (device.is_cuda()) cases.push_back(bert(device, precision, "bert_base", bert_base(), 32, 128));
    cases.push_back(bert(device, precision, "minilm", minilm(), 32, 18));
    cases.push_back(bert(device, precision, "minilm", minilm(), 1, 18));
  }
  return cases;
}

}  // namespace percale::bench
