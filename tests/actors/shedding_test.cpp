#include "actors/ingest_fixture.hpp"

using namespace freshet;
using namespace freshet::test;
using namespace std::chrono_literals;
using Values = std::pair<std::int64_t, std::int64_t>;

namespace {

// Another partition of the source, of which time passes as it likes.
class Neighbour {
public:
    explicit Neighbour(IngestFixture& node) : seat_(TurnOrder::sit(node.turns, "orders", {})) {}
    void is_late() { look({1h, true, 1'000'000'000, ++stored_}, IngestConfig{}.shed_after + 3s); }
    void is_in_time() { look({0s, true, 0, ++stored_}, IngestConfig{}.resume_after + 3s); }

private:
    void look(TurnLook at, Duration time) {
        for (const auto end = now_ + time; now_ < end; now_ += 1s, ++at.stored) seat_->look(now_, at);
        stored_ = at.stored;
    }
    std::shared_ptr<TurnOrder::Seat> seat_;
    std::chrono::steady_clock::time_point now_ = std::chrono::steady_clock::now() + 1h;
    std::int64_t stored_ = 0;
};

constexpr std::int64_t kFirst = IngestFixture::kStart;
const std::string kSlow = "slow_orders@1";

}  // namespace

TEST_CASE("a view is left out while its source sheds, and counted again from where it stands then") {
    IngestFixture node({}, kTwoViewsConfig);
    for (int i = 0; i < 5; ++i) node.order("north", 1, kFirst + 60'000 * i);
    node.assign();
    CHECK(node.stored("north", kFirst + 240'000, kSlow) == Values(5, 5));
    Neighbour neighbour(node);
    neighbour.is_late();
    node.advance(2s);
    CHECK(node.metric("freshet_view_shed", "slow_orders") == 1);
    CHECK(node.metric("freshet_view_shed", "store_orders") == 0);
    CHECK(node.progress(kSlow).since == kSincePending);
    CHECK(node.progress().since == std::nullopt);
    for (int i = 5; i < 9; ++i) node.order("north", 1, kFirst + 60'000 * i);
    node.advance(2s);
    CHECK(node.stored("north", kFirst + 480'000) == Values(9, 9));
    CHECK(node.stored("north", kFirst + 480'000, kSlow) == Values(5, 5));
    CHECK(node.progress(kSlow).next == Offset{9});
    CHECK(node.progress(kSlow).since == kSincePending);

    neighbour.is_in_time();
    node.advance(2s);
    CHECK(node.metric("freshet_view_shed") == 0);
    for (int i = 9; i < 12; ++i) node.order("north", 1, kFirst + 60'000 * i);
    node.advance(2s);
    CHECK(node.stored("north", kFirst + 660'000) == Values(12, 12));
    CHECK(node.stored("north", kFirst + 660'000, kSlow) == Values(8, 8));
    CHECK(node.progress(kSlow).since == from_unix_ms(kFirst + 660'000));
    CHECK(node.metric("freshet_partition_restarts_total") == 0);  // all lives have ended in order

    std::vector<std::string> told;
    for (const auto& [name, text] : node.status->lines())
        if (name.starts_with("shed ")) told.push_back(text);
    REQUIRE(told.size() == 2);
    CHECK(told[1].find(
              "source orders has more to count than it can: leaves out slow_orders@1, incomplete from now "
              "on; 3600000 ms behind with 10000000") != std::string::npos);
    CHECK(told[0].find("source orders keeps its limit again: counts slow_orders@1 again") != std::string::npos);
}

TEST_CASE("a node that has left its source sheds nothing of it when it comes back") {
    IngestFixture node({}, kTwoViewsConfig);
    node.order("north", 1, kFirst);
    node.assign();
    Neighbour neighbour(node);
    neighbour.is_late();
    node.advance(2s);
    CHECK(node.progress(kSlow).since == kSincePending);
    CHECK(node.revoke());
    CHECK(node.metric("freshet_view_shed") == 0);
    node.assign();
    node.order("north", 1, kFirst + 1);
    node.settle();
    CHECK(node.stored("north", kFirst + 1, kSlow) == Values(2, 2));
    CHECK(node.progress(kSlow).since == from_unix_ms(kFirst + 1));
}
