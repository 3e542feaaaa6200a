// The same schedules with a reader that asks the primaries, and of each believes what LookupProgress does: what
// the record there says is counted must be.
#include <doctest/doctest.h>

#include "io/lookup/record_places.hpp"
#include "io/stored/progress_codec.hpp"
#include "support/cluster_schedules.hpp"

using namespace freshet;
using namespace freshet::test::schedules;

namespace {

// What a reader does not look at, to see that a schedule can go wrong.
enum class Believes { nothing_unasked, any_place, a_rebuilt_record };

class ReadWorld final : public World {
public:
    ReadWorld(std::uint64_t seed, Believes believes) : World(seed, Plant::nothing), believes_(believes) {
        places_.adopt(map_);
    }

    std::size_t answered = 0, refused = 0;

private:
    std::string look() override {
        for (int i = 0; i < 4; ++i) {
            if (below(4) == 0) places_.adopt(map_ = cluster().map);
            const std::size_t primary = below(kPrimaries);
            if (std::string wrong = read_at(primary); !wrong.empty()) return wrong;
        }
        return {};
    }

    std::optional<ProgressRecord> record_at(std::size_t primary) {
        const auto& known = map_->primaries();
        if (std::ranges::find(known, address_of(primary), &SlotMap::Primary::address) == known.end()) return {};
        const Slot slot = places_.place(address_of(primary), 0, 0);
        const auto records = cluster().servers[primary]->snapshot().records;
        const auto found = records.find({kClaim.partition, slot});
        if (found == records.end() || cluster().owner(slot) != primary) return {};
        const ProgressRecord& record = found->second;
        places_.note(address_of(primary), 0, 0, record.epoch, encode_slots(record.slots));
        behind_ = places_.is_behind(0, 0, record.epoch, record.advance);
        return record;
    }

    std::string read_at(std::size_t primary) {
        const auto record = record_at(primary);
        if (!record || !record->views.contains(kView)) return {};
        const std::size_t entity = below(kEntities);
        const std::string name = key_of(entity).entity;
        const Slot slot = slot_of_entity(name);
        if (cluster().owner(slot) != primary) return {};
        const bool doubtful = (behind_ && believes_ != Believes::any_place) ||
                              (record->rebuilds && believes_ != Believes::a_rebuilt_record);
        if (doubtful && !contains(record->covers, slot)) {
            ++refused;
            return {};
        }
        const auto entities = cluster().servers[primary]->snapshot().entities;
        const auto found = entities.find({kView, name});
        const bool there = found != entities.end() && found->second.heads.contains(kOrigin);
        const Counted counted = there ? Counted::of(found->second.heads.at(kOrigin)) : Counted{0, -1};
        ++answered;
        const std::int64_t next = record->views.at(kView).next.value;
        if (counted.count >= events_of(entity, next)) return {};
        return name + " counts " + std::to_string(counted.count) + " where the record says " +
               std::to_string(events_of(entity, next));
    }

    const Believes believes_;
    SharedSlotMap map_ = cluster().map;
    RecordPlaces places_;
    bool behind_ = false;
};

bool is_found_out(Believes believes, std::uint64_t seeds) {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed)
        if (!ReadWorld(seed, believes).run().empty()) return true;
    return false;
}

}  // namespace

TEST_CASE("a value that is read at a primary has counted what the record there says") {
    std::size_t answered = 0, refused = 0;
    for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
        ReadWorld world(seed, Believes::nothing_unasked);
        const std::string wrong = world.run();
        CAPTURE(seed);
        CHECK_MESSAGE(wrong.empty(), wrong);
        answered += world.answered;
        refused += world.refused;
    }
    CHECK(answered > 10'000);
    CHECK(refused > 100);
}

TEST_CASE("a record that fell back is found out, if it were believed for slots that came since") {
    CHECK(is_found_out(Believes::any_place, 2'000));
}

TEST_CASE("a slot that comes from where it is counted again is found out, if it were believed to be counted") {
    CHECK(is_found_out(Believes::a_rebuilt_record, 20'000));
}
