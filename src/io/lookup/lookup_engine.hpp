// Answers look-ups inside one event loop: sends what they need to the primaries that hold it and turns replies
// into rows.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/lookup/lookup_catalogue.hpp"
#include "io/lookup/lookup_observer.hpp"
#include "io/lookup/lookup_request.hpp"
#include "io/lookup/lookup_router.hpp"
#include "io/lookup/resting_entities.hpp"
#include "io/lookup/row_cache.hpp"
#include "model/freshness_tracker.hpp"

namespace freshet {

class LookupEngine {
public:
    using Clock = RedisPipeline::Clock;
    // Writes the reply to FS.STATUS.
    using StatusWriter = std::function<void(RespWriter&)>;
    // To call look_again() after a time.
    using Later = std::function<void(Duration)>;

    // `cache_bytes`: for rows of views that allow it.
    LookupEngine(const LookupCatalogue& catalogue, LookupRouter& router, const std::string& prefix,
                 std::size_t cache_bytes, LookupObserver& observer, StatusWriter status, Later later);

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

    const LookupCatalogue& catalogue() const { return catalogue_; }
    const LookupRouter& router() const { return router_; }

private:
    friend struct LookupRequest;

    // What a reply is about, in the tag. The row is of the request; with an epoch, the index among its moments.
    // Of what is queued, only an error is of interest; of a replica's history, that it is one.
    enum class Step : std::uint64_t { heads = 0, whole = 1, names = 2, epoch = 3, queued = 4, history = 5 };
    static constexpr std::uint64_t tag_of(Step step, std::size_t row) {
        return static_cast<std::uint64_t>(step) << 32 | row;
    }
    static constexpr Step step_of(std::uint64_t tag) { return static_cast<Step>(tag >> 32); }
    static constexpr std::size_t row_of(std::uint64_t tag) { return tag & 0xffffffff; }

    void start_parts(LookupRequest& request);
    void part_done(LookupRequest& whole);
    void send(LookupRequest& request);
    void send_reads(LookupRequest& request);
    // Finds the store of each row that is not written yet; if one cannot be asked, the request has failed.
    bool route(LookupRequest& request);
    // Writes the rows that are kept and may be given again.
    void write_kept(LookupRequest& request);
    void write_kept_row(LookupRequest& request, std::size_t row, std::optional<Duration> most);
    // What was just written may be kept, and is once nothing of the request is to be read again.
    void note_to_keep(LookupRequest& request, std::size_t row);
    void keep_rows(LookupRequest& request);
    void note_written(LookupRequest& request, std::size_t row, std::size_t begin);
    void send_pings(LookupRequest& request);
    // The connection for the next command about a row.
    RedisPipeline& connection_of(LookupRequest& request, std::size_t row);
    // Each reads something of a row where it is, and expects the reply.
    void send_heads(LookupRequest& request, std::size_t row);
    void send_whole(LookupRequest& request, std::size_t row);
    void send_names(LookupRequest& request, std::size_t row);
    // Whether an error reply has been dealt with: its row is asked for elsewhere, or all of it later.
    bool send_elsewhere(LookupRequest& request, std::uint64_t tag, std::string_view error);
    void send_again(LookupRequest& request, std::uint64_t tag);
    static bool may_read_replica(const LookupRequest& request);
    // Whether a replica's answer about a row is not the last word, and has been dealt with.
    bool leave_replica(LookupRequest& request, std::uint64_t tag, const RedisAnswer& answer);
    bool is_last_word(LookupRequest& request, std::uint64_t tag, const RedisAnswer& answer);
    void expect(LookupRequest& request, RedisPipeline& redis, Step step, std::size_t row);
    void replied(LookupRequest& request, std::uint64_t tag, const RedisAnswer& answer);
    void lost(LookupRequest& request, std::uint64_t tag);
    void handle(LookupRequest& request, std::uint64_t tag, const RedisAnswer& answer);
    // By the records of the store; null: the request has failed, or is to be read again.
    LookupRequest::Moment* moment_of(LookupRequest& request, LookupStore& store);
    // Whether the row's store still has what it received; if not, the request has failed.
    bool vouched_for(LookupRequest& request, std::size_t row);
    bool take_moment(LookupRequest& request, LookupStore& store);
    bool take_time(LookupRequest& request, const ViewProgressSummary& summary);
    bool refuse_stale(LookupRequest& request, const ReadMoment& moment);
    void read_row(LookupRequest& request, std::size_t row, const RedisAnswer& heads);
    void read_whole(LookupRequest& request, std::size_t row, const RedisAnswer& both);
    // Null, or false: the request has failed, or is to be read again.
    RowReader* load_whole(LookupRequest& request, std::size_t row, const RedisAnswer& both);
    bool unfold(LookupRequest& request, std::size_t row, RowReader& reader, const RedisAnswer& both);
    // By what is loaded, or asks for what is missing. An error: of what reader.corrupt() tells.
    Result<void> answer_row(LookupRequest& request, std::size_t row);
    Result<void> write_row(LookupRequest& request, std::size_t row);
    // Gives the event to each of `parts`, which are those of `request` or itself, whose view's `where` takes
    // it. False: the request has failed.
    bool take_own_event(LookupRequest& request, std::span<LookupRequest* const> parts, std::string_view json);
    // Whether it is of the row's entity.
    static bool takes_own_event(const LookupRequest& request, std::size_t row);
    void add_own_event(const LookupRequest& request, std::size_t row, const ReadMoment& moment);
    bool has_come(LookupRequest& request, const LookupProgress& records);
    void wait(LookupRequest& request);
    void try_again(LookupRequest& request);
    void explain(LookupRequest& request, const RedisAnswer& both);
    void write_freshness(LookupRequest& request);
    void corrupt_head(LookupRequest& request, std::size_t row, const Error& error);
    void corrupt_sealed(LookupRequest& request, std::size_t row, const RedisAnswer& both, const Error& error);
    void name_corrupt_head(LookupRequest& request, std::size_t row, const RedisAnswer& fields);
    void corrupt(LookupRequest& request, std::string_view key, std::string_view field, const Error& error);
    bool may_be_of_new_layout(LookupRequest& request, std::size_t row);
    void confirm_missing(LookupRequest& request);
    void settle(LookupRequest& request);
    void settle_watch(LookupRequest& request);
    bool look_at_freshness(const LookupRequest& request);
    void finish(LookupRequest& request);
    void put_in_order(LookupRequest& request);
    void encode(LookupRequest& request);

    // Valid until the next call, in key_.
    const std::string& head_key(const LookupRequest& request, std::size_t row);
    // The moment of a row that has one.
    LookupRequest::Moment& moment_of_row(LookupRequest& request, std::size_t row);
    static const std::set<std::string>& layouts(const LookupRequest& request, std::size_t row);

    const LookupCatalogue& catalogue_;
    LookupRouter& router_;
    LookupObserver& observer_;
    StatusWriter status_;
    Later later_;
    FreshnessTracker freshness_;
    std::vector<std::unique_ptr<RowReader>> readers_;  // one a view
    std::vector<std::string> key_starts_;              // of a view's head keys
    RowCache kept_;
    std::vector<RestingEntities> resting_;                      // of a view
    std::vector<std::unique_ptr<OwnEventDecoder>> own_events_;  // of a view, once it had one
    std::vector<LookupRequest*> waiting_;                       // for look_again()
    std::string key_;
    std::string ordered_;
    AnswerEncoder encoder_;
    LookupRequestPool requests_;
};

}  // namespace freshet
