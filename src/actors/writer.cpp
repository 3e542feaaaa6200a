#include "actors/writer.hpp"

#include <algorithm>
#include <deque>

#include "io/log.hpp"
#include "io/metrics.hpp"
#include "model/flush_queue.hpp"

namespace freshet {

namespace {

using std::chrono::milliseconds;
constexpr milliseconds kFirstRetry{20};
constexpr milliseconds kLongestRetry{1000};

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
            [this](FlushRequest& r) { return queue_flush(r); },
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
    using FlushPromise = caf::typed_response_promise<Flushed>;
    template <class Request, class Answer>
    using Queue = std::deque<Pending<Request, Answer>>;

    template <class Request, class Answer>
    caf::typed_response_promise<Answer> queue(Queue<Request, Answer>& pending, Request request,
                                              caf::typed_response_promise<Answer> promise) {
        pending.push_back({std::move(request), promise});
        schedule(milliseconds{0});
        return promise;
    }

    FlushPromise queue_flush(FlushRequest& request) {
        auto promise = make_response_promise<Flushed>();
        flushes_.add(promise, request.partition, request.epoch, std::move(*request.calls), request.gives_way);
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
            back_off_ = kFirstRetry;
            // What gave way goes on behind all that has come meanwhile.
            if (!flushes_.empty() || !loads_.empty()) schedule(milliseconds{0});
            return;
        }
        schedule(back_off_);
        back_off_ = std::min(back_off_ * 2, kLongestRetry);
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

    bool take_epochs() {
        for (; !epochs_.empty(); epochs_.pop_front()) {
            auto& [request, promise] = epochs_.front();
            auto taken = store_->take_epoch(request.claim);
            if (!was_answered(taken)) return false;
            if (taken) book_.taken(request.claim.partition, taken->epoch, taken->calls);
            promise.deliver(EpochTaken{std::make_shared<Result<TakenEpoch>>(std::move(taken))});
        }
        return true;
    }

    bool write_flushes() {
        if (flushes_.empty()) return true;
        std::vector<WriteCall> calls = flushes_.next_pipeline(book_);
        const auto results = store_->write(calls);
        auto answer = flushes_.answered(book_, std::move(calls), results);
        for (auto& flush : answer.settled) flush.token.deliver(Flushed{flush.epoch, flush.outcome});
        return was_answered(answer.unavailable ? &*answer.unavailable : nullptr);
    }

    bool do_loads() {
        std::stable_partition(loads_.begin(), loads_.end(),
                              [](const auto& load) { return !load.request.gives_way; });
        for (bool gave_way = false; !loads_.empty() && !gave_way; loads_.pop_front()) {
            auto& [request, promise] = loads_.front();
            gave_way = request.gives_way;
            const auto fence = book_.fence(request.partition, request.epoch);
            Result<std::vector<LoadedPartial>> loaded = FenceBook::over(request.partition);
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
            const auto fence = book_.fence(request.partition, request.epoch);
            Result<Advanced> advanced = FenceBook::over(request.partition);
            if (fence) advanced = store_->advance(*fence, request.update);
            if (!was_answered(advanced)) return false;
            if (advanced) {
                const auto risen = book_.acked(request.partition, request.epoch, advanced->calls);
                if (!risen) advanced = risen.error();
            }
            promise.deliver(
                AdvanceDone{request.epoch, std::make_shared<Result<Advanced>>(std::move(advanced))});
        }
        return true;
    }

    std::unique_ptr<PartialStore> store_;
    Metrics& metrics_;
    Queue<TakeEpochRequest, EpochTaken> epochs_;
    Queue<LoadRequest, Loaded> loads_;
    FlushQueue<WriteCall, FlushPromise> flushes_;
    Queue<AdvanceRequest, AdvanceDone> advances_;
    FenceBook book_;
    bool scheduled_ = false;
    bool unreachable_ = false;
    milliseconds back_off_ = kFirstRetry;
};

}  // namespace

WriterActor spawn_writer(caf::actor_system& system, std::unique_ptr<PartialStore> store, Metrics& metrics,
                         Thread thread) {
    return thread == Thread::own ? system.spawn<Writer, caf::detached>(std::move(store), std::ref(metrics))
                                 : system.spawn<Writer>(std::move(store), std::ref(metrics));
}

}  // namespace freshet
