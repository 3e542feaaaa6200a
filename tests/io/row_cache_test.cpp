#include "io/lookup/row_cache.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>

#include "support/lookup_for_tests.hpp"

namespace freshet::testing {
namespace {

constexpr RowCache::Clock::time_point kEver = RowCache::Clock::time_point::min();

RowCache::Row row(std::string_view before, std::string_view behind = {}, int second = 0) {
    return {before, behind, kNoon, kNoon + 1s, RowCache::Clock::time_point(std::chrono::seconds(second))};
}

// Views of which `spend` allows its rows to be kept, and a query of it.
struct Kept {
    LookupCatalogue catalogue{[] {
        Definitions definitions = payment_views();
        definitions.views.front().freshness.cache_for = 1h;
        return definitions;
    }()};
    LookupQuery query;
    RowCache cache{1 << 20};

    Kept() { query.view = catalogue.find("spend"); }
};

TEST_CASE("a row is found by its shape and entity, as it was put") {
    RowCache cache(1 << 20);
    CHECK(!cache.find(0, "a", kEver));
    cache.put(0, "a", row("before", "behind", 7));
    cache.put(1, "a", row("other"));
    cache.put(0, "", row("empty"));
    const auto found = cache.find(0, "a", kEver);
    REQUIRE(found);
    CHECK(found->before == "before");
    CHECK(found->behind == "behind");
    CHECK(found->watermark == kNoon);
    CHECK(found->redis_now == kNoon + 1s);
    CHECK(found->read.time_since_epoch() == 7s);
    CHECK(cache.find(1, "a", kEver)->before == "other");
    CHECK(cache.find(0, "", kEver)->before == "empty");
    CHECK(!cache.find(2, "a", kEver));
    CHECK(!cache.find(0, "b", kEver));
}

TEST_CASE("a row that is too old is not found, and one that is put again is the newer one") {
    RowCache cache(1 << 20);
    cache.put(0, "a", row("old", {}, 1));
    const auto two = RowCache::Clock::time_point(2s);
    CHECK(!cache.find(0, "a", two));
    cache.put(0, "a", row("new", {}, 2));
    CHECK(cache.find(0, "a", two)->before == "new");
}

TEST_CASE("what is found is what was put last, however much is put") {
    RowCache cache(64 * 1024);
    CHECK(cache.memory_bytes() <= 64 * 1024);
    std::mt19937 random(1);
    std::map<std::string, std::string> last;
    std::size_t found = 0;
    for (int i = 0; i < 50'000; ++i) {
        const std::string entity = "e" + std::to_string(random() % 500);
        if (const auto kept = cache.find(0, entity, kEver)) {
            ++found;
            REQUIRE(last.contains(entity));
            REQUIRE(kept->before == last[entity]);
            REQUIRE(kept->behind == entity);
        }
        last[entity] = std::string(random() % 300, static_cast<char>('a' + i % 26));
        cache.put(0, entity, row(last[entity], entity));
        REQUIRE(cache.find(0, entity, kEver)->before == last[entity]);
    }
    CHECK(found > 10'000);
}

TEST_CASE("a row that is large beside the cache is not kept, nor is anything in one of no size") {
    RowCache cache(64 * 1024);
    const std::string large(16 * 1024, 'x');
    cache.put(0, "a", row(large));
    CHECK(!cache.find(0, "a", kEver));
    RowCache none(0);
    CHECK(none.memory_bytes() == 0);
    CHECK(!none.shape_of(Kept().query, Resp::v2));
}

TEST_CASE_FIXTURE(Kept, "rows that look different are of different shapes") {
    query.features = {0, 1};
    const auto first = cache.shape_of(query, Resp::v2);
    REQUIRE(first);
    CHECK(cache.shape_of(query, Resp::v2) == first);
    CHECK(cache.shape_of(query, Resp::v3) != first);
    query.features = {1, 0};
    CHECK(cache.shape_of(query, Resp::v2) != first);
    query.features = {0, 1};
    query.meta = true;
    CHECK(cache.shape_of(query, Resp::v2) != first);
    query.meta = false;
    query.named = true;
    CHECK(cache.shape_of(query, Resp::v2) != first);
    query.named = false;
    CHECK(cache.shape_of(query, Resp::v2) == first);
    query.view = catalogue.find("pairs");
    CHECK(!cache.shape_of(query, Resp::v2));  // which allows none
}

TEST_CASE_FIXTURE(Kept, "there is an end to the number of shapes") {
    std::size_t shapes = 0;
    for (; shapes < 100'000; ++shapes) {
        query.features.push_back(0);
        if (!cache.shape_of(query, Resp::v2)) break;
    }
    CHECK(shapes == 256);
    query.features = {0};
    CHECK(cache.shape_of(query, Resp::v2) == 0);
}

}  // namespace
}  // namespace freshet::testing
