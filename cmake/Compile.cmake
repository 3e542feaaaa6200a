# How everything is compiled: warnings as errors, optional sanitizers, ccache where there is one.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(freshet_compile INTERFACE)
target_compile_options(freshet_compile INTERFACE -Wall -Wextra -Wpedantic -Werror -fno-omit-frame-pointer)
# GCC 12 sees overlapping copies in std::string's own operator+ (GCC bug 105651), and unset members in moved variants.
target_compile_options(freshet_compile INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
                                                   $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
target_link_libraries(freshet_compile INTERFACE Threads::Threads)
find_package(Threads REQUIRED)

if(FRESHET_FUZZ)
  # What is fuzzed must tell the fuzzer where it has been, or the fuzzer is blind.
  target_compile_options(freshet_compile INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(FRESHET_SANITIZE)
  # One CAF header binds a reference to null for every spawn without arguments, hence no "null" check.
  target_compile_options(freshet_compile INTERFACE -fsanitize=${FRESHET_SANITIZE} -fno-sanitize=null
                                                   -fno-sanitize-recover=all)
  target_link_options(freshet_compile INTERFACE -fsanitize=${FRESHET_SANITIZE})
endif()
