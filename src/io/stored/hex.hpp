// Numbers in the hexadecimal digits that stored names and records have.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>

namespace freshet {

// Lower case, without leading zeros.
inline std::string in_hex(std::uint64_t number) {
    char digits[16];
    return {digits, std::to_chars(digits, digits + sizeof digits, number, 16).ptr};
}

}  // namespace freshet
