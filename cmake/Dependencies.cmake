# Debian 12's packages (scripts/setup installs them), bundled by the layer that may use them.
find_package(PkgConfig REQUIRED)
find_package(CAF REQUIRED)
find_package(Protobuf REQUIRED)
find_package(simdjson REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(OpenSSL REQUIRED)
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(ABSL_TIME REQUIRED IMPORTED_TARGET absl_time)

add_library(freshet_io_libraries INTERFACE)
target_link_libraries(
  freshet_io_libraries
  INTERFACE PkgConfig::RDKAFKA PkgConfig::HIREDIS PkgConfig::ABSL_TIME protobuf::libprotobuf simdjson::simdjson
            yaml-cpp spdlog::spdlog fmt::fmt prometheus-cpp::core OpenSSL::SSL)
target_compile_definitions(freshet_io_libraries INTERFACE ASIO_STANDALONE ASIO_NO_DEPRECATED)

add_library(freshet_caf INTERFACE)
target_link_libraries(freshet_caf INTERFACE CAF::core CAF::io)
target_compile_definitions(freshet_caf INTERFACE CAF_ENABLE_TYPE_ID_CHECKS)

add_library(freshet_main_libraries INTERFACE)
target_link_libraries(freshet_main_libraries INTERFACE freshet_io_libraries)

# Entities are made of many small blocks that come and go; with glibc's allocator a fifth of the node's time goes there,
# and memory once taken is not given back. Sanitizers bring their own.
find_library(JEMALLOC NAMES jemalloc libjemalloc.so.2 REQUIRED)
add_library(freshet_allocator INTERFACE)
if(NOT FRESHET_SANITIZE)
  target_link_libraries(freshet_allocator INTERFACE -Wl,--no-as-needed ${JEMALLOC} -Wl,--as-needed)
endif()
