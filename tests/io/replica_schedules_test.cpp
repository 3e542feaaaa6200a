// The same schedules with a replica of each primary, which is behind by as much as it likes, copies its primary
// anew when that has begun anew, and knows as late as it likes who serves which slot. A reader reads a record
// there and, some time later, a value: what the record says is counted must be.
#include <doctest/doctest.h>

#include "support/cluster_schedules.hpp"

using namespace freshet;
using namespace freshet::test::schedules;
using freshet::test::MemoryServer;

namespace {

// What a reader does not look at, to see that a schedule can go wrong.
enum class Believes {
    nothing_unasked,
    that_all_is_covered,
    that_what_is_not_there_is_missing,
    one_history,
    any_record
};

struct Replica {
    std::shared_ptr<Servers::Stream> stream;
    std::size_t at = 0;
    SharedSlotMap map;

    const MemoryServer::State& state() const { return (*stream)[at].held; }
};

// A record that a reader has read at a replica, and not used yet.
struct Read {
    std::size_t replica;
    std::shared_ptr<Servers::Stream> stream;
    ProgressRecord record;
};

class ReplicaWorld final : public World {
public:
    ReplicaWorld(std::uint64_t seed, Believes believes) : World(seed, Plant::nothing), believes_(believes) {
        for (std::size_t i = 0; i < kPrimaries; ++i) replicas_[i] = {cluster().streams[i], 0, cluster().map};
    }

    std::size_t answered = 0, left_to_primary = 0, told_older = 0;

private:
    std::string look() override {
        for (int i = 0; i < 6; ++i) {
            const std::size_t replica = below(kPrimaries);
            switch (below(5)) {
                case 0:
                    follow(replicas_[replica]);
                    break;
                case 1:
                    copy_anew(replica);
                    break;
                case 2:
                    replicas_[replica].map = cluster().map;
                    break;
                case 3:
                    read_record(replica);
                    break;
                default:
                    if (std::string wrong = read_value(); !wrong.empty()) return wrong;
            }
        }
        return {};
    }

    // A replica takes over.
    std::optional<MemoryServer::State> copy_of(std::size_t primary) override {
        if (below(2) == 0) return World::copy_of(primary);
        const Replica& replica = replicas_[primary];
        if (replica.stream != cluster().streams[primary] || (*replica.stream)[replica.at].overstated) return {};
        return replica.state();
    }

    void follow(Replica& replica) { replica.at += below(replica.stream->size() - replica.at); }
    void copy_anew(std::size_t i) {
        if (replicas_[i].stream == cluster().streams[i]) return;
        replicas_[i].stream = cluster().streams[i];
        replicas_[i].at = replicas_[i].stream->size() - 1;
    }

    void read_record(std::size_t i) {
        const Replica& replica = replicas_[i];
        for (const auto& [key, record] : replica.state().records)
            if (owner(replica, key.second) == i && record.views.contains(kView))
                read_ = Read{i, replica.stream, record};
    }

    static std::size_t owner(const Replica& replica, Slot slot) {
        return at_address(replica.map->primaries()[*replica.map->owner_of(slot)].address);
    }

    // Empty: right, or left to the primary.
    std::string read_value() {
        if (!read_) return {};
        const std::size_t entity = below(kEntities);
        const std::string name = key_of(entity).entity;
        const std::size_t at = believes_ == Believes::any_record ? below(kPrimaries) : read_->replica;
        const Replica& replica = replicas_[at];
        if (believes_ != Believes::any_record && believes_ != Believes::one_history &&
            replica.stream != read_->stream) {
            read_.reset();
            return {};
        }
        const Slot slot = slot_of_entity(name);
        if (owner(replica, slot) != at) return {};
        const ProgressRecord& record = read_->record;
        const bool covers =
            (contains(record.covers, slot) && !record.rebuilds) || believes_ == Believes::that_all_is_covered;
        const auto found = replica.state().entities.find({kView, name});
        const bool there = found != replica.state().entities.end() && found->second.heads.contains(kOrigin);
        if (!covers || (!there && believes_ != Believes::that_what_is_not_there_is_missing)) {
            ++left_to_primary;
            return {};
        }
        const Counted counted = there ? Counted::of(found->second.heads.at(kOrigin)) : Counted{0, -1};
        ++answered;
        const std::int64_t next = record.views.at(kView).next.value;
        told_older += counted.count < events_of(entity, kEvents);
        if (counted.count != events_of(entity, counted.stamp + 1))
            return name + " counts an event twice or never";
        if (counted.count >= events_of(entity, next)) return {};
        return name + " counts " + std::to_string(counted.count) + " at a replica whose record says " +
               std::to_string(events_of(entity, next));
    }

    const Believes believes_;
    std::array<Replica, kPrimaries> replicas_;
    std::optional<Read> read_;
};

bool is_found_out(Believes believes, std::uint64_t seeds) {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed)
        if (!ReplicaWorld(seed, believes).run().empty()) return true;
    return false;
}

}  // namespace

TEST_CASE(
    "a value that is read at a replica has counted what the record there says, however far it is behind") {
    std::size_t answered = 0, left_to_primary = 0, told_older = 0;
    for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
        ReplicaWorld world(seed, Believes::nothing_unasked);
        const std::string wrong = world.run();
        CAPTURE(seed);
        CHECK_MESSAGE(wrong.empty(), wrong);
        answered += world.answered;
        left_to_primary += world.left_to_primary;
        told_older += world.told_older;
    }
    CHECK(answered > 10'000);
    CHECK(told_older > 1'000);
    CHECK(left_to_primary > 1'000);
}

TEST_CASE("a slot that a replica does not have yet is found out, if its record were believed to cover all") {
    CHECK(is_found_out(Believes::that_all_is_covered, 2'000));
}

TEST_CASE("an entity that is on its way is found out, if a replica were believed that it is missing") {
    CHECK(is_found_out(Believes::that_what_is_not_there_is_missing, 2'000));
}

TEST_CASE("a value of another history is found out, if it were told with a record from before") {
    CHECK(is_found_out(Believes::one_history, 2'000));
}

TEST_CASE("a value of one replica is found out, if it were told with the record of another") {
    CHECK(is_found_out(Believes::any_record, 2'000));
}
