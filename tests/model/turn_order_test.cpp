#include "model/turn_order.hpp"

#include <doctest/doctest.h>

namespace freshet {
namespace {

using namespace std::chrono_literals;
constexpr TurnJudge::SteadyTime kBegin{1000s};
constexpr std::int64_t kBacklog = 1000;

// Looks once a second, from `from` for `seconds`; whether the rank changed by the last look, and by it alone.
bool changes_at_last(TurnJudge& judge, std::chrono::seconds from, int seconds, Duration staleness,
                     std::int64_t to_come) {
    for (int i = 0; i < seconds; ++i)
        if (judge.take(kBegin + from + i * 1s, staleness, to_come)) return i + 1 == seconds;
    return false;
}

TEST_CASE("what has a max_staleness goes before what has none, and that before what cannot keep it") {
    TurnJudge kept(Priority::normal, 5s, kBacklog);
    TurnJudge without(Priority::normal, std::nullopt, kBacklog);
    TurnJudge hopeless(Priority::normal, 5s, kBacklog);
    CHECK(changes_at_last(hopeless, 0s, 4, 6s, kBacklog));
    CHECK(hopeless.hopeless());
    CHECK(kept.rank() < without.rank());
    CHECK(without.rank() < hopeless.rank());
}

TEST_CASE("what is late without a backlog stays first: it needs a turn, not an age") {
    TurnJudge judge(Priority::normal, 5s, kBacklog);
    CHECK(!changes_at_last(judge, 0s, 60, 30s, kBacklog - 1));
    CHECK(judge.rank() == 0);
}

TEST_CASE("a backlog that is not late stays first") {
    TurnJudge judge(Priority::normal, 5s, kBacklog);
    CHECK(!changes_at_last(judge, 0s, 60, 5s, 1'000'000));
    CHECK(judge.rank() == 0);
}

TEST_CASE("what has no max_staleness is never late") {
    TurnJudge judge(Priority::normal, std::nullopt, kBacklog);
    CHECK(!changes_at_last(judge, 0s, 60, 1h, 1'000'000));
    CHECK(judge.rank() == 1);
}

TEST_CASE("a turn is lost and won again only by what lasts") {
    TurnJudge judge(Priority::normal, 5s, kBacklog);
    for (int second = 0; second < 60; second += 4) {  // late for 3 s, then not
        CHECK(!changes_at_last(judge, second * 1s, 3, 6s, kBacklog));
        CHECK(!judge.take(kBegin + second * 1s + 3s, 1s, 0));
    }
    CHECK(changes_at_last(judge, 60s, 4, 6s, kBacklog));
    CHECK(!changes_at_last(judge, 64s, 60, 6s, 0));  // the backlog is gone, and it is late still
    for (int second = 124; second < 184; second += 4) {
        CHECK(!changes_at_last(judge, second * 1s, 3, 1s, 0));
        CHECK(!judge.take(kBegin + second * 1s + 3s, 6s, 0));
    }
    CHECK(changes_at_last(judge, 184s, 4, 1s, 0));
    CHECK(!judge.hopeless());
}

TEST_CASE("what is not known says nothing") {
    TurnJudge judge(Priority::normal, 5s, kBacklog);
    CHECK(!judge.take(kBegin, std::nullopt, kBacklog));
    CHECK(!judge.take(kBegin + 1h, std::nullopt, kBacklog));
    CHECK(judge.rank() == 0);
}

TEST_CASE("a priority is worth one rank") {
    CHECK(TurnJudge(Priority::high, std::nullopt, kBacklog).rank() ==
          TurnJudge(Priority::normal, 5s, kBacklog).rank());
    CHECK(TurnJudge(Priority::low, 5s, kBacklog).rank() ==
          TurnJudge(Priority::normal, std::nullopt, kBacklog).rank());
}

TEST_CASE("a source gives way to one of a better rank, and only then") {
    const auto order = std::make_shared<TurnOrder>();
    const auto a = TurnOrder::sit(order, "a"), b = TurnOrder::sit(order, "b"), c = TurnOrder::sit(order, "c");
    a->set_rank(1);
    b->set_rank(1);
    CHECK((!a->gives_way() && !b->gives_way() && !c->gives_way()));  // c is not judged yet
    b->set_rank(0);
    CHECK((a->gives_way() && !b->gives_way() && !c->gives_way()));
    c->set_rank(2);
    CHECK((a->gives_way() && !b->gives_way() && c->gives_way()));
}

TEST_CASE("the partitions of a source are worth the same, and never give way to each other") {
    const auto order = std::make_shared<TurnOrder>();
    const auto first = TurnOrder::sit(order, "a"), second = TurnOrder::sit(order, "a");
    first->set_rank(0);
    second->set_rank(2);
    CHECK((!first->gives_way() && !second->gives_way()));
    const auto other = TurnOrder::sit(order, "b");
    other->set_rank(0);
    CHECK((first->gives_way() && second->gives_way() && !other->gives_way()));
}

TEST_CASE("who leaves is given way to no more") {
    const auto order = std::make_shared<TurnOrder>();
    const auto stays = TurnOrder::sit(order, "a");
    auto leaves = TurnOrder::sit(order, "b");
    stays->set_rank(2);
    leaves->set_rank(0);
    CHECK(stays->gives_way());
    leaves.reset();
    CHECK(!stays->gives_way());
}

}  // namespace
}  // namespace freshet
