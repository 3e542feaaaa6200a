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
  target_compile_definitions(freshet_compile INTERFACE FRESHET_SANITIZED)
endif()

# Sources that stand beside each other in a folder are compiled as one, up to `most` of them: what they include is read
# once, a third of the work. Names at file scope must therefore be unique within a folder. The presets say who merges.
option(FRESHET_MERGE_SOURCES "compile sources of a folder together" OFF)
if(FRESHET_MERGE_SOURCES)
  # A class of a merged source may hold what that source keeps to itself; GCC takes the source for a header.
  target_compile_options(freshet_compile INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()
function(freshet_merge_sources target most)
  # GCC inlines less in large sources, which costs a fifth of the speed (decision 21): what is measured stays apart.
  if(NOT FRESHET_MERGE_SOURCES OR (NOT FRESHET_SANITIZE AND NOT target MATCHES "_tests$"))
    return()
  endif()
  set(count 0)
  set(last_folder "")
  foreach(source ${ARGN})
    get_filename_component(folder ${source} DIRECTORY)
    if(NOT folder STREQUAL last_folder)
      set(count 0)
      set(last_folder ${folder})
    endif()
    math(EXPR group "${count} / ${most}")
    math(EXPR count "${count} + 1")
    string(MD5 name ${folder})
    string(SUBSTRING ${name} 0 6 name)
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${name}_${group})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()
