# Debian's libcaf-dev ships neither CMake nor pkg-config files. Defines CAF::core and CAF::io, and insists on 0.17.
find_path(CAF_INCLUDE_DIR caf/all.hpp)
find_library(CAF_CORE_LIBRARY caf_core)
find_library(CAF_IO_LIBRARY caf_io)
if(CAF_INCLUDE_DIR)
  file(STRINGS ${CAF_INCLUDE_DIR}/caf/config.hpp CAF_VERSION_LINE REGEX "#define CAF_VERSION [0-9]+")
  string(REGEX MATCH "[0-9]+" CAF_VERSION "${CAF_VERSION_LINE}")
  if(NOT CAF_VERSION MATCHES "^17")
    message(FATAL_ERROR "CAF ${CAF_VERSION} found, but 17xx (0.17) is needed: install Debian 12's libcaf-dev")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CAF REQUIRED_VARS CAF_CORE_LIBRARY CAF_IO_LIBRARY CAF_INCLUDE_DIR
                                  VERSION_VAR CAF_VERSION)

foreach(component core io)
  string(TOUPPER ${component} upper)
  if(NOT TARGET CAF::${component})
    add_library(CAF::${component} UNKNOWN IMPORTED)
    set_target_properties(CAF::${component} PROPERTIES IMPORTED_LOCATION ${CAF_${upper}_LIBRARY}
                                                       INTERFACE_INCLUDE_DIRECTORIES ${CAF_INCLUDE_DIR})
  endif()
endforeach()
