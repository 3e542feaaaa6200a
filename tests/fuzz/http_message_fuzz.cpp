// Any bytes as a request's target and as its header Authorization: what decodes means the same when it is
// written again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "io/http/http_message.hpp"

namespace {

std::string escaped(std::string_view bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (const char byte : bytes) {
        out += '%';
        out += digits[static_cast<unsigned char>(byte) >> 4];
        out += digits[byte & 15];
    }
    return out;
}

void fuzz_target(std::string_view target) {
    const auto request = freshet::parse_target(target);
    if (!request) return;
    std::string again = request->path + "?";
    for (const auto& [name, value] : request->query) {
        again += escaped(name) + "=" + escaped(value) + "&";
        if (!request->one(name) || request->all(name).empty()) std::abort();
    }
    const auto same = freshet::parse_target(again);
    if (!same || same->path != request->path || same->query != request->query) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    fuzz_target(bytes);
    fuzz_target("/?" + std::string(bytes));
    const auto given = freshet::basic_credentials("Basic " + std::string(bytes));
    if (given && given->user.find(':') != std::string::npos) std::abort();
    return 0;
}
