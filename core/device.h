// Where a tensor's memory lies and its operations run.
#pragma once

#include <cstdint>
#include <string>

#ifndef PERCALE_HAS_CUDA
#define PERCALE_HAS_CUDA 0
#endif

namespace percale {

enum class DeviceType : uint8_t { cpu, cuda };

/// True where the library was built with its CUDA twins (whether or not this machine has a GPU).
inline constexpr bool has_cuda = PERCALE_HAS_CUDA != 0;

struct Device {
  DeviceType type = DeviceType::cpu;
  int8_t index = 0;

  bool is_cuda() const { return type == DeviceType::cuda; }
  bool is_cpu() const { return type == DeviceType::cpu; }
  friend bool operator==(Device, Device) = default;
};

inline constexpr Device cpu_device{DeviceType::cpu, 0};
inline constexpr Device cuda_device{DeviceType::cuda, 0};

/// `cpu`, `cuda:0`
std::string text(Device device);
/// From `cpu`, `cuda` or `cuda:1`; an error for anything else.
Device parse_device(const std::string& name);
/// True if a CUDA device can be used now: built in, driver there, device there. Never throws; costs nothing when false.
bool cuda_available();
/// Why cuda_available() is false, and what mends it; empty if it is true.
std::string reason_without_cuda();

}  // namespace percale
