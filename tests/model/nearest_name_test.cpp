#include "model/nearest_name.hpp"

#include <doctest/doctest.h>

#include <vector>

using freshet::nearest_name;

namespace {

const std::vector<std::string> kKnown = {"delay", "delays_total", "flight", "carrier", "ts", "x"};

}  // namespace

TEST_CASE("the nearest name is the one with the fewest edits, if they are few") {
    struct Case {
        std::string wanted;
        std::string nearest;
    };
    const std::vector<Case> cases = {
        {"delay", "delay"},                // itself
        {"dela", "delay"},                 // one missing
        {"delayy", "delay"},               // one too many
        {"dalay", "delay"},                // one replaced
        {"dealy", "delay"},                // neighbours swapped
        {"DELAY", "delay"},                // case alone is no edit
        {"delay_total", "delays_total"},   // the longer name is nearer
        {"carier", "carrier"},             //
        {"crrr", ""},                      // too many edits
        {"t", "ts"},                       // one edit is always few
        {"tz", "ts"},                      //
        {"y", ""},                         // nothing kept of `x`
        {"", ""},                          //
        {"entirely_different", ""},        //
        {std::string(1'000'000, 'd'), ""}  // not worth comparing
    };
    for (const Case& c : cases) {
        CAPTURE(c.wanted.substr(0, 40));
        CHECK(nearest_name(c.wanted, kKnown) == c.nearest);
    }
}

TEST_CASE("the first of equally near names is suggested") {
    CHECK(nearest_name("fox", std::vector<std::string>{"far", "fix", "box"}) == "fix");
    CHECK(nearest_name("any", {}).empty());
}
