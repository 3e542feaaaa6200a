#include "io/lookup/replica_history.hpp"

#include <utility>

#include "io/log.hpp"

namespace freshet {

namespace {

constexpr Duration kAskAgain{100};

std::string_view value_of(std::string_view info, std::string_view field) {
    for (std::size_t at = info.find(field); at != std::string_view::npos; at = info.find(field, at + 1)) {
        if (at > 0 && info[at - 1] != '\n') continue;
        info.remove_prefix(at + field.size());
        return info.substr(0, info.find_first_of("\r\n"));
    }
    return {};
}

}  // namespace

// A replica has the id of its primary's stream. A stream only goes on, and a primary begins another one when it
// is promoted, and when it is started again.
ReplicaState ReplicaState::parse(std::string_view info) {
    ReplicaState state;
    state.history = value_of(info, "master_replid:");
    state.linked = value_of(info, "role:") == "slave" && value_of(info, "master_link_status:") == "up" &&
                   value_of(info, "master_sync_in_progress:") == "0";
    return state;
}

void ReplicaHistory::keep_up(Clock::time_point now) {
    if (now - asked_ < kAskAgain) return;
    asked_ = now;
    wanted_ = true;
}

bool ReplicaHistory::read_by(RedisPipeline::Receiver& reader, std::uint64_t tag) {
    if (!readers_.empty() && readers_.back().receiver == &reader) return false;
    readers_.push_back({&reader, tag});
    return wanted_ = true;
}

void ReplicaHistory::ask() {
    if (!redis_.connected() || !std::exchange(wanted_, false)) return;
    append_redis_command(redis_.out(), {"INFO", "replication"});
    redis_.expect(*this, 0);
    waiting_.push_back(std::exchange(readers_, {}));
}

void ReplicaHistory::replied(std::uint64_t, const RedisAnswer& answer) {
    const ReplicaState before =
        std::exchange(state_, ReplicaState::parse(answer.is_error() ? "" : answer.text));
    if (answer.is_error() && std::exchange(refused_, answer.text) != answer.text)
        log::warn(redis_.where() + " cannot be read as a replica, INFO replication says: " + refused_);
    const bool goes_on = !state_.history.empty() && state_.history == before.history;
    if (!goes_on) broken_();
    const std::vector<Reader> readers = std::move(waiting_.front());
    waiting_.pop_front();
    for (const Reader& reader : readers)
        goes_on ? reader.receiver->replied(reader.tag, answer) : reader.receiver->lost(reader.tag);
}

void ReplicaHistory::lost(std::uint64_t) {
    const std::vector<Reader> readers = std::move(waiting_.front());
    waiting_.pop_front();
    for (const Reader& reader : readers) reader.receiver->lost(reader.tag);
}

void ReplicaHistory::forget() {
    state_ = {};
    wanted_ = false;
    asked_ = {};
    for (const Reader& reader : std::exchange(readers_, {})) reader.receiver->lost(reader.tag);
}

}  // namespace freshet
