// FS.VECTOR: the features of a service for many rows.
#include "io/lookup/lookup_vector.hpp"

#include <doctest/doctest.h>

#include "support/lookup_for_tests.hpp"

namespace freshet::testing {
namespace {

using Words = std::vector<std::string_view>;

struct Parsed {
    LookupCatalogue catalogue{payment_views()};
    VectorQuery vector;

    std::string operator()(const Words& words) {
        const auto error = parse_vector(words, catalogue, 10, vector);
        return error ? std::string(error->code) + " " + error->message : "ok";
    }
};

// How often Redis was asked for the heads of an entity since the last call.
std::size_t heads_read(LookupFixture& f) {
    const std::string stats = f.command({"INFO", "commandstats"});
    const std::string name = "cmdstat_hvals:calls=";
    const std::size_t at = stats.find(name);
    f.command({"CONFIG", "RESETSTAT"});
    return at == std::string::npos ? 0 : std::stoul(stats.substr(at + name.size()));
}

TEST_CASE("each view of a service is asked once for each of its distinct entities") {
    Parsed p;
    CHECK(p({"ranking", "META", "KEYS", "2", "country", "card", "ROWS", "4",  //
             "NL", "a", "DE", "a", "NL", "b", "NL", "a", "AT", "7"}) == "ok");
    CHECK(p.vector.rows == 4);
    CHECK(p.vector.entities == 5);
    const LookupQuery& spend = p.vector.parts[0];
    CHECK(spend.view->name() == "spend");
    CHECK(spend.features == std::vector<std::size_t>{3, 1, 2});
    CHECK(spend.entities() == 2);
    CHECK(spend.entity(1) == "b");
    CHECK(spend.meta);
    CHECK(spend.at == from_unix_ms(7));
    const LookupQuery& pairs = p.vector.parts[1];
    CHECK(pairs.entities() == 3);
    CHECK(pairs.entity(1) == "a|DE");
    CHECK(p.vector.entity_of == std::vector<std::uint32_t>{0, 0, 1, 0, 0, 1, 2, 0});
    CHECK(p({"cards", "KEYS", "1", "card", "ROWS", "0"}) == "ok");
    CHECK(p.vector.entities == 0);
    CHECK(!p.vector.parts[0].meta);
}

TEST_CASE("distinct entities are told apart however many there are") {
    LookupQuery query;
    for (int round = 0; round < 2; ++round)
        for (std::uint32_t i = 0; i < 1000; ++i) {
            const std::string name = std::to_string(i);
            const std::string_view columns[] = {name};
            CHECK(query.add_distinct(columns) == i);
        }
    CHECK(query.entities() == 1000);
    query.clear();
    const std::string_view last[] = {"999"};
    CHECK(query.add_distinct(last) == 0);
}

TEST_CASE("what is wrong with a vector is said") {
    Parsed p;
    const std::string how =
        "; a service is asked with [AT unix_ms] [META] [AFTER partition:offset WAIT ms] [WITH json] [ENCODING "
        "json|msgpack|protobuf] KEYS k name... ROWS n value..., and the keys of ranking are card, country";
    CHECK(p({}) == "BADARG which service?");
    CHECK(p({"rankin"}) == "NOSERVICE no service 'rankin'; did you mean 'ranking'?");
    CHECK(p({"ranking"}) == "BADARG no ROWS are given" + how);
    CHECK(p({"ranking", "KEYS"}) == "BADARG KEYS is followed by how many, then their names");
    CHECK(p({"ranking", "KEYS", "0"}) == "BADARG KEYS is followed by how many, then their names");
    CHECK(p({"ranking", "KEYS", "3", "card"}) == "BADARG KEYS 3 is followed by 1 arguments only");
    CHECK(p({"ranking", "KEYS", "2", "card", "card"}) == "BADARG KEYS holds 'card' twice");
    CHECK(p({"ranking", "KEYS", "2", "card", "contry"}) ==
          "BADARG no view of service ranking has the entity column 'contry'; did you mean 'country'?");
    CHECK(p({"ranking", "KEYS", "1", "amount"}) ==
          "BADARG no view of service ranking has the entity column 'amount'; they have card, country");
    CHECK(p({"ranking", "KEYS", "1", "card"}) ==
          "BADARG KEYS lacks 'country', an entity column of view pairs; the keys of service ranking are card, "
          "country");
    CHECK(p({"ranking", "ROWS", "1", "a"}) == "BADARG 'ROWS' is out of place" + how);
    CHECK(p({"ranking", "KEYS", "2", "card", "country"}) == "BADARG no ROWS are given" + how);
    CHECK(p({"ranking", "KEYS", "2", "card", "country", "ROWS", "-1"}) ==
          "BADARG ROWS is followed by how many, then a value for each key of each row");
    CHECK(p({"ranking", "KEYS", "2", "card", "country", "ROWS", "2", "a", "NL", "b"}) ==
          "BADARG ROWS 2 with 2 keys is followed by 4 values, not by 3");
    CHECK(p({"ranking", "KEYS", "2", "card", "country", "ROWS", "1", "a", "NL", "b"}) ==
          "BADARG 'b' is out of place" + how);
    CHECK(p({"ranking", "FEATURES", "1", "spent_1h"}) == "BADARG 'FEATURES' is out of place" + how);
    CHECK(p({"ranking", "AT", "noon"}) == "BADARG AT is followed by a time in unix milliseconds");
    CHECK(p({"cards", "KEYS", "1", "card", "ROWS", "11"}) == "LIMIT 11 rows are asked for, the limit is 10");
    CHECK(p({"ranking", "KEYS", "2", "card", "country", "ROWS", "6",  //
             "a", "1", "b", "2", "c", "3", "d", "4", "e", "5", "f", "6"}) ==
          "LIMIT 12 distinct entities are asked for, the limit is 10");
}

TEST_CASE_FIXTURE(LookupFixture, "FS.SERVICES lists the services and describes one") {
    TestClient c(port());
    CHECK(c("FS.SERVICES") == R"(["cards" "ranking" "guarded"])");
    CHECK(c("FS.SERVICES cards") ==
          R"(["name" "cards" "features" ["spend.payments_5m" "spend.mean_price_1h"] "keys" ["card"]])");
    CHECK(c("FS.SERVICES ranking").ends_with(R"("keys" ["card" "country"]])"));
    CHECK(c("FS.SERVICES card") == "-NOSERVICE no service 'card'; did you mean 'cards'?");
}

TEST_CASE_FIXTURE(LookupFixture,
                  "a vector's rows hold the service's features in its order, each as FS.GET has it") {
    store("spend", "a", {{kNoon - 30min, 5, 2.5, "DE"}, {kNoon, 7, 0.5, "a\r\nb"}});
    store("spend", "b", {{kNoon, 3, 4, "FR"}});
    store("pairs", "a|NL", {{kNoon, 6}});
    record_all(kNoon);
    TestClient c(port());
    CHECK(c("FS.VECTOR ranking KEYS 2 card country ROWS 4 a NL b NL a NL nobody DE") ==
          "[[\"a\r\nb\" 1 12 \"1.5\" 6] [\"FR\" nil 3 \"4.0\" nil] [\"a\r\nb\" 1 12 \"1.5\" 6] [nil nil nil "
          "nil nil]]");
    CHECK(c("FS.VECTOR cards KEYS 1 card ROWS 2 b a") == "[[1 \"4.0\"] [1 \"1.5\"]]");
    CHECK(c("FS.VECTOR cards KEYS 1 card ROWS 1 a AT " + std::to_string(unix_ms(kNoon - 1min))) ==
          "[[0 \"2.5\"]]");
    CHECK(c("FS.VECTOR cards KEYS 1 card ROWS 0") == "[]");
    CHECK(observer.requests == 4);
    CHECK(observer.entities == 3 + 3 + 2 + 1);
}

TEST_CASE_FIXTURE(LookupFixture, "with META a row has a part for each view, as FS.GET has it") {
    store("spend", "a", {{kNoon - 30min, 5, 2.5, "DE"}, {kNoon, 7, 0.5, "NL"}});
    options.max_record_age = 1h;  // one reading: the staleness of all answers differs by what time passes only
    record_all(kNoon);
    TestClient c(port());
    const std::string row = c("FS.VECTOR ranking META KEYS 2 card country ROWS 1 a NL");
    CHECK(row.starts_with("[[[[\"NL\" 12 \"1.5\"] [\"fresh\" \"fresh\" \"fresh\"] "));
    CHECK(row.find(std::to_string(unix_ms(kNoon)) + "] [[nil nil] [\"missing\" \"missing\"] ") !=
          std::string::npos);
    CHECK(row.ends_with(" nil]]]"));
}

TEST_CASE_FIXTURE(LookupFixture, "one entity in many rows is read once") {
    store("spend", "consumer", {{kNoon, 7}});
    for (int i = 0; i < 500; ++i) store("pairs", "consumer|s" + std::to_string(i), {{kNoon, i}});
    record_all(kNoon);
    TestClient c(port());
    CHECK(c("PING") == "+PONG");
    heads_read(*this);
    std::vector<std::string> request{"FS.VECTOR", "ranking", "KEYS", "2", "card", "country", "ROWS", "500"};
    std::string expected = "[";
    for (int i = 0; i < 500; ++i) {
        request.insert(request.end(), {"consumer", "s" + std::to_string(i)});
        expected += "[\"NL\" 1 7 \"0.0\" " + std::to_string(i) + "] ";
    }
    expected.back() = ']';
    CHECK(c.ask(request) == expected);
    CHECK(heads_read(*this) == 501);
}

TEST_CASE_FIXTURE(LookupFixture, "rows of a vector that need the sealed tiles come in their place") {
    std::vector<Payment> payments;
    for (int p = 0; p < 300; ++p) payments.push_back({kNoon - 300 * 30s + p * 30s, 1, 2.0});
    store("spend", "dense", payments);
    store("spend", "sparse", {{kNoon - 15min, 5, 3.0}});
    record_all(kNoon);
    TestClient c(port());
    const std::string at = " AT " + std::to_string(unix_ms(kNoon - 10min));
    const auto of = [&](const std::string& entity) {
        return c("FS.GET spend " + entity + " FEATURES 2 payments_5m mean_price_1h" + at);
    };
    const std::string dense = of("dense");
    const std::string sparse = of("sparse");
    CHECK(dense != sparse);
    CHECK(observer.second_steps > 0);
    CHECK(c("FS.VECTOR cards KEYS 1 card ROWS 4 dense sparse dense sparse" + at) ==
          "[" + dense + " " + sparse + " " + dense + " " + sparse + "]");
}

TEST_CASE_FIXTURE(LookupFixture, "a view in breach gives null and its status in a vector, never an error") {
    store("spend", "a", {{kNoon, 7}});
    store("strict", "a", {{kNoon, 1}});
    const auto now = from_unix_ms(redis_ms());
    record(0, 1, {{"spend", progress("spend", kNoon, now)}, {"strict", progress("strict", kNoon, now - 6s)}});
    TestClient c(port());
    CHECK(c("FS.VECTOR guarded KEYS 1 card ROWS 1 a") == "[[7 nil]]");
    const std::string meta = c("FS.VECTOR guarded META KEYS 1 card ROWS 1 a");
    CHECK(meta.starts_with("[[[[7] [\"fresh\"] "));
    CHECK(meta.find("[[nil] [\"stale\"] 6") != std::string::npos);
}

TEST_CASE_FIXTURE(LookupFixture, "what fails in one view fails the whole vector, once") {
    options.max_record_age = 0ms;
    store("spend", "a", {{kNoon, 7}});
    record_all(kNoon);
    TestClient c(port());
    CHECK(c("FS.VECTOR rank KEYS 1 card ROWS 1 a").starts_with("-NOSERVICE no service 'rank'"));
    CHECK(c("FS.VECTOR guarded KEYS 1 card ROWS 1 a AT 5").starts_with("-RANGE AT 5 is before "));
    CHECK(observer.errors == 2);
    command({"HSET", "fs:{pairs@1:a|NL}", "3.0", "rubbish"});
    CHECK(c("FS.VECTOR ranking KEYS 2 card country ROWS 2 a DE a NL")
              .starts_with("-ERR corrupt value in field '3.0' of key 'fs:{pairs@1:a|NL}': "));
    CHECK(observer.errors == 3);
    redis()->stop();
    CHECK(becomes_true(
        [&] { return c("FS.VECTOR guarded KEYS 1 card ROWS 1 a").starts_with("-UNAVAILABLE redis "); }));
}

}  // namespace
}  // namespace freshet::testing
