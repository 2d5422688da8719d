// The library's version, as the build knows it.
#pragma once

namespace percale {

/// "major.minor.patch" of the library that is linked.
const char* version();

}  // namespace percale
