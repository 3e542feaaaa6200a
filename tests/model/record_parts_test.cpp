#include "model/record_parts.hpp"

#include <doctest/doctest.h>

#include "model/claims.hpp"

using namespace freshet;
using namespace freshet::test;

namespace {

const std::string kView = "spend@1";
constexpr Timestamp kClock = from_unix_ms(1'700'000'000'000);

ProgressRecord part_at(std::int64_t next, std::vector<RecordSlot> slots = {1, 2}) {
    ProgressRecord record;
    record.epoch = Epoch{10};
    record.node = "node-1";
    record.kafka_cluster = "kafka-1";
    record.group = "freshet";
    record.slots = std::move(slots);
    ViewProgress& view = record.views[kView];
    view.next = Offset{next};
    view.clock = kClock + Duration{next};
    view.watermark = kClock + Duration{next};
    view.features["count"] = {7, std::nullopt};
    return record;
}

ProgressRecord without_views() {
    ProgressRecord record = part_at(0, {});
    record.views.clear();
    return record;
}

ProgressRecord whole(const std::vector<RecordPart>& parts) {
    const auto record = whole_record(kClaim, parts, {});
    REQUIRE(record);
    return *record;
}

}  // namespace

TEST_CASE("a life begins where the primary is that is furthest behind") {
    for (const auto& parts : {std::vector<RecordPart>{{1, part_at(50)}, {2, part_at(80)}},
                              std::vector<RecordPart>{{2, part_at(80)}, {1, part_at(50)}}}) {
        const ProgressRecord record = whole(parts);
        CHECK(record.views.at(kView) == part_at(50).views.at(kView));
        CHECK_FALSE(record.lost_part);
    }
    CHECK_FALSE(whole_record(kClaim, std::vector<RecordPart>{{1, {}}, {2, {}}}, {}));
}

TEST_CASE("of equal offsets the earlier watermark and the later beginning count") {
    ProgressRecord ahead = part_at(50), behind = part_at(50);
    ahead.views[kView].watermark = kClock + Duration{900};
    behind.views[kView].since = kClock;
    const ViewProgress view = whole({{1, ahead}, {2, behind}}).views.at(kView);
    CHECK(view.watermark == behind.views[kView].watermark);
    CHECK(view.since == kClock);
    behind.views[kView].watermark.reset();
    CHECK_FALSE(whole({{1, ahead}, {2, behind}}).views.at(kView).watermark);
}

TEST_CASE("what one primary does not list yet is begun again") {
    ProgressRecord more = part_at(50);
    more.views["new@1"] = more.views[kView];
    more.views[kView].features["sum"] = {8, std::nullopt};
    const ProgressRecord record = whole({{1, more}, {2, part_at(50)}});
    CHECK(record.views.size() == 1);
    CHECK(record.views.at(kView).features.size() == 1);
}

TEST_CASE("a primary whose record is gone, or says nothing any more, has lost what it held") {
    CHECK(whole({{1, part_at(50)}, {2, std::nullopt}}).lost_part);
    CHECK(whole({{1, part_at(50)}, {2, without_views()}}).lost_part);
    CHECK(whole({{1, part_at(50)}}).lost_part);  // nobody even looked
    CHECK(whole({{1, part_at(50)}, {2, std::nullopt}}).views.at(kView).next == Offset{50});
}

TEST_CASE("a primary that no record names is new and holds nothing back") {
    CHECK_FALSE(whole({{1, part_at(50)}, {2, part_at(50)}, {3, std::nullopt}}).lost_part);
    const ProgressRecord record = whole({{1, part_at(50)}, {2, part_at(50)}, {3, without_views()}});
    CHECK_FALSE(record.lost_part);
    CHECK(record.views.at(kView).next == Offset{50});
}

TEST_CASE("slots that a primary received after the copy it came back with are lost") {
    const std::vector<SlotRanges> served = {{{0, 99}}, {{100, 250}}};  // the second has received 201 to 250
    using Kept = RecordPart::Kept;
    const auto loses = [&](std::uint64_t first, std::uint64_t second, SlotRanges covers, Kept kept) {
        ProgressRecord a = part_at(80), b = part_at(50);
        a.covers = {{0, 99}};
        a.advance = first;
        b.covers = std::move(covers);
        b.advance = second;
        const std::vector<RecordPart> parts{{1, a, 0}, {2, b, 1, kept}};
        return whole_record(kClaim, parts, served)->lost_part;
    };
    const SlotRanges before{{100, 200}}, after{{201, 250}, {100, 200}};
    CHECK(loses(9, 7, before, Kept::unknown));
    CHECK(loses(9, 8, before, Kept::unknown));        // perhaps the ninth has not come so far: nobody knows
    CHECK_FALSE(loses(9, 8, before, Kept::all));      // but who wrote it
    CHECK_FALSE(loses(9, 7, after, Kept::unknown));   // what it covers can be counted on
    CHECK_FALSE(loses(9, 9, before, Kept::unknown));  // they came after the ninth
    CHECK(loses(8, 9, before, Kept::unknown));        // from a primary that fell back, who knows in what state
    CHECK_FALSE(loses(8, 9, after, Kept::unknown));
    CHECK(loses(9, 9, before, Kept::less));
    CHECK_FALSE(loses(9, 9, after, Kept::less));
    CHECK(loses(9, 7, {}, Kept::unknown));
}

TEST_CASE("a record that has moved to another primary vouches for nothing there, and a new one is believed") {
    const std::vector<SlotRanges> served = {{{0, 99}}, {{100, 250}}, {{300, 301}}};
    ProgressRecord a = part_at(80), arrived = part_at(80), own = part_at(80);
    a.covers = {{0, 99}};
    arrived.covers = {{201, 250}, {300, 301}};  // of the primary it came from
    own.covers = {{100, 200}};
    a.advance = arrived.advance = own.advance = 9;
    std::vector<RecordPart> parts{{1, a, 0}, {2, own, 1}, {3, arrived, 1}, {4, std::nullopt, 2}};
    CHECK_FALSE(whole_record(kClaim, parts, served)->lost_part);
    CHECK(whole_record(kClaim, parts, served)->advance == 9);
    parts[1].record->advance = 8;
    CHECK(whole_record(kClaim, parts, served)->lost_part);
    parts[1].record->covers = parts[2].record->covers = {{100, 250}};
    CHECK(whole_record(kClaim, parts, served)->lost_part);  // what is new has come from one that fell back
    parts[3].record = a;
    parts[3].record->covers = {{300, 301}};
    CHECK_FALSE(whole_record(kClaim, parts, served)->lost_part);
}

TEST_CASE("a record that was seen and is gone was lost, even if no other names it yet") {
    const std::vector<RecordPart> seen{
        {1, part_at(50)}, {2, part_at(50)}, {3, std::nullopt, 2, RecordPart::Kept::less}};
    CHECK(whole(seen).lost_part);
}

TEST_CASE("ranges contain all that others name, however either is cut") {
    CHECK(contains_all({{5, 9}, {0, 4}}, {{0, 9}}));
    CHECK(contains_all({{0, 3}, {2, 9}}, {{1, 1}, {3, 8}}));
    CHECK_FALSE(contains_all({{0, 3}, {5, 9}}, {{3, 5}}));
    CHECK_FALSE(contains_all({}, {{7, 7}}));
    CHECK(contains_all({}, {}));
    CHECK(contains_all({{0, 65535}}, {{65535, 65535}}));
}

TEST_CASE("the newest generation of the log counts, with all that was read of it") {
    ProgressRecord old = part_at(90), renewed = part_at(3);
    renewed.log.generation = renewed.views[kView].generation = Generation{1};
    renewed.log.marks = {{Offset{0}, kClock, 1}, {Offset{2}, kClock, 3}};
    old.log.marks = {{Offset{70}, kClock, 9}};
    ProgressRecord read_more = renewed;
    read_more.log.marks = {{Offset{0}, kClock, 1}, {Offset{5}, kClock, 6}};
    const ProgressRecord record = whole({{1, old}, {2, renewed}, {3, read_more}});
    CHECK(record.log.generation == Generation{1});
    REQUIRE(record.log.marks.size() == 3);
    CHECK(last_read(record) == Offset{5});
    // The view that is of the old log goes on at the beginning of the new one (decide_start).
    CHECK(record.views.at(kView).generation == Generation{0});
}

TEST_CASE("epochs, partitions and layouts are those of all") {
    ProgressRecord a = part_at(50), b = part_at(50);
    a.epoch = Epoch{12};
    b.partitions = 9;
    a.layouts[kView] = "x y";
    b.layouts[kView] = "y z";
    const ProgressRecord record = whole({{1, a}, {2, b}});
    CHECK(record.epoch == Epoch{12});
    CHECK(record.partitions == 9);
    CHECK(record.layouts.at(kView) == "x y z");
}

TEST_CASE("a record of another deployment is not mixed with others") {
    ProgressRecord foreign = part_at(7);
    foreign.group = "another";
    CHECK(whole({{1, part_at(50)}, {2, foreign}}) == foreign);
}

TEST_CASE("what a primary has lost is rebuilt from the log, and said to be incomplete") {
    const ProgressRecord record = whole({{1, part_at(50)}, {2, std::nullopt}});
    ViewStart view{kView, 0, true, Offset{0}};
    view.features = {{"count", 7}};
    const LogFacts facts{{Offset{20}, Offset{100}}, Offset{50}, {}, {}};
    const auto decision = decide_start(kClaim, record, facts, std::span(&view, 1), kClock);
    REQUIRE_MESSAGE(decision, (decision ? "" : decision.error().message));
    CHECK(decision->from == Offset{20});
    CHECK(decision->views.front().since == kClock);
    CHECK(decision->notes.size() == 1);
    view.fingerprint = 1;
    CHECK_FALSE(decide_start(kClaim, record, facts, std::span(&view, 1), kClock));
}
