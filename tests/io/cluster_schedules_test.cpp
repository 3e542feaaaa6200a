// Whatever happens in the schedules of support/cluster_schedules.hpp, in the end every entity has counted every
// event once.
#include "support/cluster_schedules.hpp"

#include <doctest/doctest.h>

using namespace freshet;
using namespace freshet::test::schedules;

TEST_CASE("every event is counted once, whichever primary forgets what, and when") {
    std::map<Errc, int> ended;
    for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
        World world(seed, Plant::nothing);
        const std::string wrong = world.run();
        CAPTURE(seed);
        CHECK_MESSAGE(wrong.empty(), wrong);
        for (const auto& [code, lives] : world.ended) ended[code] += lives;
    }
    CHECK(ended[Errc::fenced] > 0);
    CHECK(ended[Errc::lost_writes] > 0);
}

TEST_CASE("slots that move with all they hold are not taken for lost") {
    int moves = 0, fenced = 0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        World world(seed, Plant::nothing, Faults::moves_only);
        const std::string wrong = world.run();
        CAPTURE(seed);
        CHECK_MESSAGE(wrong.empty(), wrong);
        CHECK(world.rebuilds == 0);
        moves += world.moves;
        fenced += world.ended[Errc::fenced];
    }
    CHECK(moves > 200);
    CHECK(fenced > 0);  // by a new primary, or a record that moved
}

TEST_CASE("a life that begins where its node thinks it was, and not where the records say, is found out") {
    bool found = false;
    for (std::uint64_t seed = 1; seed <= 400 && !found; ++seed)
        found = !World(seed, Plant::trusts_itself).run().empty();
    CHECK(found);
}

TEST_CASE("a copy from before a slot came is found out, if its record were believed to cover the slot") {
    bool found = false;
    for (std::uint64_t seed = 1; seed <= 4'000 && !found; ++seed)
        found = !World(seed, Plant::covers_everything).run().empty();
    CHECK(found);
}
