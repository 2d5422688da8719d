#include "download.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "../../core/error.h"
#include "sha1.h"
#include "sha256.h"

// curl.h checks the arguments of these by macros, which would take our table's entries for its own functions.
#undef curl_easy_setopt
#undef curl_easy_getinfo

namespace percale::data {
namespace {

using Clock = std::chrono::steady_clock;

/// libcurl, opened when the first download asks: it brings two dozen libraries, for which no other program should pay.
struct Curl {
  decltype(&::curl_global_init) global_init = nullptr;
  decltype(&::curl_easy_init) easy_init = nullptr;
  decltype(&::curl_easy_setopt) setopt = nullptr;
  decltype(&::curl_easy_perform) perform = nullptr;
  decltype(&::curl_easy_getinfo) getinfo = nullptr;
  decltype(&::curl_easy_cleanup) cleanup = nullptr;
  decltype(&::curl_easy_strerror) strerror = nullptr;

  Curl() {
    void* library = nullptr;
    for (const char* name : {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so"})
      if (!library) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    require(library != nullptr, "download", "libcurl is not installed (Debian: apt install libcurl4)");
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
      require(function != nullptr, "download", "libcurl has no {}", name);
    };
    find(global_init, "curl_global_init");
    find(easy_init, "curl_easy_init");
    find(setopt, "curl_easy_setopt");
    find(perform, "curl_easy_perform");
    find(getinfo, "curl_easy_getinfo");
    find(cleanup, "curl_easy_cleanup");
    find(strerror, "curl_easy_strerror");
    global_init(CURL_GLOBAL_DEFAULT);
  }
};

const Curl& curl() {
  static const Curl library;
  return library;
}

/// One attempt: what the callbacks of libcurl share.
struct Transfer {
  const DownloadOptions& options;
  int file = -1;
  int64_t done = 0, total = 0;
  bool restarted = false;
  int error = 0;
  Clock::time_point last_progress{};
};

size_t receive(char* data, size_t, size_t size, void* context) {
  Transfer& transfer = *static_cast<Transfer*>(context);
  for (size_t written = 0; written < size;) {
    const ssize_t count = write(transfer.file, data + written, size - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return transfer.error = errno, 0;
    written += static_cast<size_t>(count);
  }
  transfer.done += static_cast<int64_t>(size);
  if (transfer.done > transfer.options.most_bytes) return transfer.error = EFBIG, 0;
  const auto now = Clock::now();
  if (transfer.options.progress && now - transfer.last_progress > std::chrono::milliseconds(100)) {
    transfer.last_progress = now;
    transfer.options.progress(transfer.done, transfer.total);
  }
  return size;
}

/// A server that does not know ranges answers 200 and sends everything: then the file begins anew.
size_t receive_header(char* data, size_t, size_t size, void* context) {
  Transfer& transfer = *static_cast<Transfer*>(context);
  const std::string line(data, size);
  const bool whole = line.starts_with("HTTP/") && line.find(" 200") != std::string::npos;
  if (whole && transfer.done > 0) {
    if (ftruncate(transfer.file, 0) != 0 || lseek(transfer.file, 0, SEEK_SET) != 0) return 0;
    transfer.done = 0;
  }
  if (strncasecmp(line.c_str(), "content-length:", 15) == 0)
    transfer.total = transfer.done + std::atoll(line.c_str() + 15);
  return size;
}

/// Empty if `part` is complete now, else the reason why not.
std::string fetch(const std::string& address, const std::string& part, double patience,
                  const DownloadOptions& options) {
  const Curl& library = curl();
  Transfer transfer{.options = options};
  transfer.file = open(part.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (transfer.file < 0) fail("download", "{}: cannot be written: {}", {part, std::strerror(errno)});
  transfer.done = lseek(transfer.file, 0, SEEK_END);
  CURL* handle = library.easy_init();
  library.setopt(handle, CURLOPT_URL, address.c_str());
  library.setopt(handle, CURLOPT_WRITEFUNCTION, &receive);
  library.setopt(handle, CURLOPT_WRITEDATA, &transfer);
  library.setopt(handle, CURLOPT_HEADERFUNCTION, &receive_header);
  library.setopt(handle, CURLOPT_HEADERDATA, &transfer);
  library.setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  library.setopt(handle, CURLOPT_FAILONERROR, 1L);
  library.setopt(handle, CURLOPT_NOSIGNAL, 1L);
  library.setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(patience * 1000));
  library.setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1000L);
  library.setopt(handle, CURLOPT_LOW_SPEED_TIME, 15L);
  library.setopt(handle, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(transfer.done));
#if LIBCURL_VERSION_NUM >= 0x075700
  library.setopt(handle, CURLOPT_QUICK_EXIT, 1L);  // a name server that does not answer must not hold us up at the end
#endif
  const CURLcode code = library.perform(handle);
  long status = 0;
  library.getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  library.cleanup(handle);
  close(transfer.file);
  if (transfer.error) fail("download", "{}: cannot be written: {}", {part, std::strerror(transfer.error)});
  // 416: all of it was there already. A server without ranges: the checksum will say that the file must begin anew.
  if (code == CURLE_OK || code == CURLE_RANGE_ERROR || status == 416) return "";
  return code == CURLE_HTTP_RETURNED_ERROR ? "it answered " + std::to_string(status) : library.strerror(code);
}

/// Of the kind that has so many digits.
std::string checksum_of(const std::string& path, size_t digits) {
  if (digits == 0) return "";
  return digits == 40 ? git_sha1_of_file(path) : sha256_of_file(path);
}

}  // namespace

bool may_use_network() {
  const char* value = std::getenv("PERCALE_OFFLINE");
  return !value || !*value || std::string_view(value) == "0";
}

void download(const std::vector<std::string>& addresses, const std::string& path, const std::string& checksum,
              const DownloadOptions& options) {
  require(may_use_network(), "download", "PERCALE_OFFLINE is set");
  const std::string part = path + ".part";
  std::string reasons;
  const auto begin = Clock::now();
  for (size_t i = 0; i < addresses.size(); ++i) {
    // The mirrors share the time; what a quick refusal leaves is for the next one.
    const double spent = std::chrono::duration<double>(Clock::now() - begin).count();
    const double patience = std::max(.5, (options.patience - spent) / static_cast<double>(addresses.size() - i));
    for (bool resumed : {true, false}) {
      if (!resumed) std::filesystem::remove(part);  // what was there before may have been another file's
      const bool had_part = std::filesystem::exists(part) && std::filesystem::file_size(part) > 0;
      const std::string reason = fetch(addresses[i], part, patience, options);
      if (reason.empty()) {
        const std::string found = checksum_of(part, checksum.size());
        if (found == checksum) return std::filesystem::rename(part, path);
        if (resumed && had_part) continue;
        std::filesystem::remove(part);
        reasons += "; " + addresses[i] + (checksum.size() == 40 ? ": expected git's SHA-1 " : ": expected SHA-256 ") +
                   checksum + ", found " + found;
      } else {
        reasons += "; " + addresses[i] + ": " + reason;
      }
      break;
    }
  }
  fail("download", "{} could not be fetched{}", {path, reasons});
}

}  // namespace percale::data
