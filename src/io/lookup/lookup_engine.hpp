// Answers look-ups inside one event loop: sends what they need through the pipeline and turns replies into
// rows.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/lookup/lookup_catalogue.hpp"
#include "io/lookup/lookup_observer.hpp"
#include "io/lookup/lookup_progress.hpp"
#include "io/lookup/lookup_request.hpp"
#include "io/lookup/resting_entities.hpp"
#include "io/redis/redis_pipeline.hpp"
#include "model/freshness_tracker.hpp"

namespace freshet {

class LookupEngine {
public:
    using Clock = RedisPipeline::Clock;
    // Writes the reply to FS.STATUS.
    using StatusWriter = std::function<void(RespWriter&)>;
    // To call look_again() after a time.
    using Later = std::function<void(Duration)>;

    LookupEngine(const LookupCatalogue& catalogue, RedisPipeline& redis, std::string prefix, Duration max_age,
                 LookupObserver& observer, StatusWriter status, Later later);

    // The time of this turn of the loop; set at its begin.
    Clock::time_point now{};
    std::chrono::nanoseconds spent() const { return Clock::now() - now; }

    LookupRequest& take();
    void give_back(LookupRequest& request) { requests_.give_back(request); }

    // request.query is filled in. The waiter hears of it when it is done; that may be at once.
    void start(LookupRequest& request);
    void fail(LookupRequest& request, std::string_view code, std::string_view message);
    // For requests that wait for their view to come as far as they ask.
    void look_again();
    // Tells the observer about a request that is done; `failed` by its code when it failed.
    void count(const LookupRequest& request);
    void count_error(std::string_view code) { observer_.failed(code); }

    LookupProgress& progress() { return progress_; }
    const LookupCatalogue& catalogue() const { return catalogue_; }
    RedisPipeline& redis() { return redis_; }

private:
    friend struct LookupRequest;

    // What a reply of Redis is about; its tag holds the row, too.
    enum class Step : std::uint64_t { heads, queued, whole, names, epoch };
    void expect(LookupRequest& request, Step step, std::size_t row);

    void start_parts(LookupRequest& request);
    void part_done(LookupRequest& whole);
    void send(LookupRequest& request);
    void send_reads(LookupRequest& request);
    void send_head(LookupRequest& request, std::size_t row);
    void send_whole(LookupRequest& request, std::size_t row);
    void replied(LookupRequest& request, std::uint64_t tag, const RedisAnswer& answer);
    void lost(LookupRequest& request);
    void handle(LookupRequest& request, Step step, std::size_t row, const RedisAnswer& answer);
    bool take_moment(LookupRequest& request);
    bool take_time(LookupRequest& request, const ViewProgressSummary& summary);
    void read_row(LookupRequest& request, std::size_t row, const RedisAnswer& heads);
    void read_whole(LookupRequest& request, std::size_t row, const RedisAnswer& both);
    // Null, or false: the request has failed, or is to be read again.
    RowReader* load_whole(LookupRequest& request, std::size_t row, const RedisAnswer& both);
    bool unfold(LookupRequest& request, std::size_t row, RowReader& reader, const RedisAnswer& both);
    // By what is loaded, or asks for what is missing. An error: of what reader.corrupt() tells.
    Result<void> answer_row(LookupRequest& request, std::size_t row);
    Result<void> write_row(LookupRequest& request, std::size_t row);
    bool take_own_event(LookupRequest& request);
    void add_own_event(LookupRequest& request);
    bool has_come(LookupRequest& request);
    void wait(LookupRequest& request);
    void explain(LookupRequest& request, const RedisAnswer& both);
    void write_freshness(LookupRequest& request);
    void corrupt_head(LookupRequest& request, std::size_t row, const Error& error);
    void corrupt_sealed(LookupRequest& request, std::size_t row, const RedisAnswer& both, const Error& error);
    void name_corrupt_head(LookupRequest& request, std::size_t row, const RedisAnswer& fields);
    void corrupt(LookupRequest& request, std::string_view key, std::string_view field, const Error& error);
    bool may_be_of_new_layout(LookupRequest& request);
    void confirm_missing(LookupRequest& request);
    void settle(LookupRequest& request);
    void finish(LookupRequest& request);
    void put_in_order(LookupRequest& request);

    // Valid until the next call, in key_.
    const std::string& head_key(const LookupRequest& request, std::size_t row);

    const LookupCatalogue& catalogue_;
    RedisPipeline& redis_;
    LookupObserver& observer_;
    StatusWriter status_;
    Later later_;
    LookupProgress progress_;
    FreshnessTracker freshness_;
    std::vector<std::unique_ptr<RowReader>> readers_;           // one a view
    std::vector<std::string> key_starts_;                       // of a view's head keys
    std::vector<RestingEntities> resting_;                      // of a view
    std::vector<std::unique_ptr<OwnEventDecoder>> own_events_;  // of a view, once it had one
    std::vector<LookupRequest*> waiting_;                       // for look_again()
    std::string key_;
    std::string ordered_;
    LookupRequestPool requests_;
};

}  // namespace freshet
