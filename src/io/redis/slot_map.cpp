#include "io/redis/slot_map.hpp"

#include <algorithm>
#include <charconv>

namespace freshet {

namespace {

// CRC16 with the polynomial x^16 + x^12 + x^5 + 1, highest bit first.
constexpr std::array<std::uint16_t, 256> kCrcOfByte = [] {
    std::array<std::uint16_t, 256> table{};
    for (std::size_t byte = 0; byte < table.size(); ++byte) {
        auto crc = static_cast<std::uint16_t>(byte << 8);
        for (int bit = 0; bit < 8; ++bit)
            crc = static_cast<std::uint16_t>((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
        table[byte] = crc;
    }
    return table;
}();

Slot slot_of_tag(std::string_view tag) {
    std::uint16_t crc = 0;
    for (const char c : tag)
        crc = static_cast<std::uint16_t>((crc << 8) ^ kCrcOfByte[(crc >> 8) ^ static_cast<unsigned char>(c)]);
    return crc % kSlots;
}

Error not_understood(const Endpoint& asked, std::string_view why) {
    return {Errc::corrupt,
            "redis " + asked.text() + ": the answer to CLUSTER SLOTS is not understood: " + std::string(why)};
}

// [host, port, id, ...]
std::optional<Endpoint> node_of(const RedisValue& node, const Endpoint& asked) {
    if (node.size() < 2 || !node[1].is_integer()) return std::nullopt;
    const std::int64_t port = node[1].integer();
    if (port < 1 || port > 65'535) return std::nullopt;
    const std::string_view host = node[0].text();
    return Endpoint{host.empty() || host == "?" ? asked.host : std::string(host),
                    static_cast<std::uint16_t>(port)};
}

template <class Number>
bool parse(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Slot slot_of(std::string_view key) {
    const std::size_t open = key.find('{');
    if (open == std::string_view::npos) return slot_of_tag(key);
    const std::size_t close = key.find('}', open + 1);
    if (close == std::string_view::npos || close == open + 1) return slot_of_tag(key);
    return slot_of_tag(key.substr(open + 1, close - open - 1));
}

const std::string& tag_of(Slot slot) {
    static const std::vector<std::string> tags = [] {
        std::vector<std::string> found(kSlots);
        std::size_t missing = kSlots;
        for (std::uint32_t number = 0; missing > 0; ++number) {
            std::string tag = std::to_string(number);
            std::string& place = found[slot_of_tag(tag)];
            if (!place.empty()) continue;
            place = std::move(tag);
            --missing;
        }
        return found;
    }();
    return tags[slot];
}

Result<SlotMap> SlotMap::parse(const RedisValue& reply, const Endpoint& asked) {
    SlotMap map;
    if (!reply.is_array()) return not_understood(asked, "no array");
    for (std::size_t i = 0; i < reply.size(); ++i) {
        const RedisValue range = reply[i];
        if (range.size() < 3) return not_understood(asked, "a range of slots without a node");
        const std::int64_t first = range[0].integer(), last = range[1].integer();
        if (first < 0 || last < first || last >= static_cast<std::int64_t>(kSlots))
            return not_understood(asked, "a range of slots that there is not");
        const auto primary = node_of(range[2], asked);
        if (!primary) return not_understood(asked, "a node without an address");
        const std::uint16_t index = map.index_of(*primary);
        for (std::size_t r = 3; r < range.size(); ++r) {
            auto& replicas = map.primaries_[index].replicas;
            const auto replica = node_of(range[r], asked);
            if (replica && std::ranges::find(replicas, *replica) == replicas.end())
                replicas.push_back(*replica);
        }
        for (std::int64_t slot = first; slot <= last; ++slot) map.serve(static_cast<Slot>(slot), index);
    }
    map.tidy();
    return map;
}

std::uint16_t SlotMap::index_of(const Endpoint& address) {
    const auto known = std::ranges::find(primaries_, address, &Primary::address);
    const auto index = static_cast<std::uint16_t>(known - primaries_.begin());
    if (known == primaries_.end()) primaries_.push_back({address, {}});
    return index;
}

void SlotMap::tidy() {
    std::vector<Primary> ordered;
    std::vector<std::uint16_t> place(primaries_.size(), kNobody);
    for (std::uint16_t& owner : owners_) {
        if (owner == kNobody) continue;
        if (place[owner] == kNobody) {
            place[owner] = static_cast<std::uint16_t>(ordered.size());
            ordered.push_back(std::move(primaries_[owner]));
        }
        owner = place[owner];
    }
    primaries_ = std::move(ordered);
}

SlotRanges SlotMap::ranges_of(std::size_t primary) const {
    SlotRanges ranges;
    for (std::size_t i = 0; i < kSlots; ++i) {
        if (owners_[i] != primary) continue;
        const auto slot = static_cast<Slot>(i);
        if (ranges.empty() || ranges.back().last + 1u != i) ranges.push_back({slot, slot});
        ranges.back().last = slot;
    }
    return ranges;
}

bool SlotMap::covers_all_slots() const { return std::ranges::find(owners_, kNobody) == owners_.end(); }

SlotMap SlotMap::with(Slot first, Slot last, const Endpoint& address) const {
    SlotMap map = *this;
    const std::uint16_t index = map.index_of(address);
    for (std::size_t slot = first; slot <= last; ++slot) map.serve(static_cast<Slot>(slot), index);
    map.tidy();
    return map;
}

Slot record_slot(const SlotMap& map, std::size_t primary, std::span<const Slot> named) {
    if (map.owner_of(kFirstRecordSlot) == primary) return kFirstRecordSlot;
    for (const Slot slot : named)
        if (map.owner_of(slot) == primary) return slot;
    return map.ranges_of(primary).back().last;
}

std::optional<Redirection> redirection_of(std::string_view error, const Endpoint& asked) {
    Redirection to;
    to.ask = error.starts_with("ASK ");
    if (!to.ask && !error.starts_with("MOVED ")) return std::nullopt;
    error.remove_prefix(error.find(' ') + 1);
    const std::size_t blank = error.find(' ');
    if (blank == std::string_view::npos || !parse(error.substr(0, blank), to.slot) || to.slot >= kSlots)
        return std::nullopt;
    error.remove_prefix(blank + 1);
    const std::size_t colon = error.rfind(':');
    if (colon == std::string_view::npos || !parse(error.substr(colon + 1), to.to.port) || to.to.port == 0)
        return std::nullopt;
    to.to.host = colon == 0 ? asked.host : std::string(error.substr(0, colon));
    return to;
}

}  // namespace freshet
