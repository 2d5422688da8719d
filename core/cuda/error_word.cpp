#include "error_word.h"

#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "../error.h"

namespace percale::cuda {
namespace {

/// The text of one kind of error: whose it is and how it reads. Both are literals, so the list stays short.
struct Site {
  const char* operation;
  const char* message;
};

struct StreamRecord {
  ErrorRecord* on_device = nullptr;
  ErrorRecord* on_host = nullptr;  // pinned: the copy that synchronize() reads
  uint64_t operations = 0;
  std::mutex reading;
};

struct Registry {
  std::mutex mutex;
  std::map<Stream, std::unique_ptr<StreamRecord>> records;
  std::vector<Site> sites;
};

Registry& registry() {
  static Registry* instance = new Registry;  // outlives every static that might synchronize
  return *instance;
}

StreamRecord* find_record(Stream stream) {
  Registry& all = registry();
  std::scoped_lock lock(all.mutex);
  const auto found = all.records.find(stream);
  return found == all.records.end() ? nullptr : found->second.get();
}

/// The record is filled on another stream, since `stream` may be capturing and must not record this. That stream is
/// kept: to destroy one takes the registry's lock, which is held here.
StreamRecord& ensure_record(Registry& all, Stream stream) {
  std::unique_ptr<StreamRecord>& record = all.records[stream];
  if (record) return *record;
  auto made = std::make_unique<StreamRecord>();
  made->on_device = static_cast<ErrorRecord*>(allocate_device(sizeof(ErrorRecord)));
  require(made->on_device != nullptr, "cuda", "there is no device memory left for a stream's error word");
  made->on_host = static_cast<ErrorRecord*>(allocate_pinned(sizeof(ErrorRecord)));
  static const Stream setup = create_stream();
  fill_async(made->on_device, 0xff, sizeof(ErrorRecord), setup);
  wait(setup);
  record = std::move(made);
  return *record;
}

int32_t site_number(Registry& all, const char* operation, const char* message) {
  for (size_t i = 0; i < all.sites.size(); ++i)
    if (std::strcmp(all.sites[i].operation, operation) == 0 && std::strcmp(all.sites[i].message, message) == 0)
      return static_cast<int32_t>(i);
  all.sites.push_back({operation, message});
  return static_cast<int32_t>(all.sites.size() - 1);
}

[[noreturn]] void throw_error(const ErrorRecord& error) {
  Site site;
  {
    Registry& all = registry();
    std::scoped_lock lock(all.mutex);
    site = all.sites.at(static_cast<size_t>(error.site));
  }
  const Shape shape(std::span<const int64_t>(error.extents, static_cast<size_t>(error.rank)));
  fail_at(site.operation, site.message, error.value, error.position, shape, error.bound);
}

}  // namespace

ErrorReporter error_reporter(const char* operation, const Shape& index_shape, Stream stream, const char* message) {
  Registry& all = registry();
  std::scoped_lock lock(all.mutex);
  StreamRecord& record = ensure_record(all, stream);
  ErrorReporter reporter{};
  reporter.record = record.on_device;
  reporter.operation = record.operations++;
  reporter.rank = index_shape.rank();
  for (int dim = 0; dim < index_shape.rank(); ++dim) reporter.extents[dim] = index_shape[dim];
  reporter.site = site_number(all, operation, message);
  return reporter;
}

const ErrorRecord* error_record(Stream stream) {
  Registry& all = registry();
  std::scoped_lock lock(all.mutex);
  return ensure_record(all, stream).on_device;
}

void synchronize(Stream stream) {
  require(!is_capturing(stream), "cuda",
          "a captured step can't wait for the device (item(), printing, copying to the CPU)");
  StreamRecord* record = find_record(stream);
  if (record == nullptr) return wait(stream);
  std::scoped_lock lock(record->reading);
  copy_async(record->on_host, record->on_device, sizeof(ErrorRecord), CopyKind::device_to_host, stream);
  wait(stream);
  const ErrorRecord error = *record->on_host;
  if (error.operation == ErrorRecord::no_error) return;
  fill_async(record->on_device, 0xff, sizeof(ErrorRecord), stream);
  throw_error(error);
}

void forget_error_record(Stream stream) noexcept {
  Registry& all = registry();
  std::scoped_lock lock(all.mutex);
  const auto found = all.records.find(stream);
  if (found == all.records.end()) return;
  free_device(found->second->on_device);
  free_pinned(found->second->on_host);
  all.records.erase(found);
}

}  // namespace percale::cuda
