// Philox words in bulk for the CPU: many counters side by side, with run-time dispatch.
#pragma once

#include <cstdint>

#include "../../core/philox.h"

namespace percale::cpu {

/// words[4 * i + k] = word k of block first_block + i: the bits of elements 4 * first_block and on.
void random_words(const RandomKey& key, uint64_t first_block, int64_t blocks, uint32_t* words);
/// normals[i] = normal_from_bits(words[i]).
void normals_of(const uint32_t* words, int64_t count, float* normals);

}  // namespace percale::cpu
