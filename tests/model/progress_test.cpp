#include "model/progress.hpp"

#include <doctest/doctest.h>

using namespace freshet;
using namespace std::chrono_literals;

namespace {

constexpr Timestamp kNow = from_unix_ms(1'700'000'000'000);

PartitionClaim claim() { return {{"orders", PartitionId{0}}, "node-1", "kafka-1", "freshet", 4}; }

ProgressRecord record_at(std::int64_t next) {
    ProgressRecord record;
    record.epoch = Epoch{5};
    record.kafka_cluster = "kafka-1";
    record.group = "freshet";
    record.views["stores@1"] = {Offset{next}, from_unix_ms(1000), std::nullopt, 77, std::nullopt};
    return record;
}

std::vector<ViewStart> stores(std::int64_t start) { return {{"stores@1", 77, true, Offset{start}}}; }

}  // namespace

TEST_CASE("an epoch is above what stands and at least unix milliseconds") {
    CHECK(next_epoch(std::nullopt, kNow).value == 1'700'000'000'000u);
    CHECK(next_epoch(Epoch{7}, kNow).value == 1'700'000'000'000u);
    CHECK(next_epoch(Epoch{1'800'000'000'000u}, kNow).value == 1'800'000'000'001u);
}

TEST_CASE("a first start follows the definition and is complete when the log is whole") {
    const auto decision =
        decide_start(claim(), std::nullopt, std::nullopt, {Offset{0}, Offset{9}}, stores(0), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{0});
    CHECK(decision->views[0].since == std::nullopt);
}

TEST_CASE("a first start at the latest offset is incomplete from now on") {
    const auto decision =
        decide_start(claim(), std::nullopt, std::nullopt, {Offset{0}, Offset{9}}, stores(9), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{9});
    CHECK(decision->views[0].since == kNow);
}

TEST_CASE("a restart goes on from the record") {
    const auto decision =
        decide_start(claim(), record_at(4), Offset{3}, {Offset{0}, Offset{9}}, stores(0), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{4});
    CHECK(decision->views[0].clock == from_unix_ms(1000));
}

TEST_CASE("a new view on a live topic starts by itself while the others go on") {
    const std::vector<ViewStart> views{{"stores@1", 77, true, Offset{0}}, {"cities@1", 78, true, Offset{0}}};
    const auto decision = decide_start(claim(), record_at(4), Offset{4}, {Offset{0}, Offset{9}}, views, kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{0});
    CHECK(decision->views[0].next == Offset{4});
    CHECK(decision->views[1].next == Offset{0});
}

TEST_CASE("a changed definition under the same version is refused with the mend") {
    auto record = record_at(4);
    record.views["stores@1"].fingerprint = 1;
    const auto decision = decide_start(claim(), record, Offset{4}, {Offset{0}, Offset{9}}, stores(0), kNow);
    REQUIRE_FALSE(decision);
    CHECK(decision.error().code == Errc::refused);
    CHECK(decision.error().message.find("version") != std::string::npos);
}

TEST_CASE("another Kafka cluster or group on the same prefix is refused") {
    auto record = record_at(4);
    record.kafka_cluster = "kafka-2";
    CHECK_FALSE(decide_start(claim(), record, Offset{4}, {Offset{0}, Offset{9}}, stores(0), kNow));
    record = record_at(4);
    record.group = "other";
    CHECK_FALSE(decide_start(claim(), record, Offset{4}, {Offset{0}, Offset{9}}, stores(0), kNow));
}

TEST_CASE("offsets lost to retention are said and make the view incomplete") {
    const auto decision =
        decide_start(claim(), record_at(4), Offset{4}, {Offset{6}, Offset{9}}, stores(6), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{6});
    CHECK(decision->views[0].since == kNow);
    REQUIRE(decision->notes.size() == 1);
    CHECK(decision->notes[0].find("lost offsets 4 to 5") != std::string::npos);
}

TEST_CASE("a log that ends below what was counted is refused") {
    const auto decision =
        decide_start(claim(), record_at(40), Offset{40}, {Offset{0}, Offset{9}}, stores(0), kNow);
    REQUIRE_FALSE(decision);
    CHECK(decision.error().code == Errc::refused);
}

TEST_CASE("an emptied store is rebuilt from the start of the log") {
    const auto decision =
        decide_start(claim(), std::nullopt, Offset{8}, {Offset{2}, Offset{9}}, stores(9), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{2});
    CHECK(decision->views[0].since == kNow);
    CHECK(decision->notes.size() == 1);
}

TEST_CASE("a window is complete once it lies wholly after the time counting began") {
    CHECK(is_complete(std::nullopt, 1h, 1min, kNow));
    CHECK_FALSE(is_complete(kSincePending, 1h, 1min, kNow));
    CHECK_FALSE(is_complete(kNow - 1h, 1h, 1min, kNow));
    CHECK(is_complete(kNow - 1h - 2min, 1h, 1min, kNow));
    CHECK_FALSE(is_complete(kNow - 1000h, std::nullopt, 1min, kNow));
}
