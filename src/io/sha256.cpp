#include "io/sha256.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <charconv>

namespace freshet {

static_assert(kSha256Bytes == SHA256_DIGEST_LENGTH);

std::string sha256(std::string_view bytes) {
    std::string digest(kSha256Bytes, '\0');
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
           reinterpret_cast<unsigned char*>(digest.data()));
    return digest;
}

std::optional<std::string> from_hex(std::string_view digits) {
    if (digits.size() % 2 != 0) return std::nullopt;
    std::string bytes;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        unsigned value = 0;
        const char* const end = digits.data() + i + 2;
        if (std::from_chars(digits.data() + i, end, value, 16).ptr != end) return std::nullopt;
        bytes.push_back(static_cast<char>(value));
    }
    return bytes;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace freshet
