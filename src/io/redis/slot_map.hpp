// Where keys stand in a Redis Cluster: 16,384 slots, each served by one primary. Immutable once made; a cluster
// that changes gives another map.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/config/config.hpp"
#include "io/redis/redis_connection.hpp"
#include "model/result.hpp"
#include "model/slot_ranges.hpp"

namespace freshet {

using Slot = RecordSlot;
constexpr std::size_t kSlots = 16'384;

// Of the part in braces, if there is one and it is not empty, else of the whole key.
Slot slot_of(std::string_view key);
// The smallest number, in digits, that is in the slot: a tag for keys that are to stand there.
const std::string& tag_of(Slot slot);

class SlotMap {
public:
    struct Primary {
        Endpoint address;
        std::vector<Endpoint> replicas;

        friend bool operator==(const Primary&, const Primary&) = default;
    };
    static constexpr std::uint16_t kNobody = 0xffff;

    SlotMap() { owners_.fill(kNobody); }
    // The answer of `asked` to CLUSTER SLOTS. A node that does not know its own address leaves it out.
    static Result<SlotMap> parse(const RedisValue& reply, const Endpoint& asked);

    // Those that serve a slot, ordered by the lowest of them.
    const std::vector<Primary>& primaries() const { return primaries_; }
    // Among primaries(); none while nobody serves the slot.
    std::optional<std::size_t> owner_of(Slot slot) const {
        return owners_[slot] == kNobody ? std::nullopt : std::optional<std::size_t>(owners_[slot]);
    }
    SlotRanges ranges_of(std::size_t primary) const;  // ascending
    bool covers_all_slots() const;
    // This map, but for one slot, or those from one to another, which `address` serves.
    SlotMap with(Slot slot, const Endpoint& address) const { return with(slot, slot, address); }
    SlotMap with(Slot first, Slot last, const Endpoint& address) const;

    friend bool operator==(const SlotMap&, const SlotMap&) = default;

private:
    std::uint16_t index_of(const Endpoint& address);
    void serve(Slot slot, std::uint16_t primary) { owners_[slot] = primary; }
    // Forgets primaries without slots, and orders the others.
    void tidy();

    std::vector<Primary> primaries_;
    std::array<std::uint16_t, kSlots> owners_;
};

using SharedSlotMap = std::shared_ptr<const SlotMap>;

// Where a primary holds the progress record of a partition whose records stand in the slots `named`: in one of
// those if it serves one, else in its last slot, since tools move the first ones first. Whichever serves the
// first record slot holds its own there: so a reader that knows nothing yet finds where the others are.
Slot record_slot(const SlotMap& map, std::size_t primary, std::span<const Slot> named);

// What a node says of a slot that it does not serve: "MOVED 3999 127.0.0.1:6381", or ASK for one command while
// the slot is on its way. `asked` said so; a node may leave its host out for its own.
struct Redirection {
    bool ask = false;
    Slot slot = 0;
    Endpoint to;
};
std::optional<Redirection> redirection_of(std::string_view error, const Endpoint& asked);

}  // namespace freshet
