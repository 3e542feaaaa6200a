#include "model/letter_ledger.hpp"

#include <doctest/doctest.h>

using namespace freshet;

namespace {

LetterEvent event(std::int64_t offset, const std::string& topic = "orders") {
    return {{topic, PartitionId{3}}, Offset{offset}, from_unix_ms(1000 + offset)};
}

// Written at the second of its offset.
Letter letter(std::int64_t at, LetterEvent about, const std::string& reason = "malformed",
              const std::string& view = "") {
    return {{PartitionId{0}, Offset{at}}, from_unix_ms(at * 1000), std::move(about), reason, "why", view};
}

std::set<LetterPlace> places(std::initializer_list<std::int64_t> offsets) {
    std::set<LetterPlace> all;
    for (const auto offset : offsets) all.insert({PartitionId{0}, Offset{offset}});
    return all;
}

const std::set<std::string> kTopics{"orders"};

}  // namespace

TEST_CASE("letters are counted by topic and reason, with the first and last time") {
    LetterLedger ledger;
    ledger.letter(letter(5, event(1)));
    ledger.letter(letter(2, event(2)));
    ledger.letter(letter(3, event(3), "no_time"));
    ledger.letter(letter(4, event(1, "visits")));
    ledger.receipt(event(2));
    const auto counts = ledger.counts({});
    CHECK(counts.size() == 3);
    const auto& malformed = counts.at({"orders", "malformed"});
    CHECK(malformed.letters == 2);
    CHECK(malformed.replayed == 1);
    CHECK(malformed.first == from_unix_ms(2000));
    CHECK(malformed.last == from_unix_ms(5000));
    CHECK(counts.at({"visits", "malformed"}).replayed == 0);
    CHECK(ledger.counts({"visits", "", {}}).size() == 1);
    CHECK(ledger.counts({"", "no_time", {}}).size() == 1);
}

TEST_CASE("what has a receipt is not sent again, whichever was read first") {
    LetterLedger ledger;
    ledger.receipt(event(1));
    ledger.letter(letter(0, event(1)));
    ledger.letter(letter(1, event(2)));
    ledger.letter(letter(2, event(3)));
    ledger.receipt(event(3));
    const auto plan = ledger.plan({}, kTopics);
    CHECK(plan.places == places({1}));
    CHECK(plan.replayed == 2);
    CHECK(plan.events.at({"orders", "malformed"}) == 1);
}

TEST_CASE("a filter leaves holes that a later replay fills") {
    LetterLedger ledger;
    ledger.letter(letter(0, event(1)));
    ledger.letter(letter(1, event(2), "no_time"));
    ledger.letter(letter(2, event(3)));
    CHECK(ledger.plan({"", "malformed", {}}, kTopics).places == places({0, 2}));
    ledger.receipt(event(1));
    ledger.receipt(event(3));
    CHECK(ledger.plan({}, kTopics).places == places({1}));
    CHECK(ledger.plan({"", "", LetterPlace{PartitionId{0}, Offset{2}}}, kTopics).places.empty());
}

TEST_CASE("an event with several letters is sent once") {
    LetterLedger ledger;
    ledger.letter(letter(0, event(1)));
    ledger.letter(letter(1, event(1)));
    const auto plan = ledger.plan({}, kTopics);
    CHECK(plan.places == places({0}));
    CHECK(plan.repeated == 1);
    LetterEvent anew = event(1);
    anew.timestamp = from_unix_ms(9999);  // another event, of a topic that was made anew
    ledger.letter(letter(2, anew));
    CHECK(ledger.plan({}, kTopics).places == places({0, 2}));
}

TEST_CASE("a letter of one view waits to be asked for, since the event counts in the others") {
    LetterLedger ledger;
    ledger.letter(letter(0, event(1), "no_entity", "by_store"));
    ledger.letter(letter(1, event(1), "no_entity", "by_city"));
    const auto plan = ledger.plan({}, kTopics);
    CHECK(plan.places.empty());
    CHECK(plan.of_views == 2);
    CHECK(ledger.plan({"", "no_entity", {}}, kTopics).places == places({0}));
    CHECK(ledger.plan({"", "", LetterPlace{PartitionId{0}, Offset{1}}}, kTopics).places == places({1}));
}

TEST_CASE("a letter of a topic that no source reads stays") {
    LetterLedger ledger;
    ledger.letter(letter(0, event(1, "gone")));
    const auto plan = ledger.plan({}, kTopics);
    CHECK(plan.places.empty());
    CHECK(plan.unknown == 1);
}
