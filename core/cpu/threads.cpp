#include "threads.h"

#include <omp.h>

#include <exception>
#include <mutex>

#include "../error.h"

namespace percale::cpu {

int num_threads() { return omp_get_max_threads(); }

void set_num_threads(int threads) {
  require(threads >= 1, "set_num_threads", "needs at least 1 thread, got {}", threads);
  omp_set_num_threads(threads);
}

void run_pieces(int64_t pieces, void (*piece)(void* context, int64_t index), void* context) {
  if (pieces == 1 || omp_in_parallel() || omp_get_max_threads() == 1) {
    for (int64_t i = 0; i < pieces; ++i) piece(context, i);
    return;
  }
  std::exception_ptr failure;
  std::mutex mutex;
#pragma omp parallel for schedule(dynamic, 1)
  for (int64_t i = 0; i < pieces; ++i) {
    try {
      piece(context, i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace percale::cpu
