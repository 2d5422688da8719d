# What `cmake --install` puts in place: the library, its headers, the CMake package and the pkg-config file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
install(TARGETS percale EXPORT percale-targets)
