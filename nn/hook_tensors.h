// The tensors among what goes into a forward and comes out of it, as hooks see them.
#pragma once

#include <tuple>
#include <type_traits>

#include "../core/tensor.h"

namespace percale::nn::hooks {

template <class T>
concept TupleLike = requires {
  std::tuple_size<std::remove_cvref_t<T>>::value;
};

template <class T>
void collect(const T& value, Tensors& found) {
  if constexpr (std::is_convertible_v<const T&, const Tensor&>) {
    found.push_back(value);
  } else if constexpr (std::is_convertible_v<const T&, const Tensors&>) {
    found.insert(found.end(), value.begin(), value.end());
  } else if constexpr (TupleLike<T>) {
    std::apply([&](const auto&... parts) { (collect(parts, found), ...); }, value);
  }
}

/// Tensors, and those in pairs, tuples and vectors, in order; other values are left out.
template <class... T>
Tensors tensors_of(const T&... values) {
  Tensors found;
  (collect(values, found), ...);
  return found;
}

template <class T>
void replace(T& value, const Tensors& by, size_t& next) {
  if constexpr (std::is_same_v<T, Tensor>) {
    value = by.at(next++);
  } else if constexpr (std::is_same_v<T, Tensors>) {
    for (Tensor& tensor : value) tensor = by.at(next++);
  } else if constexpr (TupleLike<T>) {
    std::apply([&](auto&... parts) { (replace(parts, by, next), ...); }, value);
  }
}

/// Writes `tensors` back to where `tensors_of(result)` found them.
template <class T>
void put_tensors(const Tensors& tensors, T& result) {
  size_t next = 0;
  replace(result, tensors, next);
}

}  // namespace percale::nn::hooks
