#include "io/lookup/replica_history.hpp"

#include <doctest/doctest.h>

using namespace freshet;

TEST_CASE("the state of a replica is what INFO says") {
    const auto state = ReplicaState::parse(
        "# Replication\r\nrole:slave\r\nmaster_link_status:up\r\nmaster_sync_in_progress:0\r\n"
        "master_failover_state:no-failover\r\nmaster_replid:abc\r\nmaster_replid2:def\r\n");
    CHECK(state.history == "abc");
    CHECK(state.linked);
    CHECK_FALSE(
        ReplicaState::parse("role:slave\r\nmaster_link_status:down\r\nmaster_sync_in_progress:0\r\n").linked);
    CHECK_FALSE(ReplicaState::parse("role:master\r\nmaster_replid:abc\r\n").linked);
    CHECK(ReplicaState::parse("").history.empty());
}
