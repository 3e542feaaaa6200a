#include "model/partial.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/copied_store.hpp"

using namespace freshet;
using namespace freshet::testing;
using namespace std::chrono_literals;

namespace {

// Counts events over ten minutes and an hour, by the minute.
struct Counts {
    Source source;
    std::unique_ptr<ViewPlan> plan;
    std::unique_ptr<EntityWindows> windows;
    std::unique_ptr<CopiedStore> store;
    std::unique_ptr<FeatureReader> reader;
    std::int64_t offset = 0;
    Timestamp clock{};

    Counts() {
        source.max_future = 0ms;
        View view;
        for (const Duration window : {Duration{10min}, Duration{1h}}) {
            Feature& count = view.features.emplace_back();
            count.window = window;
            count.hop = 1min;
        }
        plan = std::make_unique<ViewPlan>(source, view);
        windows = std::make_unique<EntityWindows>(*plan, PartitionId{0}, Generation{0});
        store = std::make_unique<CopiedStore>(source, *plan);
        reader = std::make_unique<FeatureReader>(*plan);
    }

    EntityWindows::Outcome event_at(std::int64_t minute) {
        clock = std::max(clock, Timestamp{std::chrono::minutes(minute)});
        return windows->add(*plan, {Timestamp{std::chrono::minutes(minute)}, Offset{offset++}, clock, {}});
    }
    std::vector<EntityWindows::ChunkId> flush() {
        HeadView view;
        std::vector<EntityWindows::ChunkId> changed;
        windows->flush(*plan, clock, view, changed);
        store->save(*windows, view, changed);
        return changed;
    }
    // One event a minute, each flushed.
    void minutes(std::int64_t first, std::int64_t last) {
        for (std::int64_t m = first; m <= last; ++m) {
            event_at(m);
            flush();
        }
    }
    Head unfolded() const {
        Head head = store->head();
        unfold(head, store->chunks());
        return head;
    }
    // The two counts at a minute, or -1 where the head does not serve, -2 where the entity is missing.
    std::vector<std::int64_t> read(const Head& head, std::int64_t minute) const {
        std::vector<std::int64_t> out;
        const Head* one[] = {&head};
        const Timestamp t{std::chrono::minutes(minute)};
        for (const std::size_t f : {0, 1}) {
            if (!reader->serves(one, t, std::span(&f, 1))) {
                out.push_back(-1);
                continue;
            }
            const auto& answer = reader->read(one, t, std::span(&f, 1));
            out.push_back(answer.missing ? -2 : std::get<std::int64_t>(answer.values[0].value));
        }
        return out;
    }
};

using Answers = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("the tiles of a sparse entity all stand in its head, which serves any time") {
    Counts entity;
    entity.minutes(100, 107);
    const Head head = entity.store->head();
    CHECK(head.resolutions[0].sealed_to == kNoTile);
    CHECK(head.resolutions[0].tiles.size() == 8);
    CHECK(entity.store->chunks().empty());
    CHECK(entity.read(head, 107) == Answers{8, 8});
    CHECK(entity.read(head, 103) == Answers{4, 4});
    CHECK(entity.read(head, 115) == Answers{3, 8});
    CHECK(entity.read(head, 167) == Answers{0, 1});
    CHECK(entity.read(head, 168) == Answers{-2, -2});
}

TEST_CASE("a window counts its tiles at both ends") {
    Counts entity;
    entity.minutes(100, 200);
    CHECK(entity.read(entity.store->head(), 200) == Answers{11, 61});
    CHECK(entity.read(entity.unfolded(), 200) == Answers{11, 61});
}

TEST_CASE("the head of a dense entity stays small and serves the present and some hops after it") {
    Counts entity;
    entity.minutes(100, 400);
    const Head head = entity.store->head();
    CHECK(head.resolutions[0].tiles.size() <= kOpenTiles + 2 * kApartTiles);
    for (std::int64_t m = 400; m <= 404; ++m) CHECK(entity.read(head, m) == Answers{411 - m, 461 - m});
    CHECK(entity.read(head, 600) == Answers{-1, -1});
    CHECK(entity.read(head, 380) == Answers{-1, -1});
}

TEST_CASE("an unfolded head serves any time for which tiles are kept") {
    Counts entity;
    entity.minutes(100, 400);
    const Head head = entity.unfolded();
    for (std::int64_t m = 400; m < 460; ++m)
        CHECK(entity.read(head, m) == Answers{std::max<std::int64_t>(0, 411 - m), 461 - m});
    CHECK(entity.read(head, 461) == Answers{-2, -2});
}

TEST_CASE("a flush hands out the chunk of the tiles it seals and no other") {
    Counts entity;
    entity.minutes(64, 100);
    entity.event_at(101);
    CHECK(entity.flush() == std::vector<EntityWindows::ChunkId>{{0, 1}});
    CHECK(entity.flush().empty());
    entity.event_at(101);
    CHECK(entity.flush().empty());
    entity.minutes(102, 200);
    entity.event_at(150);  // late, in a sealed tile
    CHECK(entity.flush() == std::vector<EntityWindows::ChunkId>{{0, 2}});
    CHECK(entity.read(entity.store->head(), 200) == Answers{11, 62});
}

TEST_CASE("a chunk whose tiles the clock has left behind is handed out empty") {
    Counts entity;
    entity.minutes(64, 160);
    entity.event_at(1000);
    const auto changed = entity.flush();
    CHECK(changed == std::vector<EntityWindows::ChunkId>{{0, 1}, {0, 2}});
    for (const auto& chunk : changed) CHECK(entity.windows->sealed_tiles(chunk).empty());
    CHECK(entity.store->chunks().empty());
    CHECK(entity.read(entity.store->head(), 1000) == Answers{1, 1});
}

TEST_CASE("tiles of chunks that the head does not call sealed are ignored") {
    Counts entity;
    entity.minutes(100, 200);
    Head head = entity.store->head();
    std::vector<Chunk> chunks = entity.store->chunks();
    const TileNumber sealed_to = head.resolutions[0].sealed_to;
    chunks.back().tiles.push_back(copy_of(chunks.back().tiles.back()));
    chunks.back().tiles.back().number = sealed_to + 1;
    unfold(head, std::move(chunks));
    CHECK(head.resolutions[0].stored_to == sealed_to);
    CHECK(entity.read(head, 200) == Answers{11, 61});
}

TEST_CASE("an event at or below the stamp is a duplicate, one behind every kept tile is late") {
    Counts entity;
    entity.minutes(100, 200);
    CHECK(entity.windows->add(*entity.plan, {Timestamp{200min}, Offset{50}, entity.clock, {}}) ==
          EntityWindows::Outcome::duplicate);
    CHECK(entity.event_at(140) == EntityWindows::Outcome::counted);
    CHECK(entity.event_at(139) == EntityWindows::Outcome::late);
    CHECK(entity.windows->stamp().offset == Offset{101});
}

TEST_CASE("without partials an entity is missing") {
    const Counts entity;
    const std::size_t features[] = {0, 1};
    CHECK(entity.reader->serves({}, Timestamp{}, features));
    const auto& answer = entity.reader->read({}, Timestamp{}, features);
    CHECK(answer.missing);
    CHECK(answer.values.size() == 2);
}

TEST_CASE("a read adds what several partitions contributed") {
    Counts one, other;
    one.minutes(100, 200);
    other.minutes(150, 203);
    const Head a = one.store->head();
    const Head b = other.store->head();
    const Head* heads[] = {&a, &b};
    const std::size_t features[] = {0, 1};
    const Timestamp t{203min};
    REQUIRE(one.reader->serves(heads, t, features));
    const auto& answer = one.reader->read(heads, t, features);
    CHECK(answer.newest == Timestamp{203min});
    CHECK(std::get<std::int64_t>(answer.values[0].value) == 8 + 11);
    CHECK(std::get<std::int64_t>(answer.values[1].value) == 58 + 54);
}
