#include "node.hpp"

namespace freshet::simulation {

namespace {

// The reply to the one call of a pipeline; none: not answered.
template <class T>
Result<T> only(std::vector<Reply>& replies) {
    if (replies.empty()) return Error{Errc::unavailable, "no answer"};
    return std::get<Result<T>>(std::move(replies.front()));
}
template <class T>
bool again(const Result<T>& result) {
    return !result && result.error().code == Errc::unavailable;
}

}  // namespace

void Writer::take(std::size_t partition, std::uint64_t life, PartitionClaim claim) {
    takes_.push_back({partition, life, std::move(claim)});
}

void Writer::load(std::size_t partition, std::size_t aggregator, Epoch epoch, Generation generation,
                  std::vector<EntityKey> keys) {
    loads_.push_back({partition, aggregator, epoch, generation,
                      std::make_shared<const std::vector<EntityKey>>(std::move(keys))});
}

void Writer::flush(std::size_t partition, std::size_t aggregator, Epoch epoch, std::vector<WriteCall> calls) {
    if (node_.plant == Plant::no_epoch && node_.consumers[partition].life())
        epoch = node_.consumers[partition].life()->epoch();
    flushes_.add({partition, aggregator}, partition_at(partition), epoch, std::move(calls));
}

void Writer::advance(std::size_t partition, Epoch epoch, ProgressUpdate update) {
    advances_.push_back({partition, epoch, std::move(update)});
}

void Writer::forget() {
    book_ = {};
    takes_.clear();
    flushes_ = {};
    loads_.clear();
    advances_.clear();
    flight_.reset();
}

bool Writer::idle() const {
    return !flight_ && takes_.empty() && flushes_.empty() && loads_.empty() && advances_.empty();
}

std::optional<Fence> Writer::fence(std::size_t partition, Epoch epoch) const {
    if (node_.plant == Plant::no_epoch && node_.consumers[partition].life())
        epoch = node_.consumers[partition].life()->epoch();
    return book_.fence(partition_at(partition), epoch);
}

std::vector<Call> Writer::next_pipeline() {
    if (flight_) return {};
    std::vector<Call> calls;
    if (!takes_.empty()) {
        flight_ = {Flight::Kind::take, {}};
        calls.push_back(TakeCall{takes_.front().claim});
        return calls;
    }
    while (!flushes_.empty()) {
        auto writes = flushes_.next_pipeline(book_);
        for (const WriteCall& call : writes) calls.push_back(call);
        flight_ = {Flight::Kind::write, std::move(writes)};
        if (!calls.empty()) return calls;
        answered({}, 0);  // all of lives that are over
    }
    while (!loads_.empty()) {
        const Load& load = loads_.front();
        if (const auto fenced = fence(load.partition, load.epoch)) {
            flight_ = {Flight::Kind::load, {}};
            calls.push_back(LoadCall{*fenced, load.generation, load.keys});
            return calls;
        }
        answer_load(FenceBook::over(partition_at(load.partition)));
    }
    while (!advances_.empty()) {
        const Advance& advance = advances_.front();
        if (const auto fenced = fence(advance.partition, advance.epoch)) {
            flight_ = {Flight::Kind::advance, {}};
            calls.push_back(AdvanceCall{*fenced, advance.update});
            return calls;
        }
        answer_advance(FenceBook::over(partition_at(advance.partition)));
    }
    return calls;
}

void Writer::answered(std::vector<Reply> replies, std::size_t calls) {
    const Flight::Kind kind = flight_->kind;
    if (kind == Flight::Kind::write) return answer_writes(std::move(replies), calls);
    flight_.reset();
    if (kind == Flight::Kind::take) {
        auto taken = only<TakenEpoch>(replies);
        if (again(taken)) return;
        const Take& take = takes_.front();
        if (taken) book_.taken(partition_at(take.partition), taken->epoch, taken->calls);
        node_.consumers[take.partition].mailbox.push_back(EpochTaken{take.life, std::move(taken)});
        takes_.pop_front();
    } else if (kind == Flight::Kind::load) {
        auto loaded = only<LoadedHeads>(replies);
        if (!again(loaded)) answer_load(std::move(loaded));
    } else {
        auto advanced = only<Advanced>(replies);
        if (!again(advanced)) answer_advance(std::move(advanced));
    }
}

void Writer::answer_load(Result<LoadedHeads> result) {
    const Load& load = loads_.front();
    node_.consumers[load.partition].aggregators[load.aggregator].mailbox.push_back(
        Loaded{load.epoch, load.keys, std::move(result)});
    loads_.pop_front();
}

void Writer::answer_advance(Result<Advanced> result) {
    const Advance& advance = advances_.front();
    if (result) {
        const auto fenced = fence(advance.partition, advance.epoch);
        if (fenced) {
            const auto risen = book_.acked(fenced->partition, fenced->epoch, result->calls);
            if (!risen) result = risen.error();
        }
    }
    node_.consumers[advance.partition].mailbox.push_back(AdvanceDone{advance.epoch, std::move(result)});
    advances_.pop_front();
}

void Writer::answer_writes(std::vector<Reply> replies, std::size_t calls) {
    std::vector<Result<std::uint64_t>> results;
    for (Reply& reply : replies) results.push_back(std::get<Result<std::uint64_t>>(std::move(reply)));
    while (results.size() < calls) results.push_back(Error{Errc::unavailable, "no answer"});
    auto writes = std::move(flight_->writes);
    flight_.reset();
    auto answer = flushes_.answered(book_, std::move(writes), results);
    for (auto& flush : answer.settled)
        node_.consumers[flush.token.partition].aggregators[flush.token.aggregator].mailbox.push_back(
            Flushed{flush.epoch, flush.outcome});
}

}  // namespace freshet::simulation
