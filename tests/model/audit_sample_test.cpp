#include "model/audit_sample.hpp"

#include <doctest/doctest.h>

#include <map>

#include "model/audit_compare.hpp"

using namespace freshet;
using namespace std::chrono_literals;

namespace {

// A count and a sum over an hour, of events at offsets 0, 1, 2 ...
struct Recount {
    Source source;
    std::shared_ptr<const ViewPlan> plan;
    Offset next{0};
    Timestamp now{24h};

    Recount() {
        source.fields = {{"amount", {"amount"}, FieldType::float64}};
        View view;
        for (const Function function : {Function::count, Function::sum, Function::stddev}) {
            Feature& feature = view.features.emplace_back();
            feature.name = std::string(name_of(function));
            feature.function = function;
            if (function != Function::count) feature.field = 0;
            feature.window = 1h;
            feature.hop = 1min;
        }
        plan = std::make_shared<const ViewPlan>(source, view);
    }
    AuditSample sample(std::size_t memory, std::uint64_t seed = 1) const {
        return {{plan}, {true}, PartitionId{0}, Generation{0}, seed, memory};
    }
    void event(AuditSample& sample, const std::string& entity, double amount = 1) {
        EventBatch batch;
        const Value value = amount;
        batch.events.push_back({now, next, now, std::span(&value, 1)});
        batch.touches.push_back({{0, 0, entity}});
        sample.count(batch);
        next = next.next();
    }
    FeatureAnswer answer(const AuditSample::Entity& entity) const {
        const Head head = entity.windows.unfolded();
        const Head* const heads[] = {&head};
        const std::size_t all[] = {0, 1, 2};
        return FeatureReader(*plan).read(heads, now, all);
    }
    std::optional<AuditDifference> difference(const FeatureAnswer& stored, const AuditSample::Entity& entity,
                                              bool presence = true) const {
        const std::size_t all[] = {0, 1, 2};
        return first_difference(*plan, all, presence, stored, answer(entity), entity);
    }
    std::int64_t count_of(AuditSample& sample, const std::string& name) const {
        const auto* entity = sample.find(0, name);
        return entity ? std::get<std::int64_t>(answer(*entity).values[0].value) : -1;
    }
};

std::string name(int i) { return "entity " + std::to_string(i); }

}  // namespace

TEST_CASE("a sample takes every entity while all fit") {
    Recount recount;
    AuditSample sample = recount.sample(1 << 20);
    for (int round = 0; round < 3; ++round)
        for (int i = 0; i < 100; ++i) recount.event(sample, name(i));
    CHECK(sample.size() == 100);
    CHECK(sample.one_in() == 1);
    CHECK(recount.count_of(sample, name(42)) == 3);
}

TEST_CASE("a sample that does not hold all stays within its memory, and counts what it holds whole") {
    Recount recount;
    AuditSample sample = recount.sample(100'000);
    for (int round = 0; round < 2; ++round)
        for (int i = 0; i < 2000; ++i) recount.event(sample, name(i));
    CHECK(sample.memory_bytes() <= 100'000);
    CHECK(sample.one_in() > 1);
    CHECK(sample.size() > 20);
    sample.for_each([&](std::uint32_t, const std::string& entity, AuditSample::Entity&) {
        CHECK(recount.count_of(sample, entity) == 2);
    });
}

TEST_CASE("another seed draws other entities, so that all have their turn") {
    std::map<std::string, int> drawn;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        Recount recount;
        AuditSample sample = recount.sample(40'000, seed);
        for (int i = 0; i < 200; ++i) recount.event(sample, name(i));
        CHECK(sample.one_in() > 1);
        sample.for_each(
            [&](std::uint32_t, const std::string& entity, AuditSample::Entity&) { ++drawn[entity]; });
    }
    CHECK(drawn.size() == 200);
}

TEST_CASE("a frozen sample adds no entity, and counts each as far as it is stored") {
    Recount recount;
    AuditSample sample = recount.sample(1 << 20);
    recount.event(sample, "a");
    recount.event(sample, "b");
    sample.freeze();
    sample.find(0, "a")->last = Offset{2};
    sample.find(0, "b")->last = Offset{1};
    recount.event(sample, "a");
    recount.event(sample, "a");
    recount.event(sample, "b");
    recount.event(sample, "c");
    CHECK(recount.count_of(sample, "a") == 2);
    CHECK(recount.count_of(sample, "b") == 1);
    CHECK(sample.find(0, "c") == nullptr);
}

TEST_CASE("views that are not wanted are not counted") {
    Recount recount;
    AuditSample sample({recount.plan}, {false}, PartitionId{0}, Generation{0}, 1, 1 << 20);
    recount.event(sample, "a");
    CHECK(sample.size() == 0);
}

TEST_CASE("equal answers do not differ, and a count that is one off does") {
    Recount recount;
    AuditSample sample = recount.sample(1 << 20);
    for (const double amount : {1.5, 2.5, 9.0}) recount.event(sample, "a", amount);
    const auto& entity = *sample.find(0, "a");
    FeatureAnswer stored = recount.answer(entity);
    CHECK_FALSE(recount.difference(stored, entity));
    stored.values[0].value = std::int64_t{4};
    const auto difference = recount.difference(stored, entity);
    REQUIRE(difference);
    CHECK(difference->feature == "count");
    CHECK(difference->stored == "4");
    CHECK(difference->recounted == "3");
}

TEST_CASE("sums of doubles may differ by rounding, relative to the magnitudes that were added") {
    Recount recount;
    AuditSample sample = recount.sample(1 << 20);
    for (const double amount : {1e9, -1e9, 0.5}) recount.event(sample, "a", amount);
    const auto& entity = *sample.find(0, "a");
    FeatureAnswer stored = recount.answer(entity);
    stored.values[1].value = 0.5 + 1.0;
    CHECK_FALSE(recount.difference(stored, entity));
    stored.values[1].value = 0.5 + 10.0;
    CHECK(recount.difference(stored, entity)->feature == "sum");
}

TEST_CASE("a deviation is compared by its square") {
    Recount recount;
    AuditSample sample = recount.sample(1 << 20);
    for (int i = 0; i < 3; ++i) recount.event(sample, "a", 1000);
    const auto& entity = *sample.find(0, "a");
    FeatureAnswer stored = recount.answer(entity);
    stored.values[2].value = 1e-3;
    CHECK_FALSE(recount.difference(stored, entity));
    stored.values[2].value = 1.0;
    CHECK(recount.difference(stored, entity)->feature == "stddev");
}

TEST_CASE("where a sum may have overflowed on the way it is not compared") {
    Recount recount;
    AuditSample sample = recount.sample(1 << 20);
    for (const double amount : {1e308, 1e308, -1e308}) recount.event(sample, "a", amount);
    const auto& entity = *sample.find(0, "a");
    FeatureAnswer stored = recount.answer(entity);
    CHECK(stored.values[1].overflow);
    stored.values[1] = {1e308, false};
    CHECK_FALSE(recount.difference(stored, entity));
}

TEST_CASE("an entity that is missing differs from one that is there") {
    Recount recount;
    AuditSample sample = recount.sample(1 << 20);
    recount.event(sample, "a");
    const auto& entity = *sample.find(0, "a");
    FeatureAnswer stored;
    stored.values.resize(3);
    CHECK(recount.difference(stored, entity)->feature == "missing");
    // Without a view of the whole longest window, missing is the same as without events.
    CHECK(recount.difference(stored, entity, false)->feature == "count");
    recount.now += 2h;
    CHECK_FALSE(recount.difference(stored, entity, false));
    CHECK_FALSE(recount.difference(stored, entity, true));
}
