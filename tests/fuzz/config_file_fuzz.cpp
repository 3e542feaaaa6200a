// Any text as a configuration: read, or refused with a place and a reason.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "io/config/config_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto config = freshet::parse_config(text, "fuzz.yaml");
    if (!config && config.error().message.find(':') == std::string::npos) std::abort();
    return 0;
}
