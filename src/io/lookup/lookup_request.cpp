#include "io/lookup/lookup_request.hpp"

#include <algorithm>

#include "io/lookup/lookup_engine.hpp"

namespace freshet {

namespace {

// What a request that is not in use holds on to.
constexpr std::size_t kKeptBody = 256 * 1024;
constexpr std::size_t kKeptRows = 1024;

}  // namespace

void LookupRequest::replied(std::uint64_t tag, const RedisAnswer& answer) {
    engine.replied(*this, tag, answer);
}
void LookupRequest::lost(std::uint64_t tag) { engine.lost(*this, tag); }

void LookupRequest::reset() {
    waiter = nullptr;
    kind = Kind::local;
    command = {};
    protocol = Resp::v2;
    done = failed = read_again = not_yet = false;
    own_event.reset();
    missing = confirmed = false;
    in_order = true;
    waiting = 0;
    attempts = redirections = 0;
    try_again.clear();
    moments.clear();
    watch = nullptr;
    shape.reset();
    corrupt.reset();
    whole = nullptr;
    if (body.capacity() > kKeptBody) body = {};
    if (std::max(rows.capacity(), vector.entity_of.capacity()) > kKeptRows) {
        rows = {};
        query = {};
        vector = {};
    }
    body.clear();
    rows.clear();
    query.clear();
    vector.clear();
}

LookupRequest& LookupRequestPool::take(LookupEngine& engine) {
    if (free_.empty()) free_.push_back(all_.emplace_back(std::make_unique<LookupRequest>(engine)).get());
    LookupRequest& request = *free_.back();
    free_.pop_back();
    return request;
}

void LookupRequestPool::give_back(LookupRequest& request) {
    for (LookupRequest* part : request.parts) give_back(*part);
    request.parts.clear();
    request.reset();
    free_.push_back(&request);
}

}  // namespace freshet
