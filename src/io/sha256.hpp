// SHA-256, and bytes as hexadecimal digits.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace freshet {

constexpr std::size_t kSha256Bytes = 32;

// kSha256Bytes bytes.
std::string sha256(std::string_view bytes);
// None: not an even number of hexadecimal digits.
std::optional<std::string> from_hex(std::string_view digits);
// Takes the same time wherever two strings of one length differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace freshet
