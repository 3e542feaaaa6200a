// Kafka as the protocol sees it, and what only the oracle may know: every event there ever was.
#pragma once

#include <optional>
#include <vector>

#include "dice.hpp"
#include "model/log_identity.hpp"
#include "plan.hpp"

namespace freshet::simulation {

struct FakeEvent {
    enum class Fate {
        in_log,
        aged,      // gone by retention
        vanished,  // gone by truncation or with its topic: nobody can know that it was there
    };
    Timestamp time;
    Timestamp arrived;  // Kafka's timestamp
    std::size_t entity[kViews];
    std::int64_t amount;
    Fate fate = Fate::in_log;

    bool is_future() const { return time > arrived + plan().source.max_future; }
    bool passes(std::size_t view) const { return !is_future() && (view == 0 || amount > 2); }
};

class FakeLog {
public:
    Offset low() const { return low_; }
    Offset end() const { return Offset{static_cast<std::int64_t>(log_.size())}; }
    LogRange range() const { return {low_, end()}; }
    const std::vector<FakeEvent>& history() const { return history_; }
    const FakeEvent& at(Offset offset) const { return history_[index(offset)]; }
    std::optional<Offset> committed;

    void append(const FakeEvent& event) {
        log_.push_back(history_.size());
        history_.push_back(event);
    }
    // Where retention follows a cut, it may take every message that would tell of the cut.
    void drop_below(Offset low) {
        const auto fate = was_ever_cut() ? FakeEvent::Fate::vanished : FakeEvent::Fate::aged;
        for (; low_ < low; low_ = low_.next()) history_[index(low_)].fate = fate;
    }
    void make_anew() {
        for (FakeEvent& event : history_) event.fate = FakeEvent::Fate::vanished;
        low_ = Offset{0};
        log_.clear();
        committed.reset();
        cuts_.push_back(Offset{-1});
    }
    void truncate(Offset end) {
        cut_to(end);
        cuts_.push_back(end);
    }

    std::optional<LogMark> mark_at(Offset offset) const {
        if (offset < low_ || offset >= end()) return std::nullopt;
        return LogMark{offset, at(offset).arrived, index(offset)};
    }

    // A fetch is always pending at the broker, so a fetcher sees every cut below its position, and that its
    // topic was deleted.
    struct Fetcher {
        Offset position{};
        std::size_t cuts_seen = 0;
    };
    Fetcher fetch_from(Offset position) const { return {position, cuts_.size()}; }
    bool out_of_range(const Fetcher& fetcher) const {
        for (std::size_t i = fetcher.cuts_seen; i < cuts_.size(); ++i)
            if (cuts_[i] < fetcher.position) return true;
        return fetcher.position < low_ || fetcher.position > end();
    }
    bool was_ever_cut() const { return !cuts_.empty(); }

private:
    std::size_t index(Offset offset) const { return log_[static_cast<std::size_t>(offset.value)]; }
    void cut_to(Offset end) {
        for (Offset o = end; o < this->end(); o = o.next()) history_[index(o)].fate = FakeEvent::Fate::vanished;
        log_.resize(static_cast<std::size_t>(end.value));
    }

    std::vector<FakeEvent> history_;
    std::vector<std::size_t> log_;  // by offset: index into history_
    std::vector<Offset> cuts_;      // what was left after each; -1: a new topic
    Offset low_{0};
};

}  // namespace freshet::simulation
