// What of the batches of a partition is still under way.
#pragma once

#include <cstddef>
#include <deque>

#include "model/ids.hpp"

namespace freshet {

class Inflight {
public:
    // A batch that ends before `next`, which rises from call to call, has `amount` of what is counted here.
    void shipped(Offset next, std::size_t amount) {
        batches_.push_back({next, amount});
        sum_ += amount;
    }
    // Batches that end at or before `next` are done.
    void done(Offset next) {
        for (; !batches_.empty() && batches_.front().next <= next; batches_.pop_front())
            sum_ -= batches_.front().amount;
    }
    std::size_t sum() const { return sum_; }

private:
    struct Batch {
        Offset next;
        std::size_t amount;
    };
    std::deque<Batch> batches_;
    std::size_t sum_ = 0;
};

}  // namespace freshet
