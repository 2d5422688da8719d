# Finds the library's sources by where they stand, and refuses an operation family that lacks one of its five files.
file(GLOB percale_families LIST_DIRECTORIES true RELATIVE ${PROJECT_SOURCE_DIR}/kernels CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/kernels/*)
list(FILTER percale_families EXCLUDE REGEX "^(common|.*\\..*)$")
foreach(family ${percale_families})
  foreach(part .h .cpp _cpu.cpp _cuda.cu _spec.cpp)
    if(NOT EXISTS ${PROJECT_SOURCE_DIR}/kernels/${family}/${family}${part})
      message(FATAL_ERROR "kernels/${family} is an operation family, but kernels/${family}/${family}${part} is missing: "
                          "a family is its .h, .cpp, _cpu.cpp, _cuda.cu and _spec.cpp")
    endif()
  endforeach()
endforeach()

function(percale_glob result)
  list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/ OUTPUT_VARIABLE patterns)
  file(GLOB_RECURSE found CONFIGURE_DEPENDS ${patterns})
  set(${result} ${found} PARENT_SCOPE)
endfunction()

percale_glob(PERCALE_SOURCES core/*.cpp kernels/*.cpp nn/*.cpp)
percale_glob(percale_device_sources kernels/*_cuda.cu core/cuda/*_cuda.cu)
percale_glob(percale_emulator_sources tests/emulator/*.cpp)
percale_glob(PERCALE_SPEC_SOURCES kernels/*_spec.cpp)
list(FILTER PERCALE_SOURCES EXCLUDE REGEX "_spec\\.cpp$")
list(FILTER percale_emulator_sources EXCLUDE REGEX "_test\\.cpp$")

# core/cuda: the *_cuda bodies talk to NVIDIA's libraries, and tests/emulator holds their stand-ins.
if(PERCALE_GPU STREQUAL "cuda")
  list(APPEND PERCALE_SOURCES ${percale_device_sources})
elseif(PERCALE_GPU STREQUAL "emulator")
  list(FILTER PERCALE_SOURCES EXCLUDE REGEX "/core/cuda/[^/]*_cuda[^/]*\\.cpp$")
  list(FILTER percale_device_sources EXCLUDE REGEX "/core/cuda/")
  set_source_files_properties(${percale_device_sources} PROPERTIES LANGUAGE CXX)
  list(APPEND PERCALE_SOURCES ${percale_device_sources} ${percale_emulator_sources})
  if(PERCALE_SANITIZE MATCHES "thread")
    # The scheduler tells TSan of every switch itself; instrumented, its own bookkeeping would order the threads.
    set_source_files_properties(
      ${PROJECT_SOURCE_DIR}/tests/emulator/scheduler.cpp ${PROJECT_SOURCE_DIR}/tests/emulator/fiber.cpp
      PROPERTIES COMPILE_OPTIONS -fno-sanitize=thread)
  endif()
else()
  list(FILTER PERCALE_SOURCES EXCLUDE REGEX "/core/cuda/")
endif()

# nvcc's opinion of the kernels, where the toolkit is there but cuDNN's headers are not.
if(PERCALE_CHECK_DEVICE_CODE AND CMAKE_CUDA_COMPILER AND NOT PERCALE_GPU AND percale_device_sources)
  add_library(percale_device_code OBJECT EXCLUDE_FROM_ALL ${percale_device_sources})
  target_compile_definitions(percale_device_code PRIVATE PERCALE_HAS_CUDA=1 PERCALE_EMULATOR=0)
  target_link_libraries(percale_device_code PRIVATE percale_flags)
endif()
