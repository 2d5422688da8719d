# Finds cuDNN's headers; the library itself is opened when the program first needs it, so it is not looked for.
set(percale_site_packages)
foreach(root $ENV{VIRTUAL_ENV} $ENV{CONDA_PREFIX} $ENV{HOME}/.local /usr/local)
  file(GLOB found ${root}/lib/python3*/site-packages/nvidia/cudnn ${root}/lib/python3*/dist-packages/nvidia/cudnn)
  list(APPEND percale_site_packages ${found})
endforeach()
find_path(CUDNN_INCLUDE_DIR cudnn.h
          HINTS ${CUDNN_ROOT} ENV CUDNN_ROOT ENV CUDNN_PATH ENV CUDA_HOME
          PATHS /usr/local/cuda /usr/local/cudnn ${percale_site_packages}
          PATH_SUFFIXES include include/x86_64-linux-gnu
          DOC "The folder of cudnn.h")
set(CUDNN_VERSION)
if(CUDNN_INCLUDE_DIR AND EXISTS ${CUDNN_INCLUDE_DIR}/cudnn_version.h)
  file(STRINGS ${CUDNN_INCLUDE_DIR}/cudnn_version.h lines REGEX "^#define CUDNN_(MAJOR|MINOR|PATCHLEVEL) +[0-9]+")
  string(REGEX REPLACE "[^0-9;]+" "" numbers "${lines}")
  string(REPLACE ";" "." CUDNN_VERSION "${numbers}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CUDNN REQUIRED_VARS CUDNN_INCLUDE_DIR VERSION_VAR CUDNN_VERSION)
mark_as_advanced(CUDNN_INCLUDE_DIR)
