// Dead letters as their topic holds them, and which of them were sent again.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/ids.hpp"

namespace freshet {

// Of a letter, in the topic of dead letters.
struct LetterPlace {
    PartitionId partition;
    Offset offset;

    friend auto operator<=>(const LetterPlace&, const LetterPlace&) = default;
    std::string text() const { return std::to_string(partition.value) + ":" + std::to_string(offset.value); }
};

// The event that a letter is about. The time tells it from one at the same place of a topic that was made anew.
struct LetterEvent {
    Partition origin;
    Offset offset;
    Timestamp timestamp;

    friend auto operator<=>(const LetterEvent&, const LetterEvent&) = default;
};

struct Letter {
    LetterPlace place;
    Timestamp written;
    LetterEvent event;
    std::string reason;
    std::string message;
    std::string view;  // when only one view refused it
};

// What a command asks for; empty or none: any.
struct LetterFilter {
    std::string topic;  // where the event came from
    std::string reason;
    std::optional<LetterPlace> place;

    bool takes(const Letter& letter) const {
        return (topic.empty() || topic == letter.event.origin.topic) &&
               (reason.empty() || reason == letter.reason) && (!place || *place == letter.place);
    }
};

// Fed with a topic of dead letters from its beginning to an end; a letter's receipt may come before it or
// after.
//
// One event may have several letters: each view that refuses it writes one, and a node that takes a partition
// over may write one again. It is sent again once.
class LetterLedger {
public:
    struct Count {
        std::size_t letters = 0;
        std::size_t replayed = 0;
        Timestamp first;
        Timestamp last;  // of those `written`
    };
    // By the topic that the event came from, and the reason.
    using Counts = std::map<std::pair<std::string, std::string>, Count>;

    // What shall be sent again, and why the other letters that the filter takes shall not.
    struct Plan {
        std::set<LetterPlace> places;  // of one letter an event
        std::map<std::pair<std::string, std::string>, std::size_t> events;
        std::size_t replayed = 0;  // before
        std::size_t repeated = 0;  // a second letter of an event
        std::size_t of_views = 0;  // the event counts in other views, and would count there twice
        std::size_t unknown = 0;   // no source reads its topic
    };

    void letter(Letter letter);
    void receipt(LetterEvent event) { replayed_.insert(std::move(event)); }

    bool replayed(const LetterEvent& event) const { return replayed_.contains(event); }
    Counts counts(const LetterFilter& filter) const;
    // `topics`: those that sources read. Letters of views are taken only where the filter names their reason or
    // their place.
    Plan plan(const LetterFilter& filter, const std::set<std::string>& topics) const;

private:
    std::vector<Letter> letters_;  // without their messages
    std::set<LetterEvent> replayed_;
};

}  // namespace freshet
