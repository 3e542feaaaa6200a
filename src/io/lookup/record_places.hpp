// In which slots the progress records of partitions stand. A partition has one record at each primary, in a
// slot that its owner chose and that every record names; a single server holds all in one slot. One a loop.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "io/redis/slot_map.hpp"
#include "model/ids.hpp"

namespace freshet {

class RecordPlaces {
public:
    // What is known of primaries that the map does not have is forgotten.
    void adopt(SharedSlotMap map);
    // Another one: the slots may be others.
    std::uint64_t version() const { return version_; }

    // Where a primary holds its record, as far as it is known.
    Slot place(const Endpoint& primary, std::size_t topic, std::size_t partition) const;
    // What a primary answered about its record: its epoch and the slots it names, or that there is none.
    void note(const Endpoint& primary, std::size_t topic, std::size_t partition, std::optional<Epoch> epoch,
              std::string_view slots);
    // Whether a record, by its epoch or the number of its last advance, is older than one that was read before,
    // there or at another primary: it may have fallen back.
    bool is_behind(std::size_t topic, std::size_t partition, Epoch epoch, std::uint64_t advance);
    // Whether an error reply says that the slot of a record is not where the map has it. The map is out of date
    // then, until somebody has asked whether it is.
    bool moved(std::string_view error);
    bool out_of_date() { return std::exchange(out_of_date_, false); }
    // Whether another primary has a record, or has not answered yet.
    bool may_stand_elsewhere(const Endpoint& primary, std::size_t topic, std::size_t partition) const;

private:
    struct Known {
        std::map<std::size_t, std::optional<Epoch>> told;  // by primary, in the map's order
        Epoch epoch{};                                     // of the record whose slots these are
        std::vector<Slot> slots;
        Epoch highest_epoch{};              // of all records,
        std::uint64_t highest_advance = 0;  // and of all advances
    };
    std::optional<std::size_t> index_of(const Endpoint& primary) const;

    SharedSlotMap map_;                                           // null: a single server
    std::map<std::pair<std::size_t, std::size_t>, Known> known_;  // by topic and partition
    std::uint64_t version_ = 0;
    bool out_of_date_ = false;
};

}  // namespace freshet
