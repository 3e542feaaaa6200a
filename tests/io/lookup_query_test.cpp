#include "io/lookup/lookup_query.hpp"

#include <doctest/doctest.h>

#include "support/lookup_for_tests.hpp"

namespace freshet {
namespace {

using Words = std::vector<std::string_view>;

struct Parsed {
    LookupCatalogue catalogue{testing::payment_views()};
    LookupQuery query;

    std::string get(const Words& words) { return result(parse_get(words, catalogue, query)); }
    std::string mget(const Words& words) { return result(parse_mget(words, catalogue, 10, query)); }
    std::string explain(const Words& words) { return result(parse_explain(words, catalogue, query)); }

    std::string freshness(const Words& words) { return result(parse_freshness(words, catalogue, query)); }

    static std::string result(const std::optional<CommandError>& error) {
        return error ? std::string(error->code) + " " + error->message : "ok";
    }
};

TEST_CASE("a query without options asks for every feature, now") {
    Parsed p;
    CHECK(p.get({"spend", "a"}) == "ok");
    CHECK(p.query.entities() == 1);
    CHECK(p.query.entity(0) == "a");
    CHECK(p.query.features == std::vector<std::size_t>{0, 1, 2, 3, 4});
    CHECK(!p.query.named);
    CHECK(!p.query.at);
    CHECK(!p.query.meta);
}

TEST_CASE("options come in any order and any case") {
    Parsed p;
    CHECK(p.get({"spend@1", "a", "meta", "At", "-5", "features", "2", "last_ok", "payments_5m"}) == "ok");
    CHECK(p.query.features == std::vector<std::size_t>{4, 0});
    CHECK(p.query.named);
    CHECK(p.query.at == from_unix_ms(-5));
    CHECK(p.query.meta);
}

TEST_CASE("an entity may be called like an option") {
    Parsed p;
    CHECK(p.get({"spend", "META", "META"}) == "ok");
    CHECK(p.query.entity(0) == "META");
    CHECK(p.query.meta);
}

TEST_CASE("a composite entity's name is its columns joined and escaped") {
    Parsed p;
    CHECK(p.mget({"pairs", "2", "a|b", "c\\", "", ""}) == "ok");
    CHECK(p.query.entities() == 2);
    CHECK(p.query.entity(0) == "a\\|b|c\\\\");
    CHECK(p.query.entity(1) == "|");
    CHECK(p.get({"spend", "a|b\\"}) == "ok");
    CHECK(p.query.entity(0) == "a|b\\");
}

TEST_CASE("what is wrong with a query is said") {
    Parsed p;
    CHECK(p.get({}) == "BADARG which view?");
    CHECK(p.get({"spent", "a"}) == "NOVIEW no view 'spent'; did you mean 'spend'?");
    CHECK(p.get({"spend"}) == "BADARG an entity of spend is given by 1 argument: card");
    CHECK(p.get({"pairs", "a"}) == "BADARG an entity of pairs is given by 2 arguments: card, country");
    CHECK(p.get({"spend", "a", "FEATURES", "1", "spent_1d"}) ==
          "NOFEATURE no feature 'spent_1d'; did you mean 'spent_1h'? in view spend");
    CHECK(p.get({"spend", "a", "FEATURES", "2", "spent_1h"}) ==
          "BADARG FEATURES 2 is followed by 1 arguments only");
    CHECK(p.get({"spend", "a", "FEATURES"}) == "BADARG FEATURES is followed by how many, then their names");
    CHECK(p.get({"spend", "a", "FEATURES", "0"}) ==
          "BADARG FEATURES is followed by how many, then their names");
    CHECK(p.get({"spend", "a", "AT"}) == "BADARG AT is followed by a time in unix milliseconds");
    CHECK(p.get({"spend", "a", "AT", "9223372036854775807"}) ==
          "BADARG AT is followed by a time in unix milliseconds");
    CHECK(p.get({"spend", "a", "b"}) ==
          "BADARG 'b' is none of FEATURES, AT, META, AFTER, WITH, ENCODING; an entity of spend is card");
    CHECK(p.mget({"spend", "x"}) == "BADARG the view is followed by how many entities, then the entities");
    CHECK(p.mget({"spend", "2", "a"}) == "BADARG an entity of spend is given by 1 argument: card");
    CHECK(p.mget({"spend", "11"}) == "LIMIT 11 entities are asked for, the limit is 10");
    CHECK(p.explain({"spend", "a"}) == "BADARG which feature of spend?");
    CHECK(p.explain({"spend", "a", "spent_1h", "META"}) == "BADARG 'META' is not AT");
}

TEST_CASE("FS.FRESHNESS takes a name, a limit, both or none") {
    Parsed p;
    CHECK(p.freshness({}) == "ok");
    CHECK(!p.query.view);
    CHECK(!p.query.max_staleness);
    CHECK(p.freshness({"1.5"}) == "ok");
    CHECK(!p.query.view);
    CHECK(p.query.max_staleness == Duration{1500});
    CHECK(p.freshness({"spend"}) == "ok");
    CHECK(p.query.view->name() == "spend");
    CHECK(p.query.features.empty());
    CHECK(p.freshness({"spend@1.spent_1h", "5"}) == "ok");
    CHECK(p.query.features == std::vector<std::size_t>{1});
    CHECK(p.query.max_staleness == Duration{5000});
    CHECK(p.freshness({"spent"}) == "NOVIEW no view 'spent'; did you mean 'spend'?");
    CHECK(p.freshness({"spend.spent_1d"}) ==
          "NOFEATURE no feature 'spent_1d'; did you mean 'spent_1h'? in view spend");
    for (const std::string_view limit : {"soon", "-1", "nan", "inf", "1e300", "5s", ""})
        CHECK(p.freshness({"spend", limit}) == "BADARG '" + std::string(limit) + "' is no number of seconds");
}

}  // namespace
}  // namespace freshet
