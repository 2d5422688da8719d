# What `cmake --install` puts in place: the library, its headers, the CMake package and the pkg-config file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(percale_package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/percale)

set(installed percale)
install(FILES percale.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/percale OPTIONAL)
foreach(folder core kernels nn)
  if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/${folder})
    install(DIRECTORY ${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/percale FILES_MATCHING PATTERN *.h)
  endif()
endforeach()

# The checks for one's own operations come along wherever they were built.
if(TARGET percale_testing)
  list(APPEND installed percale_testing)
  if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/tests/testing)
    install(DIRECTORY tests/testing DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/percale/tests FILES_MATCHING PATTERN *.h)
  endif()
endif()
install(TARGETS ${installed} EXPORT percale-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(EXPORT percale-targets NAMESPACE percale:: DESTINATION ${percale_package_folder})
get_target_property(percale_type percale TYPE)
configure_package_config_file(cmake/percale-config.cmake.in ${PROJECT_BINARY_DIR}/generated/percale-config.cmake
                              INSTALL_DESTINATION ${percale_package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/generated/percale-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/generated/percale-config.cmake
              ${PROJECT_BINARY_DIR}/generated/percale-config-version.cmake DESTINATION ${percale_package_folder})

# pkg-config: a static library names what it needs itself; a shared one has it recorded inside.
list(TRANSFORM PERCALE_DEFINITIONS PREPEND -D OUTPUT_VARIABLE percale_pc_definitions)
list(JOIN percale_pc_definitions " " percale_pc_definitions)
set(percale_pc_libraries)
if(percale_type STREQUAL "STATIC_LIBRARY")
  set(percale_pc_libraries "-ldnnl -lhwy -lfmt -lz -lcairo -lutf8proc ${OpenMP_CXX_FLAGS} -lstdc++ -ldl -lm")
  if(PERCALE_GPU STREQUAL "cuda")
    string(APPEND percale_pc_libraries " -L${CUDAToolkit_LIBRARY_DIR} -lcudart_static -lrt -lpthread")
  elseif(PERCALE_GPU STREQUAL "emulator")
    string(APPEND percale_pc_libraries " -lboost_context")
  endif()
endif()
file(RELATIVE_PATH percale_pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/percale.pc.in ${PROJECT_BINARY_DIR}/generated/percale.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/generated/percale.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
