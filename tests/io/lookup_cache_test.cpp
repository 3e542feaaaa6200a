// Answers that are given again, by a server over a real Redis whose values change behind its back.
#include <doctest/doctest.h>

#include "support/lookup_for_tests.hpp"

namespace freshet::testing {
namespace {

class CachingFixture : public LookupFixture {
public:
    CachingFixture() {
        options.cache_bytes = 1 << 20;
        allow("spend", 1h);
    }
    void allow(const std::string& view, Duration cache_for) {
        for (View& one : definitions.views)
            if (one.name == view) one.freshness.cache_for = cache_for;
    }
    void store_all(std::int64_t amount) {
        for (const char* entity : {"a", "b", "c"}) store("spend", entity, {{kNoon, amount}});
    }
};

TEST_CASE_FIXTURE(CachingFixture, "an answer is given again, until it is too old") {
    allow("now", 1ms);
    store_all(5);
    record_all(kNoon);
    TestClient c(port());
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h") == "[5]");
    store_all(7);
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h") == "[5]");
    CHECK(c("FS.GET spend b FEATURES 1 spent_1h") == "[7]");
    CHECK(observer.cache_hits == 1);
    CHECK(observer.cache_misses == 2);

    store("now", "a", {{from_unix_ms(redis_ms()), 1}});
    CHECK(c("FS.GET now a FEATURES 1 spent_1h") == "[1]");
    store("now", "a", {{from_unix_ms(redis_ms()), 2}});
    CHECK(becomes_true([&] { return c("FS.GET now a FEATURES 1 spent_1h") == "[2]"; }));
}

TEST_CASE_FIXTURE(CachingFixture, "a view without cache_for is read each time") {
    store("pairs", "a|NL", {{kNoon, 5}});
    record_all(kNoon);
    TestClient c(port());
    CHECK(c("FS.GET pairs a NL FEATURES 1 spent_1h") == "[5]");
    store("pairs", "a|NL", {{kNoon, 7}});
    CHECK(c("FS.GET pairs a NL FEATURES 1 spent_1h") == "[7]");
    CHECK(observer.cache_hits + observer.cache_misses == 0);
}

TEST_CASE_FIXTURE(CachingFixture, "kept rows and read ones stand in the order asked for") {
    store_all(5);
    record_all(kNoon);
    TestClient c(port());
    CHECK(c("FS.MGET spend 1 b FEATURES 1 spent_1h") == "[[5]]");
    store_all(7);
    CHECK(c("FS.MGET spend 4 a b nobody c FEATURES 1 spent_1h") == "[[7] [5] [nil] [7]]");
    CHECK(c("FS.MGET spend 3 c b a FEATURES 1 spent_1h") == "[[7] [5] [7]]");
    CHECK(c("FS.GET spend b FEATURES 1 spent_1h") == "[5]");
    CHECK(c("FS.VECTOR cards KEYS 1 card ROWS 2 a b") == "[[1 \"0.0\"] [1 \"0.0\"]]");
}

TEST_CASE_FIXTURE(CachingFixture, "answers that look different are kept apart") {
    store_all(5);
    record_all(kNoon);
    TestClient c(port());
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h") == "[5]");
    store_all(7);
    CHECK(c("FS.GET spend a FEATURES 2 spent_1h payments_5m") == "[7 1]");
    CHECK(c("FS.GET spend a").starts_with("[\"payments_5m\" 1 \"spent_1h\" 7 "));
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h META").starts_with("[[7] [\"fresh\"] "));
    CHECK(c("HELLO 3").starts_with("-") == false);
    const std::string double_of_v3 = "*1\r\n,0.0\r\n";
    CHECK(TestClient(port()).bytes_of("FS.GET spend a FEATURES 1 mean_price_1h", "*1\r\n$3\r\n0.0\r\n") ==
          "*1\r\n$3\r\n0.0\r\n");
    CHECK(c.bytes_of("FS.GET spend a FEATURES 1 mean_price_1h", double_of_v3) == double_of_v3);
}

TEST_CASE_FIXTURE(CachingFixture, "what asks for a time, for the newest or for an event of its own is read") {
    store_all(5);
    record_all(kNoon);
    TestClient c(port());
    const std::string get = "FS.GET spend a FEATURES 1 spent_1h";
    CHECK(c(get) == "[5]");
    store_all(7);
    CHECK(c(get + " AT " + std::to_string(unix_ms(kNoon))) == "[7]");
    CHECK(c.ask({"FS.GET", "spend", "a", "FEATURES", "1", "spent_1h", "WITH",
                 R"({"card": "a", "amount": 1})"}) == "[8]");
    CHECK(c(get + " AFTER 0:999 WAIT 1").starts_with("-BUSY"));
    CHECK(c(get) == "[5]");
}

TEST_CASE_FIXTURE(CachingFixture, "the staleness is that of what was read, and goes on growing") {
    store_all(5);
    const auto set_watermark = [&](Duration ago) {
        record(0, 1, {{"spend", progress("spend", kNoon, from_unix_ms(redis_ms()) - ago)}});
    };
    set_watermark(2s);
    TestClient c(port());
    const auto staleness = [&] {
        const std::string reply = c("FS.GET spend a FEATURES 1 spent_1h META");
        CHECK(reply.starts_with("[[5] [\"fresh\"] "));
        CHECK(reply.ends_with(" " + std::to_string(unix_ms(kNoon)) + "]"));
        return std::stoll(reply.substr(std::string("[[5] [\"fresh\"] ").size()));
    };
    const auto first = staleness();
    CHECK(first >= 2000);
    store_all(7);
    set_watermark(0s);
    const auto asked = redis_ms();
    CHECK(becomes_true([&] { return redis_ms() >= asked + 20; }));
    CHECK(staleness() >= first + 20);
    CHECK(observer.cache_hits == 1);
}

TEST_CASE_FIXTURE(CachingFixture, "a row is given again only while all features that it holds are fresh") {
    for (View& view : definitions.views)
        if (view.name == "spend") view.features[0].freshness.max_staleness = 5s;  // payments_5m
    store_all(5);
    record(0, 1, {{"spend", progress("spend", kNoon, from_unix_ms(redis_ms()) - 20s)}});
    TestClient c(port());
    const auto ask = [&](const std::string& feature) { return c("FS.GET spend a FEATURES 1 " + feature); };
    CHECK(ask("payments_5m") == "[1]");
    CHECK(ask("spent_1h") == "[5]");
    store("spend", "a", {{kNoon, 3}, {kNoon, 4}});
    CHECK(ask("payments_5m") == "[2]");
    CHECK(ask("spent_1h") == "[5]");  // has no limit
    CHECK(observer.cache_hits == 1);
}

TEST_CASE_FIXTURE(CachingFixture, "what is stale, or has become so, is read") {
    allow("now", 59min);
    const auto set_watermark = [&](Duration ago) {
        record(0, 1, {{"now", progress("now", kNoon, from_unix_ms(redis_ms()) - ago)}});
    };
    const std::string get = "FS.GET now a FEATURES 1 spent_1h META";
    store("now", "a", {{from_unix_ms(redis_ms()), 5}});
    set_watermark(2h);
    TestClient c(port());
    CHECK(c(get).starts_with("[[5] [\"stale\"]"));
    store("now", "a", {{from_unix_ms(redis_ms()), 6}});
    CHECK(c(get).starts_with("[[6] [\"stale\"]"));
    set_watermark(1h - 500ms);
    CHECK(becomes_true([&] { return c(get).starts_with("[[6] [\"fresh\"]"); }));
    store("now", "a", {{from_unix_ms(redis_ms()), 7}});
    CHECK(becomes_true([&] { return c(get).starts_with("[[7] [\"stale\"]"); }));
}

TEST_CASE_FIXTURE(CachingFixture, "an entity that is missing is asked for again") {
    record_all(kNoon);
    TestClient c(port());
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h") == "[nil]");
    store_all(5);
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h") == "[5]");
}

}  // namespace
}  // namespace freshet::testing
