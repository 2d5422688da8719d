#include "onednn.h"

#include <omp.h>

#include <list>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "../allocator.h"

namespace percale::cpu {
namespace {

const dnnl::engine& engine() {
  static const dnnl::engine the_engine(dnnl::engine::kind::cpu, 0);
  return the_engine;
}

const dnnl::stream& stream() {
  thread_local const dnnl::stream of_thread(engine());
  return of_thread;
}

struct KeyHash {
  size_t operator()(const PrimitiveKey& key) const { return key.hash(); }
};

/// Primitives by key, the least recently used dropped beyond a thousand (a program with ever new shapes).
class PrimitiveCache {
 public:
  template <class Make>
  std::shared_ptr<const Primitive> find(const PrimitiveKey& key, Make&& make) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = places_.find(key); found != places_.end()) {
        order_.splice(order_.begin(), order_, found->second);
        return found->second->second;
      }
    }
    auto primitive = std::make_shared<const Primitive>(make());
    const std::lock_guard lock(mutex_);
    if (const auto found = places_.find(key); found != places_.end()) return found->second->second;
    order_.emplace_front(key, primitive);
    places_[key] = order_.begin();
    if (order_.size() > 1000) {
      places_.erase(order_.back().first);
      order_.pop_back();
    }
    return primitive;
  }

 private:
  using Order = std::list<std::pair<PrimitiveKey, std::shared_ptr<const Primitive>>>;
  std::mutex mutex_;
  Order order_;
  std::unordered_map<PrimitiveKey, Order::iterator, KeyHash> places_;
};

/// Packed weights by the memory that they were made from. An entry whose weights are gone is dropped at the next
/// packing.
class PackedCache {
 public:
  template <class Pack>
  std::shared_ptr<Storage> find(const Tensor& weight, const PrimitiveKey& layout, size_t bytes, Pack&& pack) {
    const uint64_t version = weight.version();
    std::shared_ptr<Storage> packed;
    {
      const std::lock_guard lock(mutex_);
      Entry& entry = entries_[layout];
      if (entry.weight.lock() == weight.storage()) {
        if (entry.version == version) return entry.packed;
        // The old version's memory serves again, unless somebody still computes with it.
        if (entry.packed.use_count() == 1 && entry.packed->bytes() == bytes) packed = std::move(entry.packed);
      }
      entry.weight.reset();
    }
    if (!packed) packed = std::make_shared<Storage>(bytes, cpu_device);
    pack(packed->data());
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [](const auto& item) { return item.second.weight.expired(); });
    entries_[layout] = {weight.storage(), version, packed};
    return packed;
  }

 private:
  struct Entry {
    std::weak_ptr<Storage> weight;
    uint64_t version = 0;
    std::shared_ptr<Storage> packed;
  };
  std::mutex mutex_;
  std::unordered_map<PrimitiveKey, Entry, KeyHash> entries_;
};

// Never destroyed: primitives may outlive main in other threads, and oneDNN's own statics go first.
PrimitiveCache& primitives() {
  static auto& cache = *new PrimitiveCache;
  return cache;
}
PackedCache& packings() {
  static auto& cache = *new PackedCache;
  return cache;
}

PrimitiveKey key_of(PrimitiveKey key, const dnnl::memory::desc& layout) {
  const auto& data = layout.data;
  const auto& blocks = data.format_desc.blocking;
  key.add(data.ndims).add(data.data_type).add(blocks.inner_nblks);
  for (int i = 0; i < data.ndims; ++i) key.add(data.dims[i]).add(blocks.strides[i]);
  for (int i = 0; i < blocks.inner_nblks; ++i) key.add(blocks.inner_blks[i]).add(blocks.inner_idxs[i]);
  return key;
}

}  // namespace

dnnl::memory::data_type data_type_of(const char* operation, DType dtype) {
  switch (dtype) {
    case f32:
      return dnnl::memory::data_type::f32;
    case bf16:
      return dnnl::memory::data_type::bf16;
    default:
      unsupported(operation, dtype);
  }
}

bool onednn_computes(DType dtype) {
  if (dtype == f32) return true;
  return dtype == bf16 && __builtin_cpu_supports("avx512bw") &&
         dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core;
}

dnnl::memory::desc describe(const Tensor& tensor) {
  const dnnl::memory::dims extents(tensor.shape().begin(), tensor.shape().end());
  const dnnl::memory::dims strides(tensor.strides().begin(), tensor.strides().end());
  return {extents, data_type_of("describe", tensor.dtype()), strides};
}

dnnl::memory::desc describe_any(const Tensor& tensor) {
  const dnnl::memory::dims extents(tensor.shape().begin(), tensor.shape().end());
  return {extents, data_type_of("describe", tensor.dtype()), dnnl::memory::format_tag::any};
}

PrimitiveKey::PrimitiveKey(const char* operation) {
  for (uint64_t value = 0; *operation; ++operation) {
    value = value * 131 + static_cast<unsigned char>(*operation);
    values_[0] = static_cast<int64_t>(value);
  }
  count_ = 1;
}

PrimitiveKey& PrimitiveKey::add(int64_t value) {
  require(count_ < static_cast<int>(values_.size()), "PrimitiveKey", "holds {} numbers at most", values_.size());
  values_[count_++] = value;
  return *this;
}

PrimitiveKey& PrimitiveKey::add(const Shape& shape) {
  add(shape.rank());
  for (int64_t extent : shape) add(extent);
  return *this;
}

size_t PrimitiveKey::hash() const {
  uint64_t value = 0xcbf29ce484222325;
  for (int i = 0; i < count_; ++i) {
    value = (value ^ static_cast<uint64_t>(values_[i])) * 0x9e3779b97f4a7c15;
    value ^= value >> 29;
  }
  return value;
}

void Primitive::execute(std::initializer_list<Argument> arguments) const {
  std::unordered_map<int, dnnl::memory> memories;
  memories.reserve(arguments.size() + 1);
  for (const Argument& argument : arguments) {
    if (argument.data)
      memories.emplace(argument.index, dnnl::memory(argument.layout, engine(), const_cast<void*>(argument.data)));
  }
  const size_t bytes = scratchpad.get_size();
  const auto pool = current_pool(cpu_device);
  struct Block {
    MemoryPool& pool;
    size_t bytes;
    void* data;
    ~Block() {
      if (data) pool.release(data, bytes);
    }
  } block{*pool, bytes, bytes ? pool->allocate(bytes) : nullptr};
  if (bytes) memories.emplace(DNNL_ARG_SCRATCHPAD, dnnl::memory(scratchpad, engine(), block.data));
  primitive.execute(stream(), memories);
}

std::shared_ptr<const Primitive> cached_primitive(
    const PrimitiveKey& key, const std::function<Primitive(const dnnl::engine&, const dnnl::primitive_attr&)>& make) {
  // oneDNN fits a primitive to the number of threads at its making.
  return primitives().find(PrimitiveKey(key).add(omp_in_parallel() ? 1 : omp_get_max_threads()), [&] {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return make(engine(), attributes);
  });
}

OneThreadGuard::OneThreadGuard() : previous_(omp_get_max_threads()) { omp_set_num_threads(1); }
OneThreadGuard::~OneThreadGuard() { omp_set_num_threads(previous_); }

std::shared_ptr<Storage> packed_weights(const Tensor& weight, const PrimitiveKey& layout, size_t bytes,
                                        const std::function<void(void*)>& pack) {
  const auto address = reinterpret_cast<intptr_t>(weight.storage().get());
  return packings().find(weight, PrimitiveKey(layout).add(address).add(weight.offset()), bytes, pack);
}

std::shared_ptr<Storage> packed_weights(const Tensor& weight, const dnnl::memory::desc& from,
                                        const dnnl::memory::desc& to) {
  const PrimitiveKey layout = key_of(key_of(PrimitiveKey("packed"), from), to);
  return packed_weights(weight, layout, to.get_size(), [&](void* packed) { reorder(from, weight.data(), to, packed); });
}

void reorder(const dnnl::memory::desc& from, const void* source, const dnnl::memory::desc& to, void* target) {
  const auto primitive =
      cached_primitive(key_of(key_of(PrimitiveKey("reorder"), from), to),
                       [&](const dnnl::engine& where, const dnnl::primitive_attr& attributes) {
                         const dnnl::reorder::primitive_desc description(where, from, where, to, attributes);
                         return Primitive{dnnl::reorder(description), from, {}, {}, to, description.scratchpad_desc(),
                                          description.impl_info_str()};
                       });
  primitive->execute({{DNNL_ARG_FROM, from, source}, {DNNL_ARG_TO, to, target}});
}

std::string instruction_sets() {
  std::string result;
  const auto add = [&](bool has, const char* name) {
    if (has) result.append(result.empty() ? "" : " ").append(name);
  };
  add(__builtin_cpu_supports("sse4.2") && !__builtin_cpu_supports("avx2"), "SSE4.2");
  add(__builtin_cpu_supports("avx2"), "AVX2");
  add(__builtin_cpu_supports("fma"), "FMA");
  add(__builtin_cpu_supports("avx512f"), "AVX-512F");
  add(__builtin_cpu_supports("avx512bw"), "AVX-512BW");
  add(__builtin_cpu_supports("avx512vnni"), "AVX-512VNNI");
  add(__builtin_cpu_supports("avx512bf16"), "AVX-512BF16");
  add(static_cast<int>(dnnl::get_effective_cpu_isa()) >= static_cast<int>(dnnl::cpu_isa::avx512_core_amx), "AMX");
  return result;
}

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return std::to_string(version->major) + "." + std::to_string(version->minor) + "." + std::to_string(version->patch);
}

}  // namespace percale::cpu
