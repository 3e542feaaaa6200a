// WITH: an answer that counts an event of the caller's own; AFTER: one that waits until the view has come far
// enough.
#include <doctest/doctest.h>

#include <list>

#include "io/redis/resp_writer.hpp"
#include "model/brute_force.hpp"
#include "support/lookup_for_tests.hpp"

namespace freshet::testing {
namespace {

// What FS.GET spend is to answer, computed from all events.
class SpendOracle {
public:
    explicit SpendOracle(const View& view) : view_(view) {}

    void add(const Payment& p, std::int32_t partition, std::int64_t offset) {
        StoredEvent& e = events_.emplace_back();
        e.time = p.time;
        e.partition = PartitionId{partition};
        e.offset = Offset{offset};
        countries_.push_back(p.country);
        e.values = {std::string_view("a"), std::string_view(countries_.back()), p.amount, p.price, p.ok};
    }

    std::string at(Timestamp t) const {
        Events all;
        for (const StoredEvent& e : events_) all.push_back(&e);
        if (is_missing(view_, all, t)) return "[nil nil nil nil nil]";
        std::vector<Events> taken;
        for (const Feature& feature : view_.features) taken.push_back(taken_by(feature, all, t));
        std::int64_t amount = 0;
        for (const StoredEvent* e : taken[1]) amount += std::get<std::int64_t>(e->values[2]);
        double price = 0;
        for (const StoredEvent* e : taken[2]) price += std::get<double>(e->values[3]);
        const auto last = [](const Events& events, std::size_t field) { return events.back()->values[field]; };
        return "[" + std::to_string(taken[0].size()) + " " + std::to_string(amount) + " " +
               (taken[2].empty() ? "nil"
                                 : '"' + float_text(price / static_cast<double>(taken[2].size())) + '"') +
               " " +
               (taken[3].empty() ? "nil"
                                 : '"' + std::string(std::get<std::string_view>(last(taken[3], 1))) + '"') +
               " " +
               (taken[4].empty()                    ? "nil"
                : std::get<bool>(last(taken[4], 4)) ? "1"
                                                    : "0") +
               "]";
    }

private:
    const View& view_;
    std::list<StoredEvent> events_;
    std::list<std::string> countries_;
};

const std::vector<std::string> kAll{"FEATURES",     "5",      "payments_5m", "spent_1h", "mean_price_1h",
                                    "last_country", "last_ok"};

std::vector<std::string> get_with(const std::string& entity, const std::string& event,
                                  const std::vector<std::string>& more = kAll) {
    std::vector<std::string> request{"FS.GET", "spend", entity, "WITH", event};
    request.insert(request.end(), more.begin(), more.end());
    return request;
}

constexpr const char* kOwn = R"({"card":"a","country":"FR","amount":1000,"price":8.0,"ok":false})";

TEST_CASE_FIXTURE(LookupFixture, "WITH answers as if the event had come last, at the time that is read") {
    std::vector<Payment> payments;
    for (int i = 0; i < 500; ++i)
        payments.push_back({kNoon - 500 * 20s + i * 20s, i, i % 8 / 8.0, std::to_string(i % 9), i % 2 == 0});
    store("spend", "a", payments);
    const View& view = *definitions.find_view("spend");
    record_all(kNoon);
    TestClient c(port());
    for (Timestamp t = kNoon - 10min; t <= kNoon + 70min; t += 97s) {
        SpendOracle oracle(view);
        for (std::size_t i = 0; i < payments.size(); ++i)
            oracle.add(payments[i], 0, static_cast<std::int64_t>(i));
        CHECK(c.ask({"FS.GET", "spend", "a", "AT", ms(t), "FEATURES", "5", "payments_5m", "spent_1h",
                     "mean_price_1h", "last_country", "last_ok"}) == oracle.at(t));
        oracle.add({t, 1000, 8.0, "FR", false}, 99, 0);
        auto request = get_with("a", kOwn);
        request.insert(request.end(), {"AT", ms(t)});
        CHECK(c.ask(request) == oracle.at(t));
    }
    CHECK(observer.second_steps > 0);
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h").find("1000") ==
          std::string::npos);  // it stays in no one's count
}

TEST_CASE_FIXTURE(LookupFixture, "WITH makes an entity of which nothing is counted present") {
    record_all(kNoon);
    TestClient c(port());
    CHECK(c.ask(get_with("a", kOwn)) == "[1 1000 \"8.0\" \"FR\" 0]");
    const std::string meta = c.ask(get_with("a", kOwn, {"FEATURES", "1", "spent_1h", "META"}));
    CHECK(meta.starts_with("[[1000] [\"fresh\"] "));
    CHECK(meta.ends_with(" " + ms(kNoon) + "]"));
    CHECK(c.ask({"FS.GET", "pairs", "a", "FR", "WITH", kOwn, "FEATURES", "1", "spent_1h"}) == "[1000]");
}

TEST_CASE_FIXTURE(LookupFixture, "an event that the view's `where` refuses changes nothing") {
    View& spend = definitions.views.front();
    spend.where = *Expression::parse("amount < 500", definitions.sources.front().fields);
    spend.features[1].where = *Expression::parse("price > 1", definitions.sources.front().fields);
    store("spend", "a", {{kNoon, 7, 2.0}});
    record_all(kNoon);
    TestClient c(port());
    CHECK(c.ask(get_with("a", kOwn)) == "[1 7 \"2.0\" \"NL\" 1]");
    CHECK(c.ask(get_with("a", R"({"card":"a","amount":100,"price":1.0})")) == "[2 7 \"1.5\" \"NL\" 1]");
    CHECK(c.ask(get_with("a", R"({"card":"a","amount":100,"price":4.0})")) == "[2 107 \"3.0\" \"NL\" 1]");
}

TEST_CASE_FIXTURE(LookupFixture, "of many entities, WITH is counted for its own in each of its rows") {
    store("spend", "a", {{kNoon, 7}});
    store("spend", "b", {{kNoon, 20}});
    record_all(kNoon);
    TestClient c(port());
    CHECK(c.ask({"FS.MGET", "spend", "4", "a", "b", "none", "a", "WITH", kOwn, "FEATURES", "1", "spent_1h"}) ==
          "[[1007] [20] [nil] [1007]]");
    CHECK(c("FS.MGET spend 2 a b FEATURES 1 spent_1h") == "[[7] [20]]");
}

TEST_CASE_FIXTURE(LookupFixture, "rows of a vector count the event in the views whose entity it is of") {
    store("spend", "a", {{kNoon, 7, 2.0}});
    store("pairs", "a|NL", {{kNoon, 30}});
    store("pairs", "a|FR", {{kNoon, 40}});
    record_all(kNoon);
    TestClient c(port());
    const std::vector<std::string> ranking{"FS.VECTOR", "ranking", "KEYS", "2", "card", "country"};
    const auto ask = [&](const std::vector<std::string>& more) {
        std::vector<std::string> request = ranking;
        request.insert(request.end(), more.begin(), more.end());
        return c.ask(request);
    };
    CHECK(ask({"ROWS", "3", "a", "NL", "a", "FR", "b", "FR", "WITH", kOwn}) ==
          R"([["FR" 1 1007 "5.0" 30] ["FR" 2 1007 "5.0" 1040] [nil nil nil nil nil]])");
    CHECK(ask({"WITH", kOwn, "ROWS", "1", "a", "DE"}) == R"([["FR" nil 1007 "5.0" nil]])");
    CHECK(ask({"ROWS", "1", "a", "FR"}) == R"([["NL" 1 7 "2.0" 40]])");
}

TEST_CASE_FIXTURE(LookupFixture,
                  "WITH in a vector is an event that each view's `where` judges, of one source") {
    for (std::size_t v = 0; v < 2; ++v)
        definitions.views[v].where =
            *Expression::parse(v == 0 ? "amount < 500" : "amount < 5", definitions.sources.front().fields);
    Source refunds = definitions.sources.front();
    refunds.name = refunds.topic = "refunds";
    definitions.sources.push_back(refunds);
    definitions.views[2].source = "refunds";
    definitions.services.push_back({"both", {{"spend", "spent_1h"}, {"now", "spent_1h"}}});
    record_all(kNoon);
    TestClient c(port());
    const auto ask = [&](const char* event) {
        return c.ask(
            {"FS.VECTOR", "ranking", "KEYS", "2", "card", "country", "ROWS", "1", "a", "FR", "WITH", event});
    };
    CHECK(ask(kOwn) == "[[nil nil nil nil nil]]");
    CHECK(ask(R"({"card":"a","country":"FR","amount":10,"price":1.0})") == R"([["FR" nil 10 "1.0" nil]])");
    CHECK(ask(R"({"card":"a","country":"FR","amount":2,"price":1.0})") == R"([["FR" 1 2 "1.0" 2]])");
    CHECK(
        c("FS.VECTOR both KEYS 1 card ROWS 1 a AFTER 0:1 WAIT 5") ==
        "-BADARG AFTER: the views of service both are of several topics, spend of payments and now of refunds; "
        "ask for them in services of one topic each");
    CHECK(
        c.ask({"FS.VECTOR", "both", "KEYS", "1", "card", "ROWS", "1", "a", "WITH", kOwn}) ==
        "-BADARG WITH: the views of service both are of several sources, spend of payments and now of refunds; "
        "ask for them in services of one source each");
}

TEST_CASE_FIXTURE(LookupFixture, "what is wrong with an event of the caller's own is said") {
    record_all(kNoon);
    TestClient c(port());
    CHECK(c.ask(get_with("b", kOwn)) == "-BADARG WITH: an event of 'a', not of 'b'");
    CHECK(c.ask(get_with("a", "{")).starts_with("-BADARG WITH: "));
    CHECK(c.ask(get_with("a", R"({"card":"a","amount":"much"})")).find("amount") != std::string::npos);
    CHECK(c.ask(get_with("a", R"({"amount":1})")) == "-BADARG WITH: an entity column of view spend is null");
    CHECK(c("FS.GET spend a WITH") == "-BADARG WITH is followed by an event as JSON");
    CHECK(c.ask({"FS.MGET", "spend", "2", "b", "c", "WITH", kOwn}) ==
          "-BADARG WITH: an event of 'a' (spend), which no row asks for; give it the entity columns of a row");
    CHECK(
        c.ask({"FS.VECTOR", "ranking", "KEYS", "2", "card", "country", "ROWS", "1", "b", "FR", "WITH", kOwn}) ==
        "-BADARG WITH: an event of 'a|FR' (pairs), which no row asks for; give it the entity columns of a row");
    CHECK(c.ask({"FS.VECTOR", "cards", "KEYS", "1", "card", "ROWS", "1", "a", "WITH", R"({"amount":1})"}) ==
          "-BADARG WITH: an entity column of view spend is null");
    CHECK(c("FS.VECTOR cards WITH") == "-BADARG WITH is followed by an event as JSON");
    CHECK(c("PING") == "+PONG");
}

TEST_CASE_FIXTURE(LookupFixture, "AFTER answers once the view's record is past the offset") {
    auto spend = progress("spend", kNoon, from_unix_ms(redis_ms()));
    spend.next = Offset{5};
    record(0, 1, {{"spend", spend}});
    store("spend", "a", {{kNoon, 1}});
    TestClient c(port());
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h AFTER 0:4 WAIT 0") == "[1]");
    // Offset 5 is the next to be counted: it is not in yet.
    c.send_raw("FS.GET spend a FEATURES 1 spent_1h AFTER 0:5 WAIT 60000\r\nPING\r\n");
    TestClient other(port());
    CHECK(other("FS.GET spend a FEATURES 1 spent_1h") == "[1]");  // the loop goes on meanwhile
    store("spend", "a", {{kNoon, 1}, {kNoon, 20}});
    spend.next = Offset{6};
    record(0, 1, {{"spend", spend}});
    CHECK(c.receive() == "[21]");
    CHECK(c.receive() == "+PONG");
    CHECK(c("FS.MGET spend 2 a a FEATURES 1 spent_1h AFTER 0:5 WAIT 0") == "[[21] [21]]");
}

TEST_CASE_FIXTURE(LookupFixture, "AFTER waits for the log that is counted now, not for one that is gone") {
    auto spend = progress("spend", kNoon, from_unix_ms(redis_ms()));
    spend.next = Offset{1000};
    store("spend", "a", {{kNoon, 1}});
    const auto record_of = [&](std::uint32_t generation) {
        ProgressRecord record;
        record.epoch = Epoch{7};
        record.partitions = 1;
        record.log.generation = Generation{generation};
        record.views[plan("spend").id()] = spend;
        const std::string key = record_key("fs:", Partition{"payments", PartitionId{0}});
        for (const auto& [field, value] : encode_record(record)) command({"HSET", key, field, value});
    };
    options.max_record_age = 0ms;
    TestClient c(port());
    record_of(0);
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h AFTER 0:5 WAIT 0") == "[1]");
    record_of(1);  // the topic was made anew, and the view has not begun there
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h AFTER 0:5 WAIT 0").starts_with("-BUSY view spend "));
    c.send_raw("FS.GET spend a FEATURES 1 spent_1h AFTER 0:5 WAIT 60000\r\n");
    spend.next = Offset{6};
    spend.generation = Generation{1};
    record_of(1);
    CHECK(c.receive() == "[1]");
}

TEST_CASE_FIXTURE(LookupFixture, "AFTER in a vector waits for all of its views") {
    auto spend = progress("spend", kNoon, from_unix_ms(redis_ms()));
    auto pairs = progress("pairs", kNoon, from_unix_ms(redis_ms()));
    spend.next = Offset{6};
    pairs.next = Offset{5};
    record(0, 1, {{"spend", spend}, {"pairs", pairs}});
    store("spend", "a", {{kNoon, 7}});
    TestClient c(port());
    const std::string request = "FS.VECTOR ranking KEYS 2 card country ROWS 1 a NL AFTER 0:5 WAIT ";
    CHECK(c(request + "20") == "-BUSY view pairs has not come past offset 5 of partition 0 within 20 ms");
    {
        TestClient gone(port());
        gone.send_raw(request + "60000\r\n");
    }
    c.send_raw(request + "60000\r\n");
    TestClient other(port());
    CHECK(other("FS.VECTOR cards KEYS 1 card ROWS 1 a AFTER 0:5 WAIT 0") == R"([[1 "0.0"]])");
    store("pairs", "a|NL", {{kNoon, 30}});
    pairs.next = Offset{6};
    record(0, 1, {{"pairs", pairs}});
    CHECK(c.receive() == R"([["NL" 1 7 "0.0" 30]])");
    CHECK(c("FS.VECTOR ranking KEYS 2 card country ROWS 1 a NL AFTER 1:0 WAIT 9") ==
          "-BADARG topic payments has 1 partitions, and AFTER names partition 1");
}

TEST_CASE_FIXTURE(LookupFixture, "a vector that fails in one view does not wait for another") {
    auto spend = progress("spend", kNoon, from_unix_ms(redis_ms()));
    auto pairs = progress("pairs", kNoon, from_unix_ms(redis_ms()));
    pairs.next = Offset{6};
    record(0, 1, {{"spend", spend}, {"pairs", pairs}});
    command({"HSET", "fs:{pairs@1:a|NL}", "3.0", "rubbish"});
    TestClient c(port());
    CHECK(c("FS.VECTOR ranking KEYS 2 card country ROWS 1 a NL AFTER 0:5 WAIT 60000")
              .starts_with("-ERR corrupt value in field '3.0' of key 'fs:{pairs@1:a|NL}': "));
}

TEST_CASE_FIXTURE(LookupFixture, "AFTER is busy when its time is up, and unavailable without Redis") {
    record_all(kNoon);
    TestClient c(port());
    const auto asked = std::chrono::steady_clock::now();
    CHECK(c("FS.GET spend a AFTER 0:0 WAIT 30") ==
          "-BUSY view spend has not come past offset 0 of partition 0 within 30 ms");
    CHECK(std::chrono::steady_clock::now() - asked >= 30ms);
    CHECK(c("FS.GET spend a AFTER 1:0 WAIT 30") ==
          "-BADARG topic payments has 1 partitions, and AFTER names partition 1");
    CHECK(c("FS.GET pairs a b AFTER 0:0 WAIT 0").starts_with("-BUSY view pairs "));
    {
        TestClient gone(port());
        gone.send_raw("FS.GET spend a AFTER 0:7 WAIT 60000\r\n");
    }
    c.send_raw("FS.GET spend a AFTER 0:7 WAIT 60000\r\n");
    redis()->stop();
    CHECK(c.receive().starts_with("-UNAVAILABLE redis "));
}

TEST_CASE_FIXTURE(LookupFixture, "AFTER is read strictly") {
    TestClient c(port());
    const std::string wrong =
        "-BADARG AFTER is followed by partition:offset, then WAIT and at most 60000 milliseconds";
    for (const char* options :
         {"AFTER", "AFTER 0:1", "AFTER 0:1 WAIT", "AFTER 0 WAIT 1", "AFTER 0: WAIT 1", "AFTER :1 WAIT 1",
          "AFTER -1:1 WAIT 1", "AFTER 0:-1 WAIT 1", "AFTER 0:1 WAIT -1", "AFTER 0:1 WAIT 60001",
          "AFTER 0:1 FOR 5", "AFTER 0:1:2 WAIT 5"})
        CHECK(c(std::string("FS.GET spend a ") + options) == wrong);
}

}  // namespace
}  // namespace freshet::testing
