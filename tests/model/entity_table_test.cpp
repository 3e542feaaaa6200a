#include "model/entity_table.hpp"

#include <doctest/doctest.h>

#include <map>

#include "model/copied_store.hpp"
#include "model/memory_budget.hpp"
#include "model/random_view.hpp"

using namespace freshet;
using namespace freshet::testing;
using namespace std::chrono_literals;

namespace {

// A table over a store in memory, fed with batches of touches.
class Table {
public:
    explicit Table(std::uint64_t seed) : random_(seed), made_(random_view(random_)) {
        plan_ = std::make_shared<ViewPlan>(made_.source, made_.view);
        table_ =
            std::make_unique<EntityTable>(EntityTable::Plans{plan_}, PartitionId{0}, Generation{0}, Offset{0});
        stream_ =
            std::make_unique<RandomStream>(random_, made_, PartitionId{0}, from_unix_ms(1'714'557'600'000));
    }

    // Events of random entities among `names`.
    void batch(std::size_t events, std::int64_t names, bool more = false, Duration behind = 1h) {
        auto batch = std::make_shared<EventBatch>();
        std::vector<StoredEvent> made;
        for (std::size_t i = 0; i < events; ++i) {
            made_events_.push_back(std::make_unique<StoredEvent>(stream_->next()));
            const Event event = made_events_.back()->event();
            batch->events.push_back({event.time, Offset{next_++}, event.clock, event.fields});
            batch->clock = event.clock;
        }
        batch->touches.resize(1);
        for (std::uint32_t i = 0; i < events; ++i)
            batch->touches[0].push_back(
                {i, 0,
                 batch->strings.copy("entity-with-a-long-name-" + std::to_string(between(names_, 0, names)))});
        batch->next = Offset{next_};
        batch->recorded_clock = recorded_clock_;
        batch->more = more;
        batch->behind = behind;
        table_->apply(batch, batch->touches[0]);
    }
    void load() {
        for (const EntityKey& key : table_->take_loads()) {
            ++loads_;
            const auto stored = stores_.find(key.name);
            if (stored == stores_.end()) {
                table_->loaded(key, std::nullopt);
                continue;
            }
            Head head = stored->second.head();
            unfold(head, stored->second.chunks());
            table_->loaded(key, std::move(head));
        }
    }
    void begin_flush() {
        HeadView view;
        std::vector<EntityWindows::ChunkId> changed;
        table_->take_flush([&](std::uint32_t, const std::string& name, EntityWindows& windows) {
            windows.flush(*plan_, table_->recorded_clock(), view, changed);
            stores_.try_emplace(name, made_.source, *plan_).first->second.save(windows, view, changed);
        });
    }
    void flush_all() {
        for (; table_->dirty() > 0; table_->flushed()) begin_flush();
        recorded_clock_ = table_->clock();
    }

    EntityTable& operator*() { return *table_; }
    EntityTable* operator->() { return table_.get(); }
    std::int64_t next() const { return next_; }
    std::size_t loads() const { return loads_; }

    // All that is stored, read as of the clock.
    std::map<std::string, std::vector<std::string>> values() {
        std::map<std::string, std::vector<std::string>> all;
        FeatureReader reader(*plan_);
        std::vector<std::size_t> features(plan_->features().size());
        for (std::size_t f = 0; f < features.size(); ++f) features[f] = f;
        for (const auto& [name, store] : stores_) {
            Head head = store.head();
            unfold(head, store.chunks());
            const Head* one[] = {&head};
            for (const FeatureValue& value : reader.read(one, table_->clock(), features).values)
                all[name].push_back(text_of(value));
        }
        return all;
    }

private:
    static std::string text_of(const FeatureValue& value) {
        return std::visit(
            []<class T>(const T& v) -> std::string {
                if constexpr (std::is_same_v<T, std::monostate>) return "null";
                if constexpr (std::is_same_v<T, std::string>) return v;
                if constexpr (std::is_arithmetic_v<T>) return std::to_string(v);
            },
            value.value);
    }

    Random random_;
    Random names_{42};
    RandomView made_;
    std::shared_ptr<const ViewPlan> plan_;
    std::unique_ptr<EntityTable> table_;
    std::unique_ptr<RandomStream> stream_;
    std::vector<std::unique_ptr<StoredEvent>> made_events_;
    std::map<std::string, CopiedStore> stores_;
    std::optional<Timestamp> recorded_clock_;
    std::int64_t next_ = 0;
    std::size_t loads_ = 0;
};

}  // namespace

TEST_CASE("with eviction the same is stored as without") {
    std::size_t evicted = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        CAPTURE(seed);
        Table all(seed), few(seed);
        Random choice(seed);
        for (int step = 0; step < 40; ++step) {
            for (Table* table : {&all, &few}) {
                table->batch(30, 25);
                table->load();
                table->flush_all();
            }
            evicted += few->evict(static_cast<std::size_t>(between(choice, 0, 20'000)));
        }
        REQUIRE(few->size() <= all->size());
        REQUIRE(few.values() == all.values());
        REQUIRE(few->safe() == all->safe());
    }
    CHECK(evicted > 10'000);
}

TEST_CASE("what is changed, being stored or waiting is not evicted") {
    Table table(1);
    table.batch(100, 30);
    constexpr std::size_t kAll = 1 << 30;
    CHECK(table->evict(kAll) == 0);  // they wait to be loaded
    table.load();
    CHECK(table->evict(kAll) == 0);  // they are changed
    table.begin_flush();
    CHECK(table->evict(kAll) == 0);  // they are being stored
    table->flushed();
    const std::size_t entities = table->size();
    CHECK(table->evict(kAll) + table->evict(kAll) == entities);
    CHECK(table->size() == 0);
    CHECK(table->safe() == Offset{100});
}

TEST_CASE("where nearly all entities are at work none is looked for") {
    Table table(7);
    table.batch(200, 30);
    table.load();
    const std::size_t entities = table->size();
    table.flush_all();
    table.batch(2000, 30);
    REQUIRE(table->dirty() == entities);
    table.batch(1, 1'000'000);  // one that waits
    CHECK(table->evict(1 << 30) == 0);
    table.load();
    table.flush_all();
    CHECK(table->evict(1 << 30) + table->evict(1 << 30) == entities + 1);
}

TEST_CASE("what was touched again is evicted after what was not") {
    Table table(2);
    table.batch(200, 100);
    table.load();
    table.flush_all();
    for (int i = 0; i < 3; ++i) {  // a few of them
        table.batch(50, 10);
        table.load();
    }
    table.flush_all();
    const std::size_t loads = table.loads();
    while (table->size() > 40) REQUIRE(table->evict(1) + table->evict(1) > 0);
    table.batch(50, 10);
    table.load();
    CHECK(table.loads() == loads);
}

TEST_CASE("bytes are accounted for without drift") {
    Table table(3);
    const std::size_t empty = table->memory_bytes();
    std::size_t before = empty;
    for (int i = 0; i < 20; ++i) {
        table.batch(50, 40);
        table.load();
        table.flush_all();
    }
    CHECK(table->memory_bytes() > before + 40 * sizeof(EntityWindows));
    while (table->size() > 0) table->evict(1 << 30);
    // The index keeps its cells.
    CHECK(table->memory_bytes() < empty + 40 * 64);
}

TEST_CASE("in a backlog a flush waits for a span of offsets or a second, and else leaves at once") {
    Table table(4);
    const std::chrono::steady_clock::time_point start{};
    table.batch(10, 5, true);
    CHECK_FALSE(table->flush_due(100, start));  // nothing is counted yet
    table.load();
    CHECK_FALSE(table->flush_due(100, start));
    CHECK(table->flush_due(100, start + EntityTable::kLongestHold));
    CHECK(table->flush_due(10, start));
    table.batch(1, 5, false);
    CHECK(table->flush_due(100, start));
    table.begin_flush();
    CHECK_FALSE(table->flush_due(0, start + 1h));  // one is away
}

TEST_CASE("in a backlog of recent events a flush waits for a quarter of their age at most") {
    Table table(6);
    const std::chrono::steady_clock::time_point start{};
    table.batch(10, 5, true, 80ms);
    table.load();
    CHECK_FALSE(table->flush_due(100, start + 19ms));
    CHECK(table->flush_due(100, start + 20ms));
    table.batch(10, 5, true, 1h);  // it turns out to be an old one
    CHECK_FALSE(table->flush_due(100, start + EntityTable::kLongestHold - 1ms));
    table.batch(10, 5, true, 0ms);  // and now it is caught up with
    CHECK(table->flush_due(100, start));
}

TEST_CASE(
    "a flush and a load take so many at most, the oldest first, and what is left holds back the safe offset") {
    Table table(5);
    constexpr auto kEvents = 3 * EntityTable::kFlushEntities;
    for (std::size_t i = 0; i < kEvents; i += 512) table.batch(512, 1 << 30);
    std::size_t rounds = 0;
    for (; table->waiting() > 0; ++rounds) table.load();
    CHECK(rounds == (kEvents + EntityTable::kLoadEntities - 1) / EntityTable::kLoadEntities);
    CHECK(table->counted() == Offset{table.next()});
    CHECK(table->safe() == Offset{0});
    table.begin_flush();
    table->flushed();
    CHECK(table->safe() >= Offset{static_cast<std::int64_t>(EntityTable::kFlushEntities)});
    CHECK(table->safe() < Offset{table.next()});
    table.flush_all();
    CHECK(table->safe() == Offset{table.next()});
}

TEST_CASE("who holds memory gives back its part of what is too much") {
    auto budget = std::make_shared<MemoryBudget>(16'000);  // 10,000 are handed out, 9,375 without a claim
    MemoryBudget::Share one(budget);
    {
        MemoryBudget::Share other(budget);
        one.set(8'000);
        CHECK(budget->to_free(one.bytes()) == 0);
        other.set(2'000);
        CHECK(budget->exhausted());
        CHECK(budget->to_free(one.bytes()) == 1 + 625 * 8 / 10);
        CHECK(budget->to_free(other.bytes()) == 1 + 625 * 2 / 10);
    }
    CHECK(budget->used() == 8'000);
    CHECK_FALSE(budget->exhausted());
    CHECK_FALSE(MemoryBudget().exhausted());
    CHECK(MemoryBudget().to_free(1) == 0);
}
