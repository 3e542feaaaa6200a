#include "io/stored/stored_fields.hpp"

#include <charconv>

namespace freshet {

namespace {

template <class T>
bool take_number(std::string_view& text, T& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

bool take_dot(std::string_view& text) {
    if (text.empty() || text.front() != '.') return false;
    text.remove_prefix(1);
    return true;
}

}  // namespace

std::string HeadField::text() const {
    return std::to_string(partition.value) + "." + std::to_string(generation.value);
}

std::optional<HeadField> HeadField::parse(std::string_view text) {
    HeadField field{};
    std::string_view rest = text;
    const bool read = take_number(rest, field.partition.value) && take_dot(rest) &&
                      take_number(rest, field.generation.value) && rest.empty();
    return read && field.partition.value >= 0 && field.text() == text ? std::optional(field) : std::nullopt;
}

std::string SealedField::text() const {
    return head.text() + "." + std::to_string(hop.count() / 1000) + "." + std::to_string(chunk);
}

std::optional<SealedField> SealedField::parse(std::string_view text) {
    SealedField field{};
    std::string_view rest = text;
    std::int32_t seconds = 0;
    const bool read = take_number(rest, field.head.partition.value) && take_dot(rest) &&
                      take_number(rest, field.head.generation.value) && take_dot(rest) &&
                      take_number(rest, seconds) && take_dot(rest) && take_number(rest, field.chunk) &&
                      rest.empty();
    field.hop = std::chrono::seconds(seconds);
    if (!read || field.head.partition.value < 0 || seconds <= 0 || field.text() != text) return std::nullopt;
    return field;
}

}  // namespace freshet
