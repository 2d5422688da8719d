// Parallel loops on the CPU, cut by size and never by the number of threads.
#pragma once

#include <cstdint>
#include <type_traits>

namespace percale::cpu {

/// Threads that parallel loops use: as many as processors at first.
int num_threads();
void set_num_threads(int threads);

/// Calls `piece(context, i)` for each i below `pieces`, on several threads unless inside another parallel loop.
/// An exception thrown by a piece is thrown again here.
void run_pieces(int64_t pieces, void (*piece)(void* context, int64_t index), void* context);

/// Calls `body(begin, end)` for consecutive ranges of `grain` (the last may be shorter) that cover [0, count). The
/// ranges depend on `count` and `grain` alone, so a sum a range is the same at any number of threads.
template <class Body>
void parallel_for(int64_t count, int64_t grain, Body&& body) {
  if (count <= 0) return;
  const int64_t pieces = (count + grain - 1) / grain;
  auto piece = [&](int64_t index) {
    const int64_t begin = index * grain;
    body(begin, begin + grain < count ? begin + grain : count);
  };
  using Piece = decltype(piece);
  run_pieces(
      pieces, [](void* context, int64_t index) { (*static_cast<Piece*>(context))(index); }, &piece);
}

}  // namespace percale::cpu
