#include "../common/spec.h"
#include "../fill/fill.h"
#include "next_rows.h"

namespace percale {
namespace {

/// Two batches, one after the other, and where the cursor stands then.
Tensors two_batches(const Tensors& in) {
  const int64_t first = in[0].numel() / 3 + 1, second = in[0].numel() - first;
  const Tensor cursor = zeros({1}, {i64, in[0].device()});
  const NextRows one = next_rows(in[0], in[1], cursor, first);
  if (second == 0) return {one.rows, one.labels, cursor};
  const NextRows two = next_rows(in[0], in[1], cursor, second);
  return {one.rows, one.labels, two.rows, two.labels, cursor};
}

std::vector<SpecError> errors() {
  const auto take = [](Device d, const Tensor& order, const Tensor& labels, int64_t batch, double start = 0) {
    const Tensor cursor = full({1}, start, {i64, d});
    next_rows(order, labels, cursor, batch).rows.to(cpu_device);
  };
  return {
      {"row 5 of the order is past its end: it has 5 rows",
       [=](Device d) {
         take(d, tensor({0, 1, 2, 3, 4}, d), tensor({0, 1, 2, 3, 4}, d), 2, 4);
       }},
      {"row 3 at position 1 is out of range for 3 labels",
       [=](Device d) {
         take(d, tensor({2, 3, -1}, d), tensor({0, 1, 2}, d), 3);
       }},
      {"a batch must have 1 to 2 rows, got 3",
       [=](Device d) {
         take(d, tensor({0, 1}, d), tensor({0, 1}, d), 3);
       }},
      {"must be [count] of i64, got [2] of f32",
       [=](Device d) {
         take(d, ones({2}, {f32, d}), tensor({0, 1}, d), 1);
       }},
      {"the cursor must be one number, got [2]",
       [](Device d) {
         next_rows(tensor({0, 1}, d), tensor({0, 1}, d), tensor({0, 0}, d), 1);
       }},
      {"row 9 at position 7 is out of range for 9 labels",
       [](Device d) {  // nor does it move on when another thread than its own meets the error, be it before or behind
         for (int64_t bad = 1; bad < 8; ++bad) {
           const Tensor order = arange(0, 8, 1, {i64, d}), labels = arange(0, 9, 1, {i64, d});
           const Tensor cursor = zeros({1}, {i64, d});
           order.slice(0, bad, bad + 1).fill_(9);
           try {
             next_rows(order, labels, cursor, 8).rows.to(cpu_device);
             return;
           } catch (const Error&) {
             if (cursor.item<int64_t>() != 0) return;
             if (bad == 7) throw;
           }
         }
       }},
      {"the order is past its end", [](Device d) {  // and after an error the cursor stands where it stood
         const Tensor order = tensor({0, 1, 2}, d), cursor = full({1}, 2, {i64, d});
         try {
           next_rows(order, order, cursor, 2).rows.to(cpu_device);
         } catch (const Error& error) {
           if (cursor.item<int64_t>() == 2) throw;
         }
       }}};
}

}  // namespace

extern const Specs next_rows_specs;
const Specs next_rows_specs = {{.name = "next_rows",
                                .run = two_batches,
                                .inputs = {index_input("images", {"count"}), index_input("classes", {"images"})},
                                .sizes = {{10, 7, 3}, {1, 1, 1}, {5, 1000, 10}, {100, 2, 10}},
                                .gradient = false,
                                .errors = errors()}};

}  // namespace percale
