// How old what is served may be, how old it is, and who is told.
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
