// How the CPU twin turns dots into what neighbours are ranked by.
#pragma once

namespace percale::cpu {

/// dot * factor * scale[row] + offset[row]; the factor is the query's.
template <class T>
struct Ranking {
  T factor;
  const T* scale;   ///< null where all are 1
  const T* offset;  ///< null where all are 0
};

}  // namespace percale::cpu
