# The compiler flags of Percale's own sources, kept in one target that nothing outside this tree ever sees.
add_library(percale_flags INTERFACE)
set(percale_cxx_flags -Wall -Wextra -ffp-contract=off)
if(PROJECT_IS_TOP_LEVEL)  # another project's compiler may warn of what ours has not heard of
  list(APPEND percale_cxx_flags -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # clang counts a lambda's unused init-capture and gcc does not; -Wpass-failed is a note about a loop left as it was.
  list(APPEND percale_cxx_flags -Wno-unused-lambda-capture -Wno-pass-failed)
endif()
if(PERCALE_GPU STREQUAL "emulator")
  list(APPEND percale_cxx_flags -Wno-unknown-pragmas)  # `#pragma unroll` is nvcc's
endif()

# -fmad=false is nvcc's -ffp-contract=off: a fused multiply-add stands only where it is written, so the twins agree.
# The standard is spelt out because CMake 3.25 does not know what nvcc 13 can do.
# Device code is packed as small as nvcc can: unpacked it would be most of a program.
set(percale_cuda_flags -std=c++20 -fmad=false --compress-mode=size --expt-relaxed-constexpr --extended-lambda -Xcompiler=-Wall,-Wextra,-ffp-contract=off)
if(PROJECT_IS_TOP_LEVEL)
  list(APPEND percale_cuda_flags --Werror=all-warnings -Xcompiler=-Werror)
endif()
target_compile_options(percale_flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${percale_cxx_flags}>"
                                               "$<$<COMPILE_LANGUAGE:CUDA>:${percale_cuda_flags}>")
target_compile_features(percale_flags INTERFACE cxx_std_20)

set(percale_sanitizers)
if(PERCALE_SANITIZE)
  # One instruction set instead of three: the SIMD sources then compile in a seventh of the time.
  list(APPEND percale_sanitizers -march=haswell -DHWY_COMPILE_ONLY_STATIC)
  list(APPEND percale_sanitizers -fsanitize=${PERCALE_SANITIZE} -fno-omit-frame-pointer)
  if(PERCALE_SANITIZE MATCHES "undefined")
    list(APPEND percale_sanitizers -fno-sanitize-recover=undefined)
  endif()
endif()
if(PERCALE_FUZZ)
  list(APPEND percale_sanitizers -fsanitize=fuzzer-no-link)
endif()
if(percale_sanitizers)
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:${percale_sanitizers}>")
  add_link_options(${percale_sanitizers})
endif()
