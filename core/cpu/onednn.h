// oneDNN as Percale uses it: primitives made once a shape, memory from our allocator, weights packed once a version.
//
//   PrimitiveKey key("linear");
//   key.add(rows).add(columns).add(relu);
//   const auto primitive = cached_primitive(key, [&](const dnnl::engine& engine, const dnnl::primitive_attr&
//   attributes) {
//     dnnl::matmul::primitive_desc description({source, any_weights, bias, target}, attributes, engine);
//     return make_primitive<dnnl::matmul>(description);     // keeps the layouts that oneDNN chose
//   });
//   const auto weights = packed_weights(weight, describe(weight), primitive->weights);
//   primitive->execute({{DNNL_ARG_SRC, source, x.data()}, {DNNL_ARG_WEIGHTS, primitive->weights, weights->data()},
//   ...});
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>

#include "../tensor.h"

namespace percale::cpu {

/// oneDNN's name of a dtype; an error that names `operation` for one that it cannot compute with (f64, f16).
dnnl::memory::data_type data_type_of(const char* operation, DType dtype);
/// Whether oneDNN computes with `dtype` on this processor: f32 always, bf16 where it has AVX-512.
bool onednn_computes(DType dtype);
/// Where the elements of `tensor` lie (any strides).
dnnl::memory::desc describe(const Tensor& tensor);
/// `tensor` in whatever layout oneDNN likes best.
dnnl::memory::desc describe_any(const Tensor& tensor);

/// What tells one primitive, or one packing of weights, from another: an operation and up to 47 numbers.
class PrimitiveKey {
 public:
  explicit PrimitiveKey(const char* operation);
  PrimitiveKey& add(int64_t value);
  PrimitiveKey& add(const Shape& shape);
  size_t hash() const;
  friend bool operator==(const PrimitiveKey&, const PrimitiveKey&) = default;

 private:
  std::array<int64_t, 48> values_{};
  int count_ = 0;
};

/// A primitive and the layouts that it wants. `execute` may be called from several threads at once: each call has its
/// own scratchpad. Inside a parallel loop it runs on one thread.
struct Primitive {
  struct Argument {
    int index;  ///< DNNL_ARG_...
    const dnnl::memory::desc& layout;
    const void* data;
  };
  dnnl::primitive primitive;
  dnnl::memory::desc source, weights, bias, destination, scratchpad;
  std::string implementation;  ///< `jit:avx2`

  void execute(std::initializer_list<Argument> arguments) const;
};

/// From a oneDNN primitive_desc made with the attributes that `cached_primitive` hands out. Layouts are those of the
/// forward pass's arguments or, for a gradient, of the gradients in their places.
template <class T, class Description>
Primitive make_primitive(const Description& description) {
  const auto layout = [&](dnnl::query primary, dnnl::query other, int index) {
    const auto found = description.query_md(primary, index);
    return found.data.ndims ? found : description.query_md(other, index);
  };
  return {T(description),
          layout(dnnl::query::src_md, dnnl::query::diff_src_md, 0),
          layout(dnnl::query::weights_md, dnnl::query::diff_weights_md, 0),
          layout(dnnl::query::weights_md, dnnl::query::diff_weights_md, 1),
          layout(dnnl::query::dst_md, dnnl::query::diff_dst_md, 0),
          description.scratchpad_desc(),
          description.impl_info_str()};
}

/// The primitive of `key`, made by `make` when it is first asked for. `attributes` come with the user's scratchpad mode
/// set; post-operations are the maker's to add (and the key's to tell).
std::shared_ptr<const Primitive> cached_primitive(
    const PrimitiveKey& key, const std::function<Primitive(const dnnl::engine&, const dnnl::primitive_attr&)>& make);

/// While it lives, primitives are made and run for one thread. oneDNN cuts some sums (a convolution's weight gradient)
/// by the number of threads: make those primitives under this guard, and run one for each of a fixed number of slices
/// in a parallel loop, so that bytes do not depend on the number of threads.
class OneThreadGuard {
 public:
  OneThreadGuard();
  ~OneThreadGuard();
  OneThreadGuard(const OneThreadGuard&) = delete;

 private:
  int previous_;
};

/// `weight` rewritten by `pack` into `bytes` bytes: done once for each version of its memory and each `layout`, so once
/// a step in training and never again in inference. Who writes weights through a pointer must call `mark_written`.
std::shared_ptr<Storage> packed_weights(const Tensor& weight, const PrimitiveKey& layout, size_t bytes,
                                        const std::function<void(void* packed)>& pack);
/// As above, by oneDNN's reorder from layout `from` (that of `weight.data()`) to `to`.
std::shared_ptr<Storage> packed_weights(const Tensor& weight, const dnnl::memory::desc& from,
                                        const dnnl::memory::desc& to);
/// Rewrites `source` from one layout to another.
void reorder(const dnnl::memory::desc& from, const void* source, const dnnl::memory::desc& to, void* target);

/// `AVX2 FMA AVX-512F AVX-512BW`: what the processor has and oneDNN may use.
std::string instruction_sets();
/// `2.6.3`
std::string onednn_version();

}  // namespace percale::cpu
