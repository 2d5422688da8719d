# Says which cuDNN the build would find: `cmake -D CMAKE_MODULE_PATH=cmake -P cmake/print_cudnn.cmake`.
cmake_minimum_required(VERSION 3.25)
find_package(CUDNN QUIET)
if(CUDNN_FOUND)
  message(STATUS "cuDNN ${CUDNN_VERSION} (${CUDNN_INCLUDE_DIR})")
endif()
