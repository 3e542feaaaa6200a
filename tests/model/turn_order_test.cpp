#include "model/turn_order.hpp"

#include <doctest/doctest.h>

namespace freshet {
namespace {

using namespace std::chrono_literals;
constexpr TurnJudge::SteadyTime kOpening{1000s};
constexpr std::int64_t kBacklog = 1000;

TurnJudge::Terms terms(std::optional<Duration> max_staleness, Priority priority = Priority::normal) {
    return {priority, max_staleness, kBacklog};
}

constexpr TurnLook kLate{6s, true, kBacklog};
constexpr TurnLook kLateButSmall{30s, true, kBacklog - 1};
constexpr TurnLook kInTime{1s, true, 0};
constexpr TurnLook kNotKnown{1s, false, kBacklog};

class Ranked {
public:
    explicit Ranked(const TurnJudge::Terms& terms) : judge_(terms) {}

    // Looks once a second, for `seconds`; how often the rank changed.
    int look(int seconds, const std::vector<TurnLook>& looks) {
        int changes = 0;
        for (int i = 0; i < seconds; ++i) changes += judge_.take(now_ += 1s, looks) ? 1 : 0;
        return changes;
    }
    int rank() const { return judge_.rank(); }

private:
    TurnJudge judge_;
    TurnJudge::SteadyTime now_ = kOpening;
};

TEST_CASE("what has a max_staleness goes before what has none, and that before what cannot keep it") {
    const Ranked kept(terms(5s)), without(terms(std::nullopt));
    Ranked hopeless(terms(5s));
    CHECK(hopeless.look(4, {kLate}) == 1);
    CHECK(kept.rank() < without.rank());
    CHECK(without.rank() < hopeless.rank());
}

TEST_CASE("what is late without a backlog stays first: it needs a turn, not an age") {
    Ranked source(terms(5s));
    CHECK(source.look(60, {kLateButSmall}) == 0);
    CHECK(source.rank() == 0);
}

TEST_CASE("a backlog that is not late stays first") {
    Ranked source(terms(5s));
    CHECK(source.look(60, {{5s, true, 1'000'000}}) == 0);
    CHECK(source.rank() == 0);
}

TEST_CASE("what has no max_staleness is never late") {
    Ranked source(terms(std::nullopt));
    CHECK(source.look(60, {{1h, true, 1'000'000}}) == 0);
    CHECK(source.rank() == 1);
}

TEST_CASE("a rank is lost and won again only by what lasts") {
    Ranked source(terms(5s));
    for (int i = 0; i < 10; ++i) CHECK(source.look(3, {kLate}) + source.look(1, {kInTime}) == 0);
    CHECK(source.look(4, {kLate}) == 1);
    CHECK(source.look(60, {kLateButSmall}) == 0);  // the backlog is gone, and it is late still
    for (int i = 0; i < 10; ++i) CHECK(source.look(3, {kInTime}) + source.look(1, {kLateButSmall}) == 0);
    CHECK(source.rank() == 2);
    CHECK(source.look(4, {kInTime}) == 1);
    CHECK(source.rank() == 0);
}

TEST_CASE("one partition makes a source late, and all make it keep its limit again") {
    Ranked source(terms(5s));
    CHECK(source.look(4, {kInTime, kLate}) == 1);
    CHECK(source.look(60, {kLateButSmall, kInTime}) == 0);
    CHECK(source.look(4, {kInTime, kInTime}) == 1);
}

TEST_CASE("a life that has just begun does not win the rank again: nobody knows yet how late it is") {
    Ranked source(terms(5s));
    CHECK(source.look(60, {kNotKnown}) == 0);
    CHECK(source.look(4, {kLate}) == 1);
    CHECK(source.look(60, {kNotKnown}) == 0);
    CHECK(source.look(60, {}) == 0);
    CHECK(source.rank() == 2);
}

TEST_CASE("what was never in time since its life began is late all the same") {
    Ranked source(terms(5s));
    CHECK(source.look(4, {{6s, false, kBacklog}}) == 1);
}

TEST_CASE("a priority is worth one rank") {
    CHECK(Ranked(terms(std::nullopt, Priority::high)).rank() == Ranked(terms(5s)).rank());
    CHECK(Ranked(terms(5s, Priority::low)).rank() == Ranked(terms(std::nullopt)).rank());
}

std::shared_ptr<TurnOrder::Seat> sit(const std::shared_ptr<TurnOrder>& order, const std::string& source,
                                     std::optional<Duration> max_staleness) {
    return TurnOrder::sit(order, source, terms(max_staleness));
}

// The first and the last look of a while.
std::optional<TurnChange> sees_for_a_while(TurnOrder::Seat& seat, const TurnLook& look,
                                           TurnJudge::SteadyTime from = kOpening) {
    CHECK(!seat.look(from, look));
    return seat.look(from + 3s, look);
}

TEST_CASE("a source gives way to one of a better rank, and only then") {
    const auto order = std::make_shared<TurnOrder>();
    const auto a = sit(order, "a", std::nullopt), b = sit(order, "b", std::nullopt);
    CHECK((!a->gives_way() && !b->gives_way()));
    const auto c = sit(order, "c", 5s);
    CHECK((a->gives_way() && b->gives_way() && !c->gives_way()));
}

TEST_CASE("a source that is flooded gives way to one that keeps its limit, and is told of once") {
    const auto order = std::make_shared<TurnOrder>();
    const auto flood = sit(order, "flood", 5s), light = sit(order, "light", 5s);
    CHECK((!flood->gives_way() && !light->gives_way()));
    const auto change = sees_for_a_while(*flood, kLate);
    REQUIRE(change);
    CHECK(change->source == "flood");
    CHECK((change->before == 0 && change->after == 2 && change->worst == kLate));
    CHECK((flood->gives_way() && !light->gives_way()));
    CHECK(!flood->look(kOpening + 10s, kLate));
    CHECK(!light->look(kOpening + 10s, kInTime));
    CHECK(sees_for_a_while(*flood, kInTime, kOpening + 11s));
    CHECK(!flood->gives_way());
}

TEST_CASE("the partitions of a source are worth the same, are told of once, and never give way to each other") {
    const auto order = std::make_shared<TurnOrder>();
    const auto first = sit(order, "a", 5s), second = sit(order, "a", 5s);
    CHECK(!first->look(kOpening, kInTime));
    CHECK(sees_for_a_while(*second, kLate));
    CHECK(!first->look(kOpening + 3s, kInTime));
    CHECK((!first->gives_way() && !second->gives_way()));
    const auto other = sit(order, "b", 5s);
    CHECK((first->gives_way() && second->gives_way() && !other->gives_way()));
}

TEST_CASE("who leaves is given way to no more") {
    const auto order = std::make_shared<TurnOrder>();
    const auto stays = sit(order, "a", std::nullopt);
    auto leaves = sit(order, "b", 5s);
    CHECK(stays->gives_way());
    leaves.reset();
    CHECK(!stays->gives_way());
}

TEST_CASE("a rank outlives the lives of the partitions") {
    const auto order = std::make_shared<TurnOrder>();
    const auto other = sit(order, "b", 5s);
    auto life = sit(order, "a", 5s);
    CHECK(sees_for_a_while(*life, kLate));
    life.reset();
    life = sit(order, "a", 5s);
    CHECK(life->gives_way());
    CHECK(!sees_for_a_while(*life, kNotKnown, kOpening + 10s));
    CHECK(life->gives_way());
}

TEST_CASE("a source sheds in all of its partitions, tells of it once, and not after it has left") {
    const auto order = std::make_shared<TurnOrder>();
    const ShedJudge::Terms shed_terms{5s, kBacklog, 10s, 20s};
    const auto sit = [&] { return TurnOrder::sit(order, "orders", terms(5s), shed_terms); };
    const auto first = sit(), second = sit();
    std::vector<ShedChange> told;
    const auto look = [&](int from, int to) {
        for (int i = from; i < to; ++i) {
            first->look(kOpening + i * 1s, {9s, true, kBacklog, i});
            second->look(kOpening + i * 1s, {7s, true, 0, i});
            for (const auto& seat : {first, second})
                if (auto change = seat->take_shed_change()) told.push_back(*change);
        }
    };
    look(0, 30);
    REQUIRE(told.size() == 1);
    CHECK(told[0].source == "orders");
    CHECK(told[0].sheds);
    CHECK(told[0].staleness == 9s);
    CHECK(told[0].to_come == kBacklog);
    CHECK(first->sheds());
    CHECK(second->sheds());
    order->left("orders");
    CHECK_FALSE(second->sheds());
    CHECK(told.size() == 1);
}

}  // namespace
}  // namespace freshet
