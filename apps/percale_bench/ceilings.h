// The machine's own limits, measured: no operation can be faster than these allow.
#pragma once

#include <percale/percale.h>

#include <string>

namespace percale::bench {

struct Ceilings {
  double operations = 0;  ///< f32 operations a second, a fused multiply-add counted as two; 0: not measured
  double copy = 0;        ///< bytes a second, those read and those written counted
  double read = 0, write = 0;
};

/// On the CPU: fused multiply-adds in registers (Highway, the widest vectors there are), and copying, reading and
/// writing 256 MB, on as many threads as are in use; best of several. On CUDA: copying 1 GB on the device.
Ceilings measure_ceilings(Device device);

/// The shortest time in milliseconds that the ceilings allow a call, and which of them it is; 0 if nothing is known of
/// it.
struct Bound {
  double milliseconds = 0;
  const char* by = "";
};
Bound bound_of(const Ceilings& ceilings, double operations, double bytes);

}  // namespace percale::bench
