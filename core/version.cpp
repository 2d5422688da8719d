// The library's version, handed in by the build.
#include "version.h"

namespace percale {

const char* version() { return PERCALE_VERSION; }

}  // namespace percale
