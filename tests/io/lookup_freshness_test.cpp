// How old what is served may be, how old it is, and who is told.
#include <algorithm>

#include "support/lookup_for_tests.hpp"

using namespace freshet;
using namespace freshet::testing;

TEST_CASE_FIXTURE(LookupFixture,
                  "FS.FRESHNESS tells how stale a view or a feature is, and whether that is fresh") {
    const auto now = from_unix_ms(redis_ms());
    const auto all = [&](Timestamp strict) {
        std::map<std::string, ViewProgress> views;
        for (const View& view : definitions.views)
            views[view.name] = progress(view.name, kNoon, view.name == "strict" ? strict : now - 2h);
        return views;
    };
    record(0, 1, all(now - 6s));
    TestClient c(port());
    CHECK(c("FS.FRESHNESS strict").starts_with("[6"));
    CHECK(c("FS.FRESHNESS strict").ends_with(" 0]"));      // its own max_staleness is 5 s
    CHECK(c("FS.FRESHNESS strict 600").ends_with(" 1]"));  // this one comes first
    CHECK(c("FS.FRESHNESS strict.spent_1h 5.5").ends_with(" 0]"));
    CHECK(c("FS.FRESHNESS spend").starts_with("[72"));
    CHECK(c("FS.FRESHNESS spend.spent_1h").ends_with(" nil]"));  // neither has one
    const std::string every = c("FS.FRESHNESS 600");
    CHECK(every.starts_with("[\"spend\" [72"));
    CHECK(every.find(" 0] \"strict\" [6") != std::string::npos);
    CHECK(every.find(" 1] \"hiding\" [72") != std::string::npos);
    CHECK(c("FS.FRESHNESS strct") == "-NOVIEW no view 'strct'; did you mean 'strict'?");
    CHECK(c("FS.FRESHNESS a b c") == "-ERR wrong number of arguments for 'fs.freshness' command");
}

TEST_CASE_FIXTURE(LookupFixture, "what is not known to be fresh is not fresh") {
    options.max_record_age = 0ms;
    const auto now = from_unix_ms(redis_ms());
    record(0, 2, {{"strict", progress("strict", kNoon, now)}});
    TestClient c(port());
    CHECK(c("FS.FRESHNESS strict 600") == "[nil 0]");  // the other partition has no record
    record(1, 2, {{"strict", progress("strict", kNoon, now)}});
    CHECK(c("FS.FRESHNESS strict 600").ends_with(" 1]"));
    auto foreign = progress("strict", kNoon, now);
    foreign.fingerprint ^= 1;
    record(1, 2, {{"strict", foreign}});
    CHECK(c("FS.FRESHNESS strict 600") == "[nil 0]");
    command({"FLUSHALL"});
    CHECK(c("FS.FRESHNESS strict 600") == "[nil 0]");
    redis()->stop();
    CHECK(becomes_true([&] { return c("FS.FRESHNESS strict").starts_with("-UNAVAILABLE redis "); }));
}

TEST_CASE_FIXTURE(LookupFixture, "FS.STATUS holds the node's own lines too") {
    status = [] { return std::vector<std::pair<std::string, std::string>>{{"partition payments/0", "owned"}}; };
    record_all(kNoon);
    TestClient c(port());
    const std::string reply = c("FS.STATUS");
    CHECK(reply.find("\"view spend@1\" \"1 partitions, ") != std::string::npos);
    CHECK(reply.ends_with("\"partition payments/0\" \"owned\"]"));
}

TEST_CASE_FIXTURE(LookupFixture,
                  "a view that falls behind is told of, with what holds it back, until it is fresh again") {
    const auto count_to = [&](Duration behind, std::int32_t partition = 0) {
        record(partition, 2, {{"strict", progress("strict", kNoon, from_unix_ms(redis_ms()) - behind)}});
    };
    count_to(0s);
    count_to(7s, 1);
    TestClient c(port());
    const auto tells = [&](std::string_view text) { return c("FS.STATUS").find(text) != std::string::npos; };
    CHECK(becomes_true([&] { return tells("\"objective strict\" \"in breach since "); }));
    CHECK(tells(" ms behind, may be 5000 ms; in breach 100.0 % of 5 m, "));
    CHECK(tells("; furthest behind is payments/1, last counted by node "));
    CHECK(tells("\"transition 1\" \"2"));
    const auto is_fresh_again = [&] {
        count_to(0s);
        count_to(0s, 1);
        return tells("view strict is fresh again, after ");
    };
    CHECK(becomes_true(is_fresh_again));
    CHECK(tells("\"objective strict\" \"kept; "));
    CHECK(tells("\"transition 2\" \"2"));
    redis()->stop();
    CHECK(becomes_true([&] { return tells("staleness not known, may be 5000 ms"); }));
    CHECK(observer.errors == 0);
}

namespace {

// `pairs` may be 60 s stale; of its features `payments_5m` 5 s, as `on_breach` says then.
class FeatureFreshnessFixture : public LookupFixture {
public:
    void limit(OnBreach on_breach, Scalar otherwise = {}) {
        View& pairs = *std::ranges::find(definitions.views, "pairs", &View::name);
        pairs.freshness.max_staleness = 60s;
        pairs.features[0].freshness = {5s, on_breach};
        pairs.features[0].otherwise = std::move(otherwise);
        store("pairs", "ann|NL", {{kNoon, 30}, {kNoon, 12}});
    }
    void count_to(Duration behind) {
        record(0, 1, {{"pairs", progress("pairs", kNoon, from_unix_ms(redis_ms()) - behind)}});
    }
};

}  // namespace

TEST_CASE_FIXTURE(FeatureFreshnessFixture,
                  "a feature with a limit of its own is stale before the others of its view") {
    limit(OnBreach::flag);
    count_to(0s);
    TestClient c(port());
    CHECK(c("FS.GET pairs ann NL META")
              .starts_with("[[\"payments_5m\" 2 \"spent_1h\" 42] [\"fresh\" \"fresh\"] "));
    count_to(20s);
    const std::string flagged = "[[\"payments_5m\" 2 \"spent_1h\" 42] [\"stale\" \"fresh\"] 20";
    CHECK(becomes_true([&] { return c("FS.GET pairs ann NL META").starts_with(flagged); }));
    CHECK(c("FS.FRESHNESS pairs").ends_with(" 1]"));
    CHECK(c("FS.FRESHNESS pairs.spent_1h").ends_with(" 1]"));
    CHECK(c("FS.FRESHNESS pairs.payments_5m").ends_with(" 0]"));
    CHECK(c("FS.FRESHNESS pairs.payments_5m 30").ends_with(" 1]"));
    count_to(90s);
    const std::string both = "[[2 42] [\"stale\" \"stale\"] ";
    CHECK(becomes_true(
        [&] { return c("FS.GET pairs ann NL META FEATURES 2 payments_5m spent_1h").starts_with(both); }));
}

TEST_CASE_FIXTURE(FeatureFreshnessFixture,
                  "a stale feature gives null, its default or an error, and the others their values") {
    const auto begin = [&](OnBreach on_breach, Scalar otherwise) {
        limit(on_breach, std::move(otherwise));
        count_to(20s);
    };
    SUBCASE("null") {
        begin(OnBreach::null, Scalar{std::int64_t{7}});
        TestClient c(port());
        CHECK(c("FS.GET pairs ann NL") == "[\"payments_5m\" nil \"spent_1h\" 42]");
        CHECK(c("FS.MGET pairs 1 ann NL FEATURES 2 spent_1h payments_5m") == "[[42 nil]]");
        CHECK(c("FS.VECTOR ranking KEYS 2 card country ROWS 1 ann NL") == "[[nil nil nil nil 42]]");
    }
    SUBCASE("default") {
        begin(OnBreach::default_value, Scalar{std::int64_t{7}});
        TestClient c(port());
        CHECK(c("FS.GET pairs ann NL META")
                  .starts_with("[[\"payments_5m\" 7 \"spent_1h\" 42] [\"stale\" \"fresh\"] "));
        CHECK(c("FS.GET pairs ann NL ENCODING json").find("[7,42]") != std::string::npos);
        const std::string told = c("FS.VIEWS pairs");
        CHECK(told.find("\"max_staleness_ms\" 5000 \"on_breach\" \"default\" \"default\" 7]") !=
              std::string::npos);
    }
    SUBCASE("error") {
        begin(OnBreach::error, {});
        TestClient c(port());
        const std::string refused = c("FS.GET pairs ann NL");
        CHECK(refused.starts_with("-STALE feature pairs.payments_5m is 20"));
        CHECK(refused.ends_with(" ms behind, max_staleness is 5000 ms"));
        CHECK(c("FS.GET pairs ann NL FEATURES 1 spent_1h") == "[42]");
        CHECK(c("FS.MGET pairs 1 ann NL") == "[[\"payments_5m\" nil \"spent_1h\" 42]]");
    }
}

TEST_CASE_FIXTURE(FeatureFreshnessFixture, "the objective of a feature is told of beside its view's") {
    limit(OnBreach::flag);
    count_to(20s);
    TestClient c(port());
    const auto tells = [&](std::string_view text) { return c("FS.STATUS").find(text) != std::string::npos; };
    CHECK(becomes_true([&] { return tells("\"objective pairs.payments_5m\" \"in breach since "); }));
    CHECK(tells(" feature pairs.payments_5m is in breach: "));
    CHECK(tells("\"objective pairs\" \"kept; "));
}
