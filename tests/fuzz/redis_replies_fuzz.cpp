// Bytes that claim to be replies of a Redis server: cut in two anywhere they must read the same, or be refused.
// The first byte chooses the cut.
#include <algorithm>
#include <string>
#include <string_view>

#include "io/redis/redis_replies.hpp"

namespace {

using namespace freshet;

void describe(const RedisAnswer& answer, std::string& out) {
    out += static_cast<char>('0' + static_cast<int>(answer.kind));
    out += answer.text;
    out += std::to_string(answer.integer) + "[";
    for (const RedisAnswer& element : answer.elements) describe(element, out);
    out += "]";
}

// False once the bytes were refused.
bool feed(RedisReplies& replies, std::string_view bytes, std::string& seen) {
    while (!bytes.empty()) {
        const auto room = replies.room();
        const std::size_t size = std::min(room.size(), bytes.size());
        bytes.copy(room.data(), size);
        bytes.remove_prefix(size);
        if (!replies.received(size, [&](const RedisAnswer& answer) {
                describe(answer, seen);
                return true;
            }))
            return false;
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t cut = std::min<std::size_t>(data[0], bytes.size());
    RedisReplies whole, halves;
    std::string seen, seen_in_halves;
    const bool taken = feed(whole, bytes, seen);
    const bool taken_in_halves =
        feed(halves, bytes.substr(0, cut), seen_in_halves) && feed(halves, bytes.substr(cut), seen_in_halves);
    if (taken != taken_in_halves || seen != seen_in_halves) __builtin_trap();
    return 0;
}
