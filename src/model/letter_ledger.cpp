#include "model/letter_ledger.hpp"

#include <algorithm>

#include "model/dead_letter.hpp"

namespace freshet {

void LetterLedger::letter(Letter letter) {
    letter.message.clear();
    letter.message.shrink_to_fit();
    letters_.push_back(std::move(letter));
}

LetterLedger::Counts LetterLedger::counts(const LetterFilter& filter) const {
    Counts counts;
    for (const Letter& letter : letters_) {
        if (!filter.takes(letter)) continue;
        const auto [it, is_new] = counts.try_emplace({letter.event.origin.topic, letter.reason});
        Count& count = it->second;
        ++count.letters;
        if (replayed(letter.event)) ++count.replayed;
        count.first = is_new ? letter.written : std::min(count.first, letter.written);
        count.last = is_new ? letter.written : std::max(count.last, letter.written);
    }
    return counts;
}

LetterLedger::Plan LetterLedger::plan(const LetterFilter& filter, const std::set<std::string>& topics) const {
    const bool views_too = filter.place || filter.reason == name_of(DeadLetterReason::no_entity);
    Plan plan;
    std::set<LetterEvent> taken;
    for (const Letter& letter : letters_) {
        if (!filter.takes(letter)) continue;
        if (!topics.contains(letter.event.origin.topic)) {
            ++plan.unknown;
        } else if (replayed(letter.event)) {
            ++plan.replayed;
        } else if (!letter.view.empty() && !views_too) {
            ++plan.of_views;
        } else if (!taken.insert(letter.event).second) {
            ++plan.repeated;
        } else {
            plan.places.insert(letter.place);
            ++plan.events[{letter.event.origin.topic, letter.reason}];
        }
    }
    return plan;
}

}  // namespace freshet
