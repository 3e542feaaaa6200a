// From the stored values of one entity to its row of an answer. One a view and loop: its memory is used again.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "io/lookup/lookup_progress.hpp"
#include "io/lookup/lookup_query.hpp"
#include "io/redis/redis_replies.hpp"
#include "io/redis/resp_writer.hpp"
#include "io/stored/partial_codec.hpp"
#include "io/stored/stored_fields.hpp"
#include "io/stored/stored_heads.hpp"
#include "model/partial.hpp"

namespace freshet {

// When rows of a request are read, and how far the view had got before their values were.
struct ReadMoment {
    std::optional<Timestamp> at;         // none: the view has no clock yet, so every entity is missing
    std::optional<Timestamp> watermark;  // none: some partition has none
    std::vector<std::optional<Timestamp>> since = {};  // ViewProgressSummary::since
    Timestamp now{};                                   // by Redis

    // None: not known.
    std::optional<Duration> staleness() const;
    // Whether what may be so stale at most is in breach; never where there is no limit.
    bool breaks(std::optional<Duration> max_staleness) const;
};

class RowReader {
public:
    explicit RowReader(const ServedView& view);

    // The head of each origin, whose bytes must stay until the row is written, as those of sealed tiles. On
    // failure, here and below, corrupt() tells which value it was.
    Result<void> load(std::span<const RedisAnswer> heads);
    // After a failure, layouts that stored values may be in; whether one was new, so that another try is worth
    // it.
    bool learn(const std::set<std::string>& layouts);
    // Makes all tiles of the loaded heads, for add() and heads(). Without, nothing is decoded but what is read.
    Result<void> load_tiles();
    // The sealed tiles that belong to the heads, as field, value pairs read in one step with them.
    Result<void> unfold_with(std::span<const RedisAnswer> sealed);
    // A head, or a pair of sealed tiles, in the order they were given.
    StoredHeads::Corrupt corrupt() const { return corrupt_; }
    // One origin more, beside those whose tiles are loaded. Requires load_tiles().
    void add(Head head);

    // Whether what is loaded answers `query` at `t`.
    bool serves(const LookupQuery& query, Timestamp t);
    // Requires that serves() said yes just before when moment.at is known; after unfold_with() it always does.
    // Nothing is written when it fails.
    Result<void> write(const LookupQuery& query, const ReadMoment& moment, RespWriter& out);

    // Where in the output the staleness stands that write() wrote last; its end where there is none.
    struct Place {
        std::size_t begin, end;
    };
    Place staleness_place() const { return staleness_place_; }
    // Whether that row was of an entity that is not there.
    bool wrote_missing() const { return answer_->missing; }

    // After load_tiles().
    std::span<const Head* const> heads() const { return heads_; }

private:
    Result<void> unfold_tiles(std::span<const RedisAnswer> sealed);
    std::optional<std::size_t> head_of(const HeadField& field) const;
    std::optional<std::size_t> resolution_of(Duration hop) const;
    bool has_origins() const { return has_tiles_ ? !heads_.empty() : stored_.size() > 0; }
    Result<const FeatureAnswer*> read(const LookupQuery& query, Timestamp t);
    bool counted(const ReadMoment& moment, std::size_t feature) const;
    bool surely_missing(const ReadMoment& moment) const;
    const ServedView::Contract* hiding(const ReadMoment& moment, std::size_t feature) const;
    void write_values(const LookupQuery& query, const ReadMoment* breach, RespWriter& out) const;
    void write_statuses(const LookupQuery& query, const ReadMoment& moment, RespWriter& out) const;

    const ServedView& view_;
    PartialCodec codec_;
    StoredHeads stored_;
    FeatureReader reader_;
    std::vector<std::unique_ptr<Head>> pool_;
    std::vector<const Head*> heads_;
    bool has_tiles_ = false;  // heads_ are the stored ones, decoded, and perhaps added_
    Head added_;
    StoredHeads::Corrupt corrupt_;
    FeatureAnswer nothing_;
    const FeatureAnswer* answer_ = nullptr;
    Place staleness_place_{};
};

void write_scalar(const Scalar& value, RespWriter& out);

}  // namespace freshet
