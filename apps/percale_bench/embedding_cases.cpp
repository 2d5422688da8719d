// Tables of vectors under indices as words come, few of them often: gradients, and a whole row-sparse training step.
#include <algorithm>
#include <cmath>

#include "../../tests/testing/check.h"
#include "case.h"

namespace percale::bench {
namespace {

constexpr int64_t entries = 65'536;

/// Row r with a probability that goes by (r + 1)^-1.05, as the peers draw it.
Tensor zipf_index(int64_t rows, int64_t count, Device device) {
  std::vector<double> until(static_cast<size_t>(rows));
  double sum = 0;
  for (int64_t row = 0; row < rows; ++row)
    until[static_cast<size_t>(row)] = sum += std::pow(static_cast<double>(row + 1), -1.05);
  const Tensor drawn = rand({count}, {f64, cpu_device});
  std::vector<int64_t> index;
  for (const double at : drawn.span<double>())
    index.push_back(std::min(rows - 1, std::upper_bound(until.begin(), until.end(), at * sum) - until.begin()));
  return from_vector(index, {count}, device);
}

/// The rows that `index` names, each once and in order, and where each entry's row stands among them.
std::pair<Tensor, Tensor> used_rows(const Tensor& index) {
  const Tensor here = index.to(cpu_device);
  std::vector<int64_t> rows(here.span<int64_t>().begin(), here.span<int64_t>().end()), places;
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  for (const int64_t row : here.span<int64_t>())
    places.push_back(std::lower_bound(rows.begin(), rows.end(), row) - rows.begin());
  const auto count = static_cast<int64_t>(rows.size());
  return {from_vector(rows, {count}, index.device()), from_vector(places, {entries})};
}

std::string judged(double difference) {
  char text[48];
  std::snprintf(text, sizeof text, "%s%.1e", difference <= 1e-5 ? "" : "WRONG: ", difference);
  return text;
}

/// Rows gathered, and their dense gradient.
Case dense_gradient(Device device, int64_t rows, int64_t width, const std::string& name) {
  auto prepare = [=] {
    manual_seed(7);
    const Tensor table = randn({rows, width}, {f32, device}).requires_grad_();
    const Tensor index = zipf_index(rows, entries, device), upstream = randn({entries, width}, {f32, device});
    auto call = [=] {
      table.set_grad({});
      embedding(table, index).backward(upstream);
    };
    auto check = [=] {
      const Tensor exact = table.detach().to(f64).requires_grad_();
      embedding(exact, index).backward(upstream.to(f64));
      return judged(testing::relative_difference(table.grad().to(cpu_device), exact.grad().to(cpu_device).to(f32)));
    };
    return Prepared{.call = call,
                    .check = check,
                    .bytes = 4.0 * static_cast<double>(width) * static_cast<double>(3 * entries + rows)};
  };
  return {name, prepare};
}

/// The dense gradient alone, of a million entries that name rows `kind`: uniform, zipf or equal.
Case gradient_alone(Device device, int64_t rows, int64_t width, const std::string& kind) {
  auto prepare = [=] {
    manual_seed(7);
    const int64_t count = 1'000'000;
    const Tensor upstream = randn({count, width}, {f32, device});
    const Tensor index = kind == "zipf"    ? zipf_index(rows, count, device)
                         : kind == "equal" ? zeros({count}, {i64, device})
                                           : randint(rows, {count}, {i64, device});
    const auto gradient = std::make_shared<Tensor>();
    auto call = [=] { *gradient = embedding_gradient(upstream, index, rows); };
    auto check = [=] {  // eight columns of f64: all of them would take gigabytes
      const Tensor exact =
          embedding_gradient(upstream.slice(1, 0, 8).to(cpu_device).to(f64), index.to(cpu_device), rows);
      return judged(testing::relative_difference(gradient->slice(1, 0, 8).to(cpu_device), exact.to(f32)));
    };
    return Prepared{.call = call,
                    .check = check,
                    .bytes = 4.0 * static_cast<double>(width) * static_cast<double>(count + rows) +
                             8.0 * static_cast<double>(count)};
  };
  return {"embedding_gradient.100kx128.1M." + kind, prepare};
}

/// Rows gathered, their gradient, and Adam on the rows that were used.
Case sparse_step(Device device, int64_t rows, int64_t width, const std::string& name) {
  auto prepare = [=] {
    manual_seed(7);
    const nn::Embedding layer(rows, width, {.sparse = true});
    layer.to(device);
    const auto optimizer = std::make_shared<optim::Adam>(layer.parameters(), optim::AdamOptions{.lr = 1e-3});
    const Tensor index = zipf_index(rows, entries, device), upstream = randn({entries, width}, {f32, device});
    auto step_of = [index](const nn::Embedding& table, optim::Adam& adam, const Tensor& gradient) {
      adam.zero_grad();
      table(index).backward(gradient);
      adam.step();
    };
    auto call = [=] { step_of(layer, *optimizer, upstream); };
    auto check = [=] {  // the used rows alone, as a small table of f64 that moves as a whole, from its first step on
      const auto [found, inverse] = used_rows(index);
      const nn::Embedding fresh = nn::Embedding::from_pretrained(layer.weight.detach(), false, {.sparse = true});
      const Tensor exact = index_select(fresh.weight.detach(), 0, found).to(cpu_device).to(f64).requires_grad_();
      optim::Adam adam(fresh.parameters(), {.lr = 1e-3}), exact_adam({exact}, {.lr = 1e-3});
      for (int i = 0; i < 3; ++i) {
        step_of(fresh, adam, upstream);
        exact_adam.zero_grad();
        embedding(exact, inverse).backward(upstream.to(cpu_device).to(f64));
        exact_adam.step();
      }
      const Tensor moved = index_select(fresh.weight.detach(), 0, found).to(cpu_device);
      return judged(testing::relative_difference(moved, exact.detach().to(f32)));
    };
    // Rows gathered and written, their upstream read; of each used row the table, m and v read and written.
    const double used = static_cast<double>(used_rows(index).first.numel());
    return Prepared{
        .call = call, .check = check, .bytes = 4.0 * static_cast<double>(width) * (3.0 * entries + 6.0 * used)};
  };
  return {name, prepare};
}

}  // namespace

std::vector<Case> embedding_cases(Device device) {
  return {dense_gradient(device, 100'000, 64, "embedding.100kx64.64k.zipf"),
          dense_gradient(device, 100'000, 256, "embedding.100kx256.64k.zipf"),
          gradient_alone(device, 100'000, 128, "uniform"),
          gradient_alone(device, 100'000, 128, "zipf"),
          gradient_alone(device, 100'000, 128, "equal"),
          sparse_step(device, 1'000'000, 128, "embedding.sparse_adam.1Mx128.64k.zipf")};
}

}  // namespace percale::bench
