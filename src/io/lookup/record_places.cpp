#include "io/lookup/record_places.hpp"

#include <algorithm>

#include "io/stored/progress_codec.hpp"

namespace freshet {

void RecordPlaces::adopt(SharedSlotMap map) {
    const SharedSlotMap before = std::exchange(map_, std::move(map));
    ++version_;
    for (auto& [place, known] : known_) {
        const auto told = std::exchange(known.told, {});
        for (const auto& [index, epoch] : told)
            if (const auto now = index_of(before->primaries()[index].address)) known.told[*now] = epoch;
    }
}

std::optional<std::size_t> RecordPlaces::index_of(const Endpoint& primary) const {
    if (!map_) return std::nullopt;
    const auto found = std::ranges::find(map_->primaries(), primary, &SlotMap::Primary::address);
    if (found == map_->primaries().end()) return std::nullopt;
    return static_cast<std::size_t>(found - map_->primaries().begin());
}

Slot RecordPlaces::place(const Endpoint& primary, std::size_t topic, std::size_t partition) const {
    const auto index = index_of(primary);
    if (!index) return kFirstRecordSlot;
    const auto known = known_.find({topic, partition});
    return record_slot(*map_, *index, known == known_.end() ? std::vector<Slot>{} : known->second.slots);
}

void RecordPlaces::note(const Endpoint& primary, std::size_t topic, std::size_t partition,
                        std::optional<Epoch> epoch, std::string_view slots) {
    const auto index = index_of(primary);
    if (!index) return;
    Known& known = known_[{topic, partition}];
    known.told[*index] = epoch;
    if (!epoch || *epoch < known.epoch || slots.empty()) return;
    std::vector<Slot> named = decode_slots(slots);
    // Of one epoch, the longer list is the later one: records are never given up.
    const bool earlier = *epoch == known.epoch && named.size() < known.slots.size();
    if (earlier) return;
    known.epoch = *epoch;
    if (named == known.slots) return;
    known.slots = std::move(named);
    ++version_;
}

bool RecordPlaces::is_behind(std::size_t topic, std::size_t partition, Epoch epoch, std::uint64_t advance) {
    if (!map_) return false;
    Known& known = known_[{topic, partition}];
    known.highest_epoch = std::max(known.highest_epoch, epoch);
    known.highest_advance = std::max(known.highest_advance, advance);
    return epoch < known.highest_epoch || advance < known.highest_advance;
}

bool RecordPlaces::moved(std::string_view error) {
    if (!error.starts_with("MOVED ") && !error.starts_with("ASK ")) return false;
    return out_of_date_ = true;
}

bool RecordPlaces::may_stand_elsewhere(const Endpoint& primary, std::size_t topic,
                                       std::size_t partition) const {
    const auto mine = index_of(primary);
    if (!mine) return false;
    const auto known = known_.find({topic, partition});
    for (std::size_t i = 0; i < map_->primaries().size(); ++i) {
        if (i == *mine) continue;
        if (known == known_.end()) return true;
        const auto told = known->second.told.find(i);
        if (told == known->second.told.end() || told->second) return true;
    }
    return false;
}

}  // namespace freshet
