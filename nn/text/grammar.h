// Sentences from a small grammar: a text to learn from where there is none, about animals, vehicles, people and food.
#pragma once

#include <cstdint>
#include <string>

namespace percale::language {

/// `count` lower-case sentences, a line each, the same for a seed on every machine. What a word can do or be done to
/// depends on what it stands for: dogs and cats eat and sleep, airplanes are repaired and land, so that who stands in
/// the same places is alike.
std::string generated_sentences(int64_t count, uint64_t seed);

}  // namespace percale::language
