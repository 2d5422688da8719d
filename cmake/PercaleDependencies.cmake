# Finds the libraries that Percale stands on; all of them are private to it.
find_package(dnnl REQUIRED)
find_package(hwy REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CURL REQUIRED)  # its headers: a download opens the library, whose two dozen friends nobody else should pay for
find_package(PkgConfig REQUIRED)
pkg_check_modules(cairo REQUIRED IMPORTED_TARGET cairo)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)

set(PERCALE_LIBRARIES DNNL::dnnl hwy::hwy OpenMP::OpenMP_CXX fmt::fmt ZLIB::ZLIB PkgConfig::cairo PkgConfig::utf8proc
                      $<BUILD_INTERFACE:nlohmann_json::nlohmann_json> ${CMAKE_DL_LIBS})
if(PERCALE_GPU STREQUAL "cuda")
  list(APPEND PERCALE_LIBRARIES CUDA::cudart_static)
elseif(PERCALE_GPU STREQUAL "emulator")
  find_package(Boost REQUIRED COMPONENTS context)
  list(APPEND PERCALE_LIBRARIES Boost::context)
endif()

# NVIDIA's headers are shown only to the files that are about them.
file(GLOB percale_trace_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/trace*.cpp)
if(PERCALE_NVTX_INCLUDE_DIR AND percale_trace_sources)
  set_source_files_properties(${percale_trace_sources} PROPERTIES
    COMPILE_DEFINITIONS PERCALE_HAS_NVTX=1 INCLUDE_DIRECTORIES ${PERCALE_NVTX_INCLUDE_DIR})
endif()
if(PERCALE_GPU STREQUAL "cuda")
  file(GLOB percale_dnn_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/cuda/*_cuda*.cpp)
  set_source_files_properties(${percale_dnn_sources} PROPERTIES INCLUDE_DIRECTORIES ${CUDNN_INCLUDE_DIR})
endif()
