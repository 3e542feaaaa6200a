#include "actors/writer.hpp"

#include <algorithm>
#include <deque>
#include <map>

#include "io/log.hpp"
#include "io/metrics.hpp"

namespace freshet {

namespace {

using std::chrono::milliseconds;
constexpr milliseconds kFirstBackOff{20};
constexpr milliseconds kLongestBackOff{1000};

class Writer : public WriterActor::base {
public:
    Writer(caf::actor_config& config, std::unique_ptr<PartialStore> store, Metrics& metrics)
        : WriterActor::base(config), store_(std::move(store)), metrics_(metrics) {}

    const char* name() const override { return "writer"; }

protected:
    behavior_type make_behavior() override {
        return {
            [this](TakeEpochRequest& r) {
                return queue(epochs_, std::move(r), make_response_promise<EpochTaken>());
            },
            [this](LoadRequest& r) { return queue(loads_, std::move(r), make_response_promise<Loaded>()); },
            [this](FlushRequest& r) { return queue(flushes_, std::move(r), make_response_promise<Flushed>()); },
            [this](AdvanceRequest& r) {
                return queue(advances_, std::move(r), make_response_promise<AdvanceDone>());
            },
            [this](WriterWork) { work(); },
        };
    }

    // A promise keeps this actor alive, and with it the thread that the end of the process waits for.
    void on_exit() override {
        epochs_.clear();
        loads_.clear();
        flushes_.clear();
        advances_.clear();
    }

private:
    template <class Request, class Answer>
    struct Pending {
        Request request;
        caf::typed_response_promise<Answer> promise;
    };
    template <class Request, class Answer>
    using Queue = std::deque<Pending<Request, Answer>>;

    // What this node owns and how many of its calls were acked: the fence of the next call.
    struct Ownership {
        Epoch epoch;
        std::uint64_t acked_calls;
    };

    template <class Request, class Answer>
    caf::typed_response_promise<Answer> queue(Queue<Request, Answer>& pending, Request request,
                                              caf::typed_response_promise<Answer> promise) {
        pending.push_back({std::move(request), promise});
        schedule(milliseconds{0});
        return promise;
    }

    // The work message lines up behind the requests that are in the mailbox already, which thus share one
    // pipeline.
    void schedule(milliseconds delay) {
        if (scheduled_) return;
        scheduled_ = true;
        if (delay.count() == 0) {
            send(this, WriterWork{});
        } else {
            delayed_send(this, delay, WriterWork{});
        }
    }

    void work() {
        scheduled_ = false;
        const bool answered = take_epochs() && write_flushes() && do_loads() && do_advances();
        if (answered) {
            back_off_ = kFirstBackOff;
            return;
        }
        schedule(back_off_);
        back_off_ = std::min(back_off_ * 2, kLongestBackOff);
    }

    // Whether Redis answered at all; if not, the request stays where it is. Logs the first of a row.
    bool was_answered(const Error* error) {
        if (error && error->code == Errc::unavailable) {
            metrics_.redis_error();
            if (!std::exchange(unreachable_, true)) log::warn(error->message + "; trying again");
            return false;
        }
        if (std::exchange(unreachable_, false)) log::info("redis answers again");
        return true;
    }
    template <class T>
    bool was_answered(const Result<T>& result) {
        return was_answered(result ? nullptr : &result.error());
    }

    std::optional<Fence> fence_of(const Partition& partition, Epoch epoch) const {
        const auto owned = owned_.find(partition);
        if (owned == owned_.end() || owned->second.epoch != epoch) return std::nullopt;
        return Fence{partition, epoch, owned->second.acked_calls};
    }
    void acked(const Partition& partition, std::uint64_t calls) {
        auto& known = owned_[partition].acked_calls;
        known = std::max(known, calls);
    }

    bool take_epochs() {
        for (; !epochs_.empty(); epochs_.pop_front()) {
            auto& [request, promise] = epochs_.front();
            auto taken = store_->take_epoch(request.claim);
            if (!was_answered(taken)) return false;
            if (taken) owned_[request.claim.partition] = {taken->epoch, taken->calls};
            promise.deliver(EpochTaken{std::make_shared<Result<TakenEpoch>>(std::move(taken))});
        }
        return true;
    }

    static Error ended(const Partition& partition) {
        return {Errc::fenced, partition.text() + " has begun a new life"};
    }

    bool write_flushes() {
        while (!flushes_.empty()) {
            std::vector<WriteCall> calls;
            std::vector<std::size_t> sizes;  // calls of each flush; 0: its life ended
            for (auto& [request, promise] : flushes_) {
                const auto fence = fence_of(request.partition, request.epoch);
                sizes.push_back(fence ? request.calls->size() : 0);
                if (!fence) continue;
                for (WriteCall& call : *request.calls) {
                    call.fence = *fence;
                    calls.push_back(std::move(call));
                }
            }
            const auto results = store_->write(calls);
            if (!settle_flushes(calls, results, sizes)) return false;
        }
        return true;
    }

    // Answers the flushes that are done; those that are not get their calls back.
    bool settle_flushes(std::vector<WriteCall>& calls, const std::vector<Result<std::uint64_t>>& results,
                        const std::vector<std::size_t>& sizes) {
        std::size_t at = 0;
        bool answered = true;
        for (const std::size_t size : sizes) {
            auto pending = std::move(flushes_.front());
            flushes_.pop_front();
            const FlushRequest& request = pending.request;
            Result<void> outcome;
            std::vector<WriteCall> again;
            if (!fence_of(request.partition, request.epoch)) outcome = ended(request.partition);
            for (std::size_t i = at; i < at + size; ++i) {
                if (results[i]) {
                    acked(request.partition, *results[i]);
                } else if (results[i].error().code == Errc::unavailable) {
                    if (answered) was_answered(results[i]);
                    answered = false;
                    again.push_back(std::move(calls[i]));
                } else {
                    outcome = results[i].error();
                }
            }
            at += size;
            if (!again.empty() && outcome) {
                *request.calls = std::move(again);
                flushes_.push_back(std::move(pending));
            } else {
                pending.promise.deliver(Flushed{request.epoch, outcome});
            }
        }
        if (answered) was_answered(nullptr);
        return answered;
    }

    bool do_loads() {
        for (; !loads_.empty(); loads_.pop_front()) {
            auto& [request, promise] = loads_.front();
            const auto fence = fence_of(request.partition, request.epoch);
            Result<std::vector<LoadedPartial>> loaded = ended(request.partition);
            if (fence) loaded = store_->load(*fence, *request.keys);
            if (!was_answered(loaded)) return false;
            promise.deliver(
                Loaded{request.epoch, std::make_shared<Result<std::vector<LoadedPartial>>>(std::move(loaded))});
        }
        return true;
    }

    bool do_advances() {
        for (; !advances_.empty(); advances_.pop_front()) {
            auto& [request, promise] = advances_.front();
            const auto fence = fence_of(request.partition, request.epoch);
            Result<Advanced> advanced = ended(request.partition);
            if (fence) advanced = store_->advance(*fence, request.partitions, request.views);
            if (!was_answered(advanced)) return false;
            if (advanced) acked(request.partition, advanced->calls);
            promise.deliver(
                AdvanceDone{request.epoch, std::make_shared<Result<Advanced>>(std::move(advanced))});
        }
        return true;
    }

    std::unique_ptr<PartialStore> store_;
    Metrics& metrics_;
    Queue<TakeEpochRequest, EpochTaken> epochs_;
    Queue<LoadRequest, Loaded> loads_;
    Queue<FlushRequest, Flushed> flushes_;
    Queue<AdvanceRequest, AdvanceDone> advances_;
    std::map<Partition, Ownership> owned_;
    bool scheduled_ = false;
    bool unreachable_ = false;
    milliseconds back_off_ = kFirstBackOff;
};

}  // namespace

WriterActor spawn_writer(caf::actor_system& system, std::unique_ptr<PartialStore> store, Metrics& metrics,
                         Thread thread) {
    return thread == Thread::own ? system.spawn<Writer, caf::detached>(std::move(store), std::ref(metrics))
                                 : system.spawn<Writer>(std::move(store), std::ref(metrics));
}

}  // namespace freshet
