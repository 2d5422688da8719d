# The target percale::testing: check_twin, check_grad and, for the tests and percale_bench, every family's specs.
percale_glob(percale_testing_sources tests/testing/*.cpp)
list(FILTER percale_testing_sources EXCLUDE REGEX "_test\\.cpp$")

# tests/testing includes this list with PERCALE_SPECS(family) defined as what it wants said of each family.
set(lines "// Every operation family, found by its folder.\n")
foreach(family ${percale_families})
  string(APPEND lines "PERCALE_SPECS(${family})\n")
endforeach()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/specs_list.inc CONTENT "${lines}" @ONLY)

if(percale_testing_sources OR PERCALE_SPEC_SOURCES)
  add_library(percale_testing STATIC ${percale_testing_sources} ${PERCALE_SPEC_SOURCES})
  target_include_directories(percale_testing PRIVATE ${PROJECT_BINARY_DIR}/generated)
  target_link_libraries(percale_testing PUBLIC percale PRIVATE $<BUILD_INTERFACE:percale_flags>
                                        $<BUILD_INTERFACE:fmt::fmt>)
  set_target_properties(percale_testing PROPERTIES EXPORT_NAME testing)
else()
  add_library(percale_testing INTERFACE)
  target_link_libraries(percale_testing INTERFACE percale)
endif()
add_library(percale::testing ALIAS percale_testing)
