#include "model/repeat_limit.hpp"

#include <doctest/doctest.h>

namespace freshet {
namespace {

using namespace std::chrono_literals;

const RepeatLimit::SteadyTime kBegin{};

TEST_CASE("so many equal lines a second are told, and others beside them") {
    RepeatLimit limit(2);
    CHECK(limit.may_tell("a", kBegin));
    CHECK(limit.may_tell("a", kBegin + 400ms));
    CHECK_FALSE(limit.may_tell("a", kBegin + 500ms));
    CHECK(limit.may_tell("b", kBegin + 500ms));
}

TEST_CASE("what was left out is told once, when the second is over, and the line may be told again") {
    RepeatLimit limit(1);
    for (int i = 0; i < 10; ++i) (void)limit.may_tell("a", kBegin);
    CHECK(limit.may_tell("b", kBegin));
    CHECK(limit.left_out(kBegin + 999ms).empty());
    const auto left_out = limit.left_out(kBegin + 1s);
    REQUIRE(left_out.size() == 1);
    CHECK(left_out[0].line == "a");
    CHECK(left_out[0].times == 9);
    CHECK(limit.left_out(kBegin + 2s).empty());
    CHECK(limit.may_tell("a", kBegin + 2s));
}

TEST_CASE("many different lines are all told") {
    RepeatLimit limit(1);
    for (int i = 0; i < 5000; ++i) CHECK(limit.may_tell(std::to_string(i), kBegin));
}

}  // namespace
}  // namespace freshet
