// What mutants.py writes into the kernels: places that break when PERCALE_MUTANT names them, and else do as before.
#pragma once

#include <cstdlib>

// Comparisons look odd with a word between them.
#if defined(__clang__)
#pragma clang diagnostic ignored "-Weverything"
#endif

namespace mutant {

inline const int active = [] {
  const char* number = std::getenv("PERCALE_MUTANT");
  return number ? std::atoi(number) : 0;
}();

template <int id>
bool is() {
  return active == id;
}

/// What is added to the extent of a loop.
template <int id>
int excess() {
  return is<id>() ? 1 : 0;
}

/// Comparisons as infix words: `a <Less<7>{}< b` is a < b, or a <= b where mutant 7 is active. The word stands between
/// two of the operator that it replaces, so that precedence stays as it was.
template <int id>
struct Less {};
template <int id>
struct LessEqual {};
template <int id>
struct Greater {};
template <int id>
struct GreaterEqual {};

template <class A, class Word>
struct Left {
  A value;
};

template <class A, int id>
Left<A, Less<id>> operator<(A a, Less<id>) {
  return {a};
}
template <class A, int id>
Left<A, LessEqual<id>> operator<=(A a, LessEqual<id>) {
  return {a};
}
template <class A, int id>
Left<A, Greater<id>> operator>(A a, Greater<id>) {
  return {a};
}
template <class A, int id>
Left<A, GreaterEqual<id>> operator>=(A a, GreaterEqual<id>) {
  return {a};
}

template <class A, class B, int id>
bool operator<(Left<A, Less<id>> a, B b) {
  return is<id>() ? a.value <= b : a.value < b;
}
template <class A, class B, int id>
bool operator<=(Left<A, LessEqual<id>> a, B b) {
  return is<id>() ? a.value < b : a.value <= b;
}
template <class A, class B, int id>
bool operator>(Left<A, Greater<id>> a, B b) {
  return is<id>() ? a.value >= b : a.value > b;
}
template <class A, class B, int id>
bool operator>=(Left<A, GreaterEqual<id>> a, B b) {
  return is<id>() ? a.value > b : a.value >= b;
}

/// An atomic that is a plain read and write where its mutant is active.
#define PERCALE_MUTANT_ATOMIC(name, parameters, arguments, write) \
  template <int id, class T, class V>                             \
  T name parameters {                                             \
    if (!is<id>()) return ::name arguments;                       \
    const T old = *a;                                             \
    write;                                                        \
    return old;                                                   \
  }
PERCALE_MUTANT_ATOMIC(atomicAdd, (T * a, V v), (a, v), *a = static_cast<T>(old + v))
PERCALE_MUTANT_ATOMIC(atomicMax, (T * a, V v), (a, v), if (old < static_cast<T>(v)) * a = static_cast<T>(v))
PERCALE_MUTANT_ATOMIC(atomicMin, (T * a, V v), (a, v), if (static_cast<T>(v) < old) * a = static_cast<T>(v))
PERCALE_MUTANT_ATOMIC(atomicExch, (T * a, V v), (a, v), *a = static_cast<T>(v))
PERCALE_MUTANT_ATOMIC(atomicOr, (T * a, V v), (a, v), *a = static_cast<T>(old | v))
PERCALE_MUTANT_ATOMIC(atomicInc, (T * a, V v), (a, v), *a = old >= v ? T(0) : old + 1)
#undef PERCALE_MUTANT_ATOMIC
template <int id, class T, class V, class W>
T atomicCAS(T* a, V expected, W v) {
  if (!is<id>()) return ::atomicCAS(a, expected, v);
  const T old = *a;
  if (old == static_cast<T>(expected)) *a = static_cast<T>(v);
  return old;
}

}  // namespace mutant
