# Decides what the device "cuda" is in this build: a GPU (cuda), the CPU emulator of the tests (emulator), or absent (off).
set(PERCALE_CUDA_ARCHITECTURES "" CACHE STRING "CUDA architectures; empty: 75, 80, 90 and PTX")

# nvcc is looked for where the toolkit's installer puts it too, since few people have it on PATH.
find_program(PERCALE_NVCC nvcc HINTS ENV CUDACXX ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda PATH_SUFFIXES bin
             DOC "The CUDA compiler")
find_package(CUDNN QUIET)

if(NOT DEFINED PERCALE_GPU)
  if(PERCALE_NVCC AND CUDNN_INCLUDE_DIR)
    set(percale_gpu cuda)
  else()
    set(percale_gpu off)
    if(PERCALE_NVCC)
      message(STATUS "Percale: a CUDA toolkit is here but cudnn.h is not, so this is a build for the CPU. To mend it: "
                     "install cudnn9-cuda-13 from NVIDIA's apt repository, or pip install nvidia-cudnn-cu13, "
                     "or set CUDNN_ROOT to the folder that holds include/cudnn.h")
    endif()
  endif()
endif()
set(PERCALE_GPU "${percale_gpu}" CACHE STRING "What the device cuda is: cuda, emulator or off")
set_property(CACHE PERCALE_GPU PROPERTY STRINGS cuda emulator off)

if(PERCALE_GPU STREQUAL "cuda")
  if(NOT PERCALE_NVCC)
    message(FATAL_ERROR "PERCALE_GPU=cuda needs nvcc: install a CUDA toolkit (12.8 or later) or put its bin folder on PATH")
  endif()
  if(NOT CUDNN_INCLUDE_DIR)
    message(FATAL_ERROR "PERCALE_GPU=cuda needs cudnn.h: install cudnn9-cuda-13 from NVIDIA's apt repository, "
                        "or pip install nvidia-cudnn-cu13, or set CUDNN_ROOT to the folder that holds include/cudnn.h")
  endif()
  set(PERCALE_DEFINITIONS PERCALE_HAS_CUDA=1 PERCALE_EMULATOR=0)
elseif(PERCALE_GPU STREQUAL "emulator")
  set(PERCALE_DEFINITIONS PERCALE_HAS_CUDA=1 PERCALE_EMULATOR=1)
elseif(NOT PERCALE_GPU)
  set(PERCALE_DEFINITIONS PERCALE_HAS_CUDA=0 PERCALE_EMULATOR=0)
else()
  message(FATAL_ERROR "PERCALE_GPU is cuda, emulator or off, not ${PERCALE_GPU}")
endif()

if(PERCALE_GPU STREQUAL "cuda" OR (PERCALE_CHECK_DEVICE_CODE AND PERCALE_NVCC))
  if(PERCALE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES "${PERCALE_CUDA_ARCHITECTURES}")
  else()
    set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 90)
  endif()
  set(CMAKE_CUDA_COMPILER "${PERCALE_NVCC}" CACHE FILEPATH "The CUDA compiler")
  set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
  enable_language(CUDA)
  find_package(CUDAToolkit REQUIRED)
endif()

# NVTX is headers only and useful in every build: nsys shows the ranges of a CPU run too.
get_filename_component(percale_toolkit "${PERCALE_NVCC}" REALPATH)
get_filename_component(percale_toolkit "${percale_toolkit}" DIRECTORY)
find_path(PERCALE_NVTX_INCLUDE_DIR nvtx3/nvToolsExt.h HINTS ${percale_toolkit}/../include PATHS /usr/local/cuda/include
          DOC "The folder of nvtx3/nvToolsExt.h")
