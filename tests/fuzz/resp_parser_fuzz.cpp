// Any bytes, in pieces of any size: the parser must neither read nor write out of bounds, and must not care how
// the stream is cut.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "io/redis/resp_parser.hpp"

namespace {

// Everything the parser says about `stream`, fed `piece` bytes at a time.
std::string reading(std::string_view stream, std::size_t piece) {
    freshet::RespParser parser({4096, 64});
    std::string said;
    while (!stream.empty()) {
        const auto room = parser.room();
        const std::size_t count = std::min({room.size(), piece, stream.size()});
        std::memcpy(room.data(), stream.data(), count);
        parser.filled(count);
        stream.remove_prefix(count);
        for (;;) {
            const auto outcome = parser.next();
            if (outcome == freshet::RespParser::Outcome::need_more) break;
            if (outcome == freshet::RespParser::Outcome::broken) return said + "!" + parser.error();
            for (const std::string_view argument : parser.arguments())
                said.append(std::to_string(argument.size())).append(":").append(argument);
            said += '\n';
        }
    }
    return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view stream(reinterpret_cast<const char*>(data), size);
    if (reading(stream, 1 << 20) != reading(stream, 1)) std::abort();
    return 0;
}
