// One entity through its life: events of several partitions, flushes, evictions and loads, and at every stop
// what is read from heads, from unfolded heads and from memory is compared with the brute force.
#pragma once

#include <doctest/doctest.h>

#include <deque>
#include <memory>

#include "model/brute_force.hpp"
#include "model/entity_windows.hpp"
#include "model/random_view.hpp"

namespace freshet::testing {

// How often what was met, so that a test may insist that the random cases reach what they are for.
struct RunCounts {
    std::size_t reads = 0;
    std::size_t from_heads = 0;
    std::size_t sealed_heads = 0;
    std::size_t late = 0;
    std::size_t loads = 0;
    std::size_t missing = 0;
};

// Store(source, plan) keeps a head and its chunks: save(windows, head, changed), head(), chunks().
template <class Store>
class EntityRun {
public:
    EntityRun(std::uint64_t seed, RunCounts& counts)
        : random_(seed),
          counts_(counts),
          made_(random_view(random_)),
          plan_(made_.source, made_.view),
          reader_(plan_) {
        for (std::size_t f = 0; f < plan_.features().size(); ++f) all_.push_back(f);
        const Timestamp start =
            from_unix_ms(one_of(random_, std::array<std::int64_t, 3>{0, -5'000'000, 1'714'557'600'000}));
        for (std::int32_t p = 0; p < between(random_, 1, 3); ++p)
            parts_.emplace_back(random_, made_, plan_, PartitionId{p}, start);
    }

    void run() {
        const std::int64_t steps = between(random_, 5, chance(random_, 10) ? 400 : 80);
        const int flush_percent = static_cast<int>(one_of(random_, std::array{5, 20, 60}));
        for (std::int64_t i = 0; i < steps; ++i) {
            Part& part = parts_[static_cast<std::size_t>(between(random_, 0, std::ssize(parts_) - 1))];
            add_event(part);
            if (!part.any || !chance(random_, flush_percent)) continue;
            flush(part);
            if (chance(random_, 30)) reload(part);
            if (chance(random_, 50)) check_reads();
        }
    }

private:
    struct Part {
        Part(Random& random, const RandomView& made, const ViewPlan& plan, PartitionId id, Timestamp start)
            : windows(plan, id, Generation{0}), store(made.source, plan), stream(random, made, id, start) {}
        EntityWindows windows;
        Store store;
        RandomStream stream;
        std::deque<StoredEvent> events;
        std::size_t flushed = 0;  // events that the stored head includes
        Timestamp newest{};       // of the events that counted
        bool any = false;
    };

    void add_event(Part& part) {
        const StoredEvent& e = part.events.emplace_back(part.stream.next());
        const auto outcome = part.windows.add(plan_, e.event());
        REQUIRE(outcome != EntityWindows::Outcome::duplicate);
        if (outcome == EntityWindows::Outcome::late) {
            ++counts_.late;
            for (const Feature& f : made_.view.features) REQUIRE(is_late(f, e));
            return;
        }
        part.newest = part.any ? std::max(part.newest, e.time) : e.time;
        part.any = true;
        REQUIRE(part.windows.newest() == part.newest);
        REQUIRE(part.windows.stamp() == Stamp{Generation{0}, e.offset});
        const auto any_index = static_cast<std::size_t>(between(random_, 0, std::ssize(part.events) - 1));
        REQUIRE(part.windows.add(plan_, part.events[any_index].event()) == EntityWindows::Outcome::duplicate);
    }

    bool is_late(const Feature& f, const StoredEvent& e) const {
        if (!f.window) return false;
        const Timestamp oldest = e.clock - *f.window - made_.view.retain - made_.source.max_future;
        return floor_of(unix_ms(e.time), f.hop.count()) < floor_of(unix_ms(oldest), f.hop.count());
    }

    void flush(Part& part) {
        HeadView view;
        std::vector<EntityWindows::ChunkId> changed;
        const Timestamp clock = part.events.back().clock;
        part.windows.flush(plan_, clock, view, changed);
        part.store.save(part.windows, view, changed);
        part.flushed = part.events.size();
        for (const HeadView::Resolution& r : view.resolutions) counts_.sealed_heads += r.sealed_to != kNoTile;
        for (const Chunk& chunk : part.store.chunks())
            REQUIRE(!part.windows.sealed_tiles({chunk.resolution, chunk.number}).empty());
        // Only an entity whose newest event is itself late for some window may need its chunks right after a
        // flush.
        if (part.newest < clock - made_.view.retain) return;
        const Head head = part.store.head();
        const Head* one[] = {&head};
        for (std::int64_t hops = 0; hops < 4; ++hops)
            REQUIRE(reader_.serves(one, part.newest + hops * shortest_hop(), all_));
    }

    // As after an eviction: the entity goes on from what is stored.
    void reload(Part& part) {
        ++counts_.loads;
        part.windows = EntityWindows(plan_, unfolded_of(part));
    }

    Head unfolded_of(Part& part) {
        Head head = part.store.head();
        unfold(head, part.store.chunks());
        return head;
    }

    void check_reads() {
        std::vector<Head> folded, unfolded, mixed, in_memory;
        Events stored, all;
        Timestamp clock = Timestamp::min();
        for (Part& part : parts_) {
            if (part.any) in_memory.push_back(part.windows.unfolded());
            for (const StoredEvent& e : part.events) all.push_back(&e);
            if (part.flushed == 0) continue;
            folded.push_back(part.store.head());
            unfolded.push_back(unfolded_of(part));
            mixed.push_back(chance(random_, 50) ? part.store.head() : unfolded_of(part));
            for (std::size_t i = 0; i < part.flushed; ++i) stored.push_back(&part.events[i]);
            clock = std::max(clock, part.events[part.flushed - 1].clock);
        }
        for (int i = 0; i < 3; ++i) {
            const Timestamp t = legal_time(clock);
            check_read(folded, stored, t, false);
            check_read(mixed, stored, t, false);
            check_read(unfolded, stored, t, true);
        }
        for (const StoredEvent* e : all) clock = std::max(clock, e->clock);
        check_read(in_memory, all, legal_time(clock), true);
    }

    Timestamp legal_time(Timestamp clock) {
        const Feature& f = one_of(random_, made_.view.features);
        const std::int64_t length = f.window.value_or(f.hop).count();
        switch (between(random_, 0, 4)) {
            case 0:
                return clock;
            case 1:
                return clock + Duration{between(random_, 0, 3 * f.hop.count())};
            case 2:
                return clock + Duration{between(random_, 0, length * 3 / 2)};
            case 3:
                return clock - made_.view.retain;
            default:
                return clock - Duration{between(random_, 0, made_.view.retain.count())};
        }
    }

    void check_read(const std::vector<Head>& heads, const Events& events, Timestamp t, bool serves_all) {
        std::vector<const Head*> pointers;
        for (const Head& head : heads) pointers.push_back(&head);
        std::vector<std::size_t> served;
        for (const std::size_t f : all_)
            if (reader_.serves(pointers, t, std::span(&f, 1))) served.push_back(f);
        ++counts_.reads;
        counts_.from_heads += served.size() == all_.size();
        REQUIRE(reader_.serves(pointers, t, all_) == (served.size() == all_.size()));
        REQUIRE((!serves_all || served.size() == all_.size()));
        if (served.empty()) return;
        std::shuffle(served.begin(), served.end(), random_);
        const auto& answer = reader_.read(pointers, t, served);
        REQUIRE(answer.values.size() == served.size());
        REQUIRE(answer.missing == is_missing(made_.view, events, t));
        counts_.missing += answer.missing;
        for (std::size_t i = 0; i < served.size(); ++i) {
            const Feature& f = made_.view.features[served[i]];
            if (answer.missing) {
                REQUIRE(answer.values[i].value.index() == 0);
                continue;
            }
            const Events taken = taken_by(f, events, t);
            const FieldType type = f.field ? made_.source.fields[*f.field].type : FieldType::boolean;
            if (Expected(f, type, taken).agrees(answer.values[i])) continue;
            FAIL(name_of(f.function), " over ", taken.size(), " events, window ",
                 f.window.value_or(Duration{}).count(), " hop ", f.hop.count(), " at ", unix_ms(t), " of ",
                 heads.size(), " heads");
        }
    }

    Duration shortest_hop() const {
        Duration shortest = made_.view.features.front().hop;
        for (const Feature& f : made_.view.features) shortest = std::min(shortest, f.hop);
        return shortest;
    }

    Random random_;
    RunCounts& counts_;
    RandomView made_;
    ViewPlan plan_;
    FeatureReader reader_;
    std::vector<std::size_t> all_;
    std::deque<Part> parts_;
};

}  // namespace freshet::testing
