// Flushes on their way to a primary: all that wait leave as one pipeline of fenced calls, but for those that
// give way to others, and what was not answered leaves again with the next one.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "model/fence.hpp"

namespace freshet {

// A Call has a member `fence`, which is filled in here. A Token is whom the answer is for.
template <class Call, class Token>
class FlushQueue {
public:
    struct Settled {
        Token token;
        Epoch epoch;
        Result<void> outcome;
    };

    // `gives_way`: others should not wait for it.
    void add(Token token, const Partition& partition, Epoch epoch, std::vector<Call> calls,
             bool gives_way = false) {
        waiting_.push_back({std::move(token), partition, epoch, std::move(calls), gives_way});
    }
    bool empty() const { return waiting_.empty(); }
    void clear() { waiting_.clear(); }

    // Everything that waits, but of what gives way only the first, fenced by what was acked last. Flushes of a
    // life that is over send nothing. To be followed by answered(); what is added between waits for the next
    // pipeline.
    std::vector<Call> next_pipeline(const FenceBook& book) {
        std::vector<Call> calls;
        std::deque<Flush> later;
        take_turns(later);
        for (Flush& flush : waiting_) {
            const auto fence = book.fence(flush.partition, flush.epoch);
            if (!fence) flush.calls.clear();
            for (Call& call : flush.calls) {
                call.fence = *fence;
                calls.push_back(std::move(call));
            }
        }
        away_ = std::move(waiting_);
        waiting_ = std::move(later);
        return calls;
    }

    struct Answered {
        std::vector<Settled> settled;      // the flushes that are done
        std::optional<Error> unavailable;  // the first call without an answer: it waits again
    };
    // `calls`: those of next_pipeline(), `results`: one for each, the record's `calls` after it.
    Answered answered(FenceBook& book, std::vector<Call> calls,
                      std::span<const Result<std::uint64_t>> results) {
        Answered answer;
        std::size_t at = 0;
        std::deque<Flush> again;
        for (Flush& flush : away_) {
            const std::size_t size = std::exchange(flush.calls, {}).size();
            Result<void> outcome;
            if (!book.fence(flush.partition, flush.epoch)) outcome = FenceBook::over(flush.partition);
            for (const std::size_t end = at + size; at < end; ++at) {
                if (results[at]) {
                    if (auto risen = book.acked(flush.partition, flush.epoch, *results[at]); !risen)
                        outcome = risen;
                } else if (results[at].error().code == Errc::unavailable) {
                    if (!answer.unavailable) answer.unavailable = results[at].error();
                    flush.calls.push_back(std::move(calls[at]));
                } else {
                    outcome = results[at].error();
                }
            }
            if (!flush.calls.empty() && outcome) {
                again.push_back(std::move(flush));
            } else {
                answer.settled.push_back({std::move(flush.token), flush.epoch, std::move(outcome)});
            }
        }
        away_.clear();
        waiting_.insert(waiting_.begin(), std::make_move_iterator(again.begin()),
                        std::make_move_iterator(again.end()));
        return answer;
    }

private:
    struct Flush {
        Token token;
        Partition partition;
        Epoch epoch;
        std::vector<Call> calls;
        bool gives_way = false;
    };

    // Of what waits and gives way, all but the first go to `later`; what does not goes ahead of it.
    void take_turns(std::deque<Flush>& later) {
        std::stable_partition(waiting_.begin(), waiting_.end(), [](const Flush& f) { return !f.gives_way; });
        const auto first = std::find_if(waiting_.begin(), waiting_.end(), std::mem_fn(&Flush::gives_way));
        if (first == waiting_.end()) return;
        later.assign(std::make_move_iterator(first + 1), std::make_move_iterator(waiting_.end()));
        waiting_.erase(first + 1, waiting_.end());
    }

    std::deque<Flush> waiting_;
    std::deque<Flush> away_;
};

}  // namespace freshet
