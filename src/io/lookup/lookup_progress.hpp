// What a reader knows of the progress records of one server: how far each view has got there, read again before
// it is too old. One a server and loop. A replica has the records of its primary, as they were when it got
// them.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "io/lookup/lookup_catalogue.hpp"
#include "io/lookup/record_places.hpp"
#include "io/redis/redis_pipeline.hpp"
#include "model/progress.hpp"

namespace freshet {

// A view over all partitions of its topic.
struct ViewProgressSummary {
    std::optional<Timestamp> clock;      // the highest; none before the first event
    std::optional<Timestamp> watermark;  // the lowest; none when a partition has none
    // Of each feature the latest, when events before it are missing: kSincePending where some partition does
    // not count it. Empty: nothing is missing.
    std::vector<std::optional<Timestamp>> since;
    std::string foreign;  // what some partition counts under another definition; empty: nothing
};

struct PartitionProgress {
    bool recorded = false;
    Epoch epoch{};
    std::string node;
    Generation generation{};  // of the log that is counted now; a view may still stand in the one before
    std::vector<std::optional<ViewProgress>> views;  // in the order of ServedTopic::views
    std::vector<std::string> definitions;            // as they stand in the record; they seldom change
    // While the record is behind another or what some primary lost is counted again, and of a replica at all
    // times: the slots that it vouches for.
    std::optional<SlotRanges> only_covers;
};

class LookupProgress : private RedisPipeline::Receiver {
public:
    using Clock = RedisPipeline::Clock;

    // `self`: the address of the primary. `replicated`: what is known of that, when this is of a replica.
    LookupProgress(const LookupCatalogue& catalogue, RedisPipeline& redis, const std::string& prefix,
                   Duration max_age, RecordPlaces& places, const Endpoint& self,
                   const LookupProgress* replicated = nullptr);

    // Adds commands that read the records of a topic, unless that was done within max_age. Whatever is added to
    // the pipeline afterwards is answered after them.
    void refresh(std::size_t topic, Clock::time_point now);
    // Adds a command that reads the clock, unless that was done within a second.
    void refresh_clock(Clock::time_point now);

    // False until the records of as many partitions were read as the topic has, or while this primary has none
    // where another has one or has not told: read once more.
    bool settled(std::size_t topic) const { return topics_[topic].settled; }
    // Why nothing can be said about a topic; empty when something can.
    const std::string& trouble(std::size_t topic) const { return topics_[topic].trouble; }
    const ViewProgressSummary& summary(const ServedView& view) const { return summaries_[view.index]; }
    const std::vector<PartitionProgress>& partitions(std::size_t topic) const {
        return topics_[topic].partitions;
    }
    // The layouts recorded for the view, as far as they were read. The next refresh, which is then due, reads
    // those of its topic if they are wanted.
    const std::set<std::string>& layouts(const ServedView& view) const { return layouts_[view.index]; }
    void want_layouts(std::size_t topic);
    // False: the primary may have come back with a copy of its data from before it received the slot, the slot
    // may have come from one that has lost what it held, or the replica may not have it yet.
    bool vouches_for(std::size_t topic, Slot slot) const;
    // Whether it may be false for any slot.
    bool doubts_slots(std::size_t topic) const { return topics_[topic].doubts_slots; }
    const std::optional<ViewProgress>& progress(const ServedView& view, std::size_t partition) const;

    // Never behind Redis's own clock, so that no staleness is understated. Requires knows_time(). A watermark
    // is by the clock of a primary, so that counts for a replica, too.
    Timestamp redis_now(Clock::time_point now) const;
    bool knows_time() const { return redis_time_asked_ != Clock::time_point{}; }

    // Adds a command whose answer tells still_stands() whether Redis has kept what it held at the last reading.
    void ask_again(std::size_t topic);
    // If not, the next refresh reads the records anew.
    bool still_stands(std::size_t topic, const RedisAnswer& answer);

    // The connection was lost.
    void forget();
    // What was read until now does not hold for what will be.
    void distrust();

private:
    struct Topic {
        const ServedTopic* served;
        std::vector<std::string> commands;  // one a partition
        std::vector<PartitionProgress> partitions;
        std::vector<std::size_t> slots;  // of its views, in summaries_
        std::optional<Clock::time_point> asked;
        std::size_t named = 0;    // partitions, by the record of the first; 0: it says nothing
        std::size_t replied = 0;  // records since the last whole reading
        std::string new_trouble;
        std::string trouble;
        bool settled = false;
        bool doubts_slots = false;
        bool moved = false;  // some record is no longer where it was looked for
        bool layouts_wanted = false;
        std::uint64_t placed = 0;  // the version of the places that the commands name
    };

    void replied(std::uint64_t tag, const RedisAnswer& answer) override;
    void lost(std::uint64_t tag) override;

    void provide(Topic& topic, std::size_t partitions);
    void place_again(Topic& topic);
    Slot slot_of_record(const Topic& topic, std::size_t partition) const;
    std::string key_of(const Topic& topic, std::size_t partition) const;
    bool lacks_a_record(const Topic& topic) const;
    std::size_t index_of(const Topic& topic) const { return static_cast<std::size_t>(&topic - topics_.data()); }
    void ask_layouts(std::size_t index);
    void take_layouts(const Topic& topic, const RedisAnswer& answer);
    void take_record(Topic& topic, std::size_t partition, const RedisAnswer& answer);
    void take_view(Topic& topic, PartitionProgress& into, std::size_t view, std::string_view progress,
                   std::string_view definition);
    void ask_time(std::uint64_t tag, Clock::time_point now);
    bool take_clock(const RedisAnswer& answer);
    void take_time(Topic& topic, const RedisAnswer& answer);
    void summarize(const Topic& topic);
    static void add_features(const ViewPlan& plan, const ViewProgress& progress, ViewProgressSummary& summary);

    RedisPipeline& redis_;
    std::string prefix_;
    Duration max_age_;
    RecordPlaces& record_places_;
    const Endpoint self_;
    const LookupProgress* const replicated_;
    std::vector<Topic> topics_;
    std::vector<ViewProgressSummary> summaries_;
    std::vector<std::set<std::string>> layouts_;               // by view
    std::vector<std::pair<std::size_t, std::size_t>> places_;  // of a view: topic, index in it
    std::deque<Clock::time_point> times_asked_;
    std::optional<Clock::time_point> time_asked_last_;
    Timestamp redis_time_{};
    Clock::time_point redis_time_asked_{};
};

}  // namespace freshet
