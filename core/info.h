// What this machine and this build have, in words: what `--info` prints.
#pragma once

#include <string>

namespace percale {

/// Lines `name: value`: version, processor and instruction sets, threads, memory, libraries, GPU, driver, toolkit; and
/// what would mend the lack of a GPU.
std::string machine_text();

}  // namespace percale
