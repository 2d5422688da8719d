// What the elements of a tensor are, and how a run-time dtype becomes a C++ type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "half.h"

namespace percale {

enum class DType : uint8_t { f32, f64, f16, bf16, i64, i32, u8, boolean };
using enum DType;

template <class T>
struct dtype_of_type;
template <>
struct dtype_of_type<float> {
  static constexpr DType value = f32;
};
template <>
struct dtype_of_type<double> {
  static constexpr DType value = f64;
};
template <>
struct dtype_of_type<half> {
  static constexpr DType value = f16;
};
template <>
struct dtype_of_type<bfloat16> {
  static constexpr DType value = bf16;
};
template <>
struct dtype_of_type<int64_t> {
  static constexpr DType value = i64;
};
template <>
struct dtype_of_type<int32_t> {
  static constexpr DType value = i32;
};
template <>
struct dtype_of_type<uint8_t> {
  static constexpr DType value = u8;
};
template <>
struct dtype_of_type<bool> {
  static constexpr DType value = boolean;
};

/// The dtype whose elements are `T`: `dtype_of<float>` is f32.
template <class T>
inline constexpr DType dtype_of = dtype_of_type<std::remove_cv_t<T>>::value;

/// Bytes of one element.
constexpr size_t size_of(DType dtype) {
  constexpr size_t sizes[] = {4, 8, 2, 2, 8, 4, 1, 1};
  return sizes[static_cast<int>(dtype)];
}

/// `f32`, `i64`, `bool`: as messages name it.
constexpr std::string_view name_of(DType dtype) {
  constexpr std::string_view names[] = {"f32", "f64", "f16", "bf16", "i64", "i32", "u8", "bool"};
  return names[static_cast<int>(dtype)];
}

constexpr bool is_floating(DType dtype) { return dtype <= bf16; }
constexpr bool is_integer(DType dtype) { return dtype == i64 || dtype == i32 || dtype == u8; }
/// Could be a row, class or position: i64 or i32.
constexpr bool is_index(DType dtype) { return dtype == i64 || dtype == i32; }

/// The dtype of `a op b` for two tensors with dimensions: PyTorch's promotion table.
DType promote(DType a, DType b);

[[noreturn]] void unsupported(const char* operation, DType dtype);

/// Calls `body.operator()<T>()` with the C++ type of `dtype`.
template <class Body>
decltype(auto) visit(DType dtype, Body&& body) {
  switch (dtype) {
    case f32:
      return body.template operator()<float>();
    case f64:
      return body.template operator()<double>();
    case f16:
      return body.template operator()<half>();
    case bf16:
      return body.template operator()<bfloat16>();
    case i64:
      return body.template operator()<int64_t>();
    case i32:
      return body.template operator()<int32_t>();
    case u8:
      return body.template operator()<uint8_t>();
    case boolean:
      break;
  }
  return body.template operator()<bool>();
}

/// As `visit`, for the four floating dtypes; an error that names `operation` for the others.
template <class Body>
decltype(auto) visit_floating(const char* operation, DType dtype, Body&& body) {
  switch (dtype) {
    case f32:
      return body.template operator()<float>();
    case f64:
      return body.template operator()<double>();
    case f16:
      return body.template operator()<half>();
    case bf16:
      return body.template operator()<bfloat16>();
    default:
      unsupported(operation, dtype);
  }
}

/// As `visit`, for i64 and i32.
template <class Body>
decltype(auto) visit_index(const char* operation, DType dtype, Body&& body) {
  switch (dtype) {
    case i64:
      return body.template operator()<int64_t>();
    case i32:
      return body.template operator()<int32_t>();
    default:
      unsupported(operation, dtype);
  }
}

/// The type in which elements of type T are computed: float for the 16-bit ones, T itself else.
template <class T>
using compute_t = std::conditional_t<std::is_same_v<T, half> || std::is_same_v<T, bfloat16>, float, T>;

}  // namespace percale
