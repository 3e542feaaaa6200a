// What look-ups answer, over a real Redis whose values and records were written by hand.
#include <doctest/doctest.h>

#include <limits>

#include "io/lookup/lookup_row.hpp"
#include "support/lookup_for_tests.hpp"

namespace freshet::testing {
namespace {

TEST_CASE_FIXTURE(LookupFixture, "a row is names and values, or the values in the order asked for") {
    store("spend", "a", {{kNoon - 30min, 5, 2.5, "DE", false}, {kNoon, 7, 0.5, "NL", true}});
    record_all(kNoon);
    TestClient c(port());
    CHECK(
        c("FS.GET spend a") ==
        "[\"payments_5m\" 1 \"spent_1h\" 12 \"mean_price_1h\" \"1.5\" \"last_country\" \"NL\" \"last_ok\" 1]");
    CHECK(c("fs.get spend a FEATURES 3 last_country spent_1h last_country") == "[\"NL\" 12 \"NL\"]");
    CHECK(c("FS.GET spend@1 a FEATURES 1 payments_5m") == "[1]");
}

TEST_CASE_FIXTURE(LookupFixture, "an entity that no event was counted for is missing") {
    store("spend", "a", {{kNoon, 7}});
    record_all(kNoon);
    TestClient c(port());
    CHECK(c("FS.GET spend nobody FEATURES 2 payments_5m spent_1h") == "[nil nil]");
    const std::string meta = c("FS.GET spend nobody FEATURES 1 payments_5m META");
    CHECK(meta.starts_with("[[nil] [\"missing\"] "));
    CHECK(meta.ends_with(" nil]"));
}

TEST_CASE_FIXTURE(LookupFixture, "many rows come in the order asked for") {
    for (int i = 0; i < 50; ++i) store("now", "e" + std::to_string(i), {{from_unix_ms(redis_ms()), i}});
    record_all(kNoon);
    TestClient c(port());
    std::vector<std::string> request{"FS.MGET", "now", "51"};
    std::string expected = "[";
    for (int i = 49; i >= 0; --i) {
        request.push_back("e" + std::to_string(i));
        expected += "[" + std::to_string(i) + "] ";
    }
    request.insert(request.end(), {"nobody", "FEATURES", "1", "spent_1h"});
    CHECK(c.ask(request) == expected + "[nil]]");
    CHECK(c("FS.MGET now 0") == "[]");
    CHECK(observer.entities == 51);
}

TEST_CASE_FIXTURE(LookupFixture, "the origins of an entity are merged") {
    store("spend", "a", {{kNoon - 1min, 5, 1, "DE"}}, 0);
    store("spend", "a", {{kNoon, 7, 2, "NL"}}, 1);
    const auto now = from_unix_ms(redis_ms());
    record(0, 2, {{"spend", progress("spend", kNoon - 1min, now)}});
    record(1, 2, {{"spend", progress("spend", kNoon, now)}});
    TestClient c(port());
    CHECK(c("FS.GET spend a FEATURES 3 payments_5m spent_1h last_country") == "[2 12 \"NL\"]");
}

TEST_CASE_FIXTURE(LookupFixture, "META tells the statuses, the staleness and the newest event") {
    store("spend", "a", {{kNoon, std::numeric_limits<std::int64_t>::max()}, {kNoon, 1}});
    const auto watermark = from_unix_ms(redis_ms() - 2000);
    record(0, 1, {{"spend", progress("spend", kNoon, watermark)}});
    TestClient c(port());
    const std::string reply = c("FS.GET spend a FEATURES 2 payments_5m spent_1h META");
    CHECK(reply.starts_with("[[2 nil] [\"fresh\" \"overflow\"] 2"));
    CHECK(reply.ends_with(" " + ms(kNoon) + "]"));
    CHECK(c("FS.MGET spend 1 a FEATURES 1 payments_5m META").starts_with("[[[2] [\"fresh\"] "));
    CHECK(c("FS.GET now a META")
              .starts_with("[[\"payments_5m\" nil \"spent_1h\" nil] [\"missing\" \"missing\"]"));
}

TEST_CASE_FIXTURE(LookupFixture, "an old watermark in one partition makes every value stale") {
    store("now", "a", {{from_unix_ms(redis_ms()), 1}});
    const auto now = from_unix_ms(redis_ms());
    record(0, 2, {{"now", progress("now", kNoon, now)}});
    record(1, 2, {{"now", progress("now", kNoon, now - 2h)}});
    TestClient c(port());
    CHECK(c("FS.GET now a FEATURES 1 spent_1h META").starts_with("[[1] [\"stale\"] 72"));
}

TEST_CASE_FIXTURE(LookupFixture,
                  "a partition without a record or a watermark makes values stale, by how much is not known") {
    options.max_record_age = 0ms;
    const auto now = from_unix_ms(redis_ms());
    store("spend", "a", {{kNoon, 1}});
    record(0, 2, {{"spend", progress("spend", kNoon, now)}});
    TestClient c(port());
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h META").starts_with("[[1] [\"stale\"] nil "));
    record(1, 2, {{"spend", progress("spend", std::nullopt, std::nullopt)}});
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h META").starts_with("[[1] [\"stale\"] nil "));
    record(1, 2, {{"spend", progress("spend", std::nullopt, now)}});
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h META").starts_with("[[1] [\"fresh\"] "));
}

TEST_CASE_FIXTURE(LookupFixture,
                  "an entity that is gone with all others is not called fresh by records read before") {
    options.max_record_age = 1h;
    store("spend", "a", {{kNoon, 1}});
    record(0, 1, {{"spend", progress("spend", kNoon, from_unix_ms(redis_ms()))}});
    TestClient c(port());
    CHECK(c("FS.GET spend a FEATURES 1 payments_5m META").starts_with("[[1] [\"fresh\"] "));
    CHECK(c("FS.MGET spend 2 a b FEATURES 1 payments_5m").starts_with("[[1] [nil]]"));
    command({"FLUSHALL"});
    CHECK(c("FS.GET spend a FEATURES 1 payments_5m META") == "[[nil] [\"missing\"] nil nil]");
    CHECK(c("FS.MGET spend 2 a b FEATURES 1 payments_5m META") ==
          "[[[nil] [\"missing\"] nil nil] [[nil] [\"missing\"] nil nil]]");
}

TEST_CASE_FIXTURE(LookupFixture, "partitions that a topic gains are seen") {
    options.max_record_age = 0ms;
    const auto now = from_unix_ms(redis_ms());
    store("spend", "a", {{kNoon, 1}});
    record(0, 1, {{"spend", progress("spend", kNoon, now)}});
    TestClient c(port());
    CHECK(c("FS.GET spend a FEATURES 1 payments_5m") == "[1]");
    record(0, 3, {{"spend", progress("spend", kNoon, now)}});
    record(1, 3, {{"spend", progress("spend", kNoon, now)}});
    record(2, 3, {{"spend", progress("spend", kNoon + 20min, now)}});
    CHECK(c("FS.GET spend a FEATURES 1 payments_5m META").starts_with("[[0] [\"fresh\"] "));
}

TEST_CASE_FIXTURE(LookupFixture, "a breach is an error, or hides the values, as the view says") {
    store("strict", "a", {{kNoon, 1}});
    store("hiding", "a", {{kNoon, 1}});
    const auto old = from_unix_ms(redis_ms() - 6000);
    record(0, 1, {{"strict", progress("strict", kNoon, old)}, {"hiding", progress("hiding", kNoon, old)}});
    TestClient c(port());
    CHECK(c("FS.GET strict a").starts_with("-STALE view strict is 6"));
    CHECK(c("FS.MGET strict 1 a FEATURES 1 spent_1h META").starts_with("[[[nil] [\"stale\"] 6"));
    CHECK(c("FS.GET hiding a FEATURES 1 spent_1h META").starts_with("[[nil] [\"stale\"] 6"));
}

TEST_CASE_FIXTURE(LookupFixture, "values are incomplete until the window has left what was not counted") {
    store("spend", "a", {{kNoon, 1}});
    auto progress = this->progress("spend", kNoon, from_unix_ms(redis_ms()));
    progress.since = kNoon - 10min;
    record(0, 1, {{"spend", progress}});
    TestClient c(port());
    CHECK(c("FS.GET spend a FEATURES 3 payments_5m spent_1h last_country META")
              .starts_with("[[1 1 \"NL\"] [\"fresh\" \"incomplete\" \"incomplete\"] "));
}

TEST_CASE_FIXTURE(LookupFixture,
                  "a view that is shed is incomplete, whatever is stored and however stale it is") {
    options.max_record_age = 0ms;
    const auto now = from_unix_ms(redis_ms());
    for (const std::string name : {"spend", "hiding"}) store(name, "a", {{kNoon, 1}});
    const auto count = [&](Timestamp watermark, std::optional<Timestamp> since) {
        std::map<std::string, ViewProgress> views;
        for (const View& view : definitions.views) {
            views[view.name] = progress(view.name, kNoon, watermark);
            views[view.name].since = since;
        }
        record(0, 1, views);
    };
    count(now, kSincePending);
    TestClient c(port());
    const std::string request = "FS.MGET spend 2 a nobody FEATURES 2 payments_5m spent_1h META";
    CHECK(c(request).starts_with("[[[1 1] [\"incomplete\" \"incomplete\"] "));
    CHECK(c(request).find("[[nil nil] [\"incomplete\" \"incomplete\"] ") != std::string::npos);
    CHECK(c("FS.STATUS").find("\"view spend@1\" \"1 partitions, ") != std::string::npos);
    CHECK(c("FS.STATUS").find(" ms behind, incomplete: 5 of 5 features\"") != std::string::npos);
    count(now - 6s, kSincePending);  // and a limit that is broken hides the value as ever
    CHECK(c("FS.GET hiding a FEATURES 1 spent_1h META").starts_with("[[nil] [\"incomplete\"] 6"));
    CHECK(c("FS.FRESHNESS strict").ends_with(" 0]"));
    count(now, kNoon - 10min);
    CHECK(c("FS.STATUS").find(" ms behind, incomplete: 4 of 5 features\"") != std::string::npos);
    count(now, kNoon - 2h);
    // The lifetime one.
    CHECK(c("FS.STATUS").find(" ms behind, incomplete: 1 of 5 features\"") != std::string::npos);
    CHECK(
        c("FS.GET spend a FEATURES 2 payments_5m spent_1h META").starts_with("[[1 1] [\"fresh\" \"fresh\"] "));
}

TEST_CASE_FIXTURE(LookupFixture, "AT reads as of a time within what is retained") {
    store("spend", "a", {{kNoon - 8min, 5}, {kNoon, 7}});
    record_all(kNoon);
    TestClient c(port());
    const auto at = [&](Timestamp t) {
        return c("FS.GET spend a FEATURES 2 payments_5m spent_1h AT " + ms(t));
    };
    CHECK(at(kNoon) == "[1 12]");
    CHECK(at(kNoon - 8min) == "[1 5]");
    CHECK(at(kNoon - 10min) == "[0 0]");
    CHECK(at(kNoon + 58min) == "[0 7]");
    CHECK(at(kNoon - 10min - 1ms) == "-RANGE AT " + ms(kNoon - 10min - 1ms) + " is before " +
                                         ms(kNoon - 10min) + ", the oldest time that view spend answers for");
    CHECK(c("FS.MGET spend 1 a AT 5").starts_with("-RANGE AT 5 is before "));
}

TEST_CASE_FIXTURE(LookupFixture, "a view by event time that has no clock yet has no entities") {
    record(0, 1, {{"spend", progress("spend", std::nullopt, from_unix_ms(redis_ms()))}});
    TestClient c(port());
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h META AT 5").starts_with("[[nil] [\"missing\"] "));
}

TEST_CASE_FIXTURE(LookupFixture, "entities of any bytes and of several columns are found") {
    const std::string binary("a\0}{\r\n\"|\\", 9);
    store("spend", binary, {{kNoon, 5}});
    store("pairs", "x\\|y|NL", {{kNoon, 6}});
    record_all(kNoon);
    TestClient c(port());
    CHECK(c.ask({"FS.GET", "spend", binary, "FEATURES", "1", "spent_1h"}) == "[5]");
    CHECK(c.ask({"FS.GET", "pairs", "x|y", "NL", "FEATURES", "1", "spent_1h"}) == "[6]");
    CHECK(c.ask({"FS.MGET", "pairs", "2", "x", "NL", "x|y", "NL", "FEATURES", "1", "spent_1h"}) ==
          "[[nil] [6]]");
}

TEST_CASE_FIXTURE(LookupFixture, "the second step gives what the unfolded tiles give") {
    std::vector<Payment> payments;
    for (int i = 0; i < 500; ++i)
        payments.push_back({kNoon - 500 * 20s + i * 20s, i, i / 8.0, std::to_string(i % 9)});
    const Head whole = store("spend", "a", payments);
    store("spend", "sparse", {{kNoon, 1}});
    record_all(kNoon);
    const ViewPlan plan = this->plan("spend");
    const Head* const heads[] = {&whole};
    FeatureReader reader(plan);
    const std::size_t all[] = {0, 1, 2, 3, 4};
    TestClient c(port());
    for (Timestamp t = kNoon - 10min; t <= kNoon + 70min; t += 97s) {
        std::string expected = "[";
        for (const FeatureValue& value : reader.read(heads, t, all).values) {
            std::string text;
            RespWriter out(text);
            write_scalar(value.value, out);
            redisReader* parser = redisReaderCreate();
            redisReaderFeed(parser, text.data(), text.size());
            void* reply = nullptr;
            redisReaderGetReply(parser, &reply);
            expected += text_of(*static_cast<redisReply*>(reply)) + " ";
            freeReplyObject(reply);
            redisReaderFree(parser);
        }
        expected.back() = ']';
        const std::string options =
            "FEATURES 5 payments_5m spent_1h mean_price_1h last_country last_ok AT " + ms(t);
        CHECK(c("FS.GET spend a " + options) == expected);
        const std::string several = c("FS.MGET spend 3 sparse a sparse " + options);
        CHECK(several.find(expected) != std::string::npos);
        CHECK(several.find(expected) > 1);
    }
    CHECK(observer.second_steps > 0);
    CHECK(observer.second_steps < observer.entities);
}

TEST_CASE_FIXTURE(LookupFixture, "a view counted under another definition is not served") {
    auto progress = this->progress("spend", kNoon, from_unix_ms(redis_ms()));
    progress.fingerprint ^= 1;
    record(0, 1, {{"spend", progress}});
    TestClient c(port());
    CHECK(c("FS.GET spend a").starts_with("-UNAVAILABLE view spend@1 is counted under another definition"));
}

TEST_CASE_FIXTURE(LookupFixture, "a feature that another definition is counted of is named") {
    auto progress = this->progress("spend", kNoon, from_unix_ms(redis_ms()));
    progress.features["spent_1h"].fingerprint ^= 1;
    record(0, 1, {{"spend", progress}});
    TestClient c(port());
    CHECK(c("FS.GET spend a")
              .starts_with("-UNAVAILABLE feature spent_1h of view spend@1 is counted under another"));
}

TEST_CASE_FIXTURE(LookupFixture, "a feature that some partition does not count is incomplete, however old") {
    store("spend", "a", {{kNoon, 1}});
    auto progress = this->progress("spend", kNoon, from_unix_ms(redis_ms()));
    record(0, 2, {{"spend", progress}});
    progress.features.erase("spent_1h");
    record(1, 2, {{"spend", progress}});
    TestClient c(port());
    CHECK(c("FS.GET spend a FEATURES 2 payments_5m spent_1h META")
              .starts_with("[[1 1] [\"fresh\" \"incomplete\"] "));
}

// A view that had not yet `last_country`, whose window is the longest one.
class FormerLayout : public LookupFixture {
public:
    FormerLayout() {
        options.max_record_age = 1h;
        const Definitions now = definitions;
        std::erase_if(definitions.views.front().features,
                      [](const Feature& f) { return f.name == "last_country"; });
        layout = StoredLayout::of(definitions.sources.front(), plan("spend")).text();
        std::vector<Payment> payments;
        for (int i = 0; i < 200; ++i) payments.push_back({kNoon - 200 * 20s + i * 20s, 1});
        store("spend", "former", payments);
        definitions = now;
        store("spend", "now", {{kNoon, 7}});
        auto progress = this->progress("spend", kNoon, from_unix_ms(redis_ms()));
        progress.features["last_country"].since = kNoon - 1min;
        record(0, 1, {{"spend", progress}});
    }
    void describe() { command({"HSET", "fs:{0}progress:payments:0", "l:spend@1", "other " + layout}); }

    const std::string request = "FS.GET spend former FEATURES 3 payments_5m spent_1h last_country META";
    const std::string answer = "[[15 180 nil] [\"fresh\" \"fresh\" \"incomplete\"] ";
    std::string layout;
};

TEST_CASE_FIXTURE(FormerLayout, "values of a former layout are read, whenever it is described") {
    TestClient c(port());
    CHECK(c("FS.GET spend now FEATURES 1 spent_1h") == "[7]");
    describe();
    CHECK(c(request).starts_with(answer));
    CHECK(c(request).starts_with(answer));
    CHECK(c("FS.GET spend former FEATURES 1 spent_1h AT " + ms(kNoon - 10min)) == "[173]");
    CHECK(c("FS.EXPLAIN spend former spent_1h").find("\"answer\" [[180]") != std::string::npos);
}

TEST_CASE_FIXTURE(FormerLayout, "a value of a layout that nobody described is corrupt") {
    TestClient c(port());
    CHECK(c(request).starts_with(
        "-ERR corrupt value in field '0.0' of key 'fs:{spend@1:former}': stored layout "));
    describe();
    CHECK(c(request).starts_with(answer));
}

TEST_CASE_FIXTURE(FormerLayout,
                  "who may have been forgotten before a longer window was added is not called missing") {
    TestClient c(port());
    CHECK(c("FS.GET spend nobody FEATURES 2 spent_1h last_country META")
              .starts_with("[[nil nil] [\"incomplete\" \"incomplete\"] "));
}

TEST_CASE_FIXTURE(LookupFixture, "a value that does not decode is an error that names its place") {
    options.max_record_age = 0ms;
    store("spend", "a", {{kNoon, 1}});
    store("spend", "b", {{kNoon, 1}});
    record_all(kNoon);
    command({"HSET", "fs:{spend@1:a}", "3.0", "rubbish"});
    TestClient c(port());
    CHECK(c("FS.GET spend a").starts_with("-ERR corrupt value in field '3.0' of key 'fs:{spend@1:a}': "));
    CHECK(
        c("FS.MGET spend 3 b a b").starts_with("-ERR corrupt value in field '3.0' of key 'fs:{spend@1:a}': "));
    CHECK(c("FS.GET spend b FEATURES 1 payments_5m") == "[1]");
    command({"SET", "fs:{spend@1:text}", "x"});
    CHECK(c("FS.GET spend text").starts_with("-UNAVAILABLE redis "));
    command({"HSET", "fs:{0}progress:payments:0", "v:spend@1", "x"});
    CHECK(c("FS.GET spend b").starts_with("-UNAVAILABLE topic payments: "));
}

TEST_CASE_FIXTURE(LookupFixture, "FS.EXPLAIN shows what stands behind a number") {
    store("spend", "a", {{kNoon - 3min, 5}, {kNoon, 7}, {kNoon, 1}});
    record_all(kNoon);
    TestClient c(port());
    const std::string reply = c("FS.EXPLAIN spend a payments_5m");
    CHECK(reply.starts_with("[\"view\" \"spend@1\" \"entity\" \"a\" \"feature\" \"payments_5m\" \"at_ms\" " +
                            ms(kNoon)));
    const auto tile = [](Timestamp t) { return std::to_string(tile_of(t, 5s)); };
    CHECK(reply.find("\"tiles\" [\"" + tile(kNoon - 3min) + ":1\" \"" + tile(kNoon) + ":2\"]") !=
          std::string::npos);
    CHECK(reply.find("\"partition\" 0 \"generation\" 0 \"stamp_offset\" 2 \"newest_event_ms\" " + ms(kNoon)) !=
          std::string::npos);
    CHECK(reply.find("\"owner\" \"node-a\" \"epoch\" 7 \"watermark_ms\" ") != std::string::npos);
    CHECK(c("FS.EXPLAIN spend nobody payments_5m").ends_with("\"origins\" []]"));
}

}  // namespace
}  // namespace freshet::testing
