#include "io/lookup/lookup_describe.hpp"

#include <utility>

namespace freshet {

namespace {

// Names and values of which it is known at the end how many there are.
class Pairs {
public:
    explicit Pairs(const RespWriter& out) : body_(text_, out.version()) {}

    void add(std::string_view name, std::string_view value) {
        begin(name);
        body_.bulk(value);
    }
    void add(std::string_view name, std::int64_t value) {
        begin(name);
        body_.integer(value);
    }
    void add_float(std::string_view name, double value) { begin(name).floating(value); }
    void add_time(std::string_view name, std::optional<Timestamp> time) {
        time ? add(name, unix_ms(*time)) : add_null(name);
    }
    void add_duration(std::string_view name, std::optional<Duration> duration) {
        duration ? add(name, duration->count()) : add_null(name);
    }
    void add_null(std::string_view name) {
        begin(name);
        body_.null();
    }
    // The value is to be written to the result.
    RespWriter& begin(std::string_view name) {
        ++pairs_;
        body_.bulk(name);
        return body_;
    }

    void write(RespWriter& out) const {
        out.pairs(pairs_);
        out.out() += text_;
    }

private:
    std::string text_;
    RespWriter body_;
    std::size_t pairs_ = 0;
};

std::string_view name_of(OnBreach on_breach) {
    switch (on_breach) {
        case OnBreach::flag:
            return "flag";
        case OnBreach::null:
            return "null";
        case OnBreach::default_value:
            return "default";
        case OnBreach::error:
            return "error";
    }
    return "flag";
}

void write_feature(const ServedView& view, const Feature& feature, RespWriter& out) {
    Pairs pairs(out);
    pairs.add("name", feature.name);
    pairs.add("function", freshet::name_of(feature.function));
    pairs.add("field", feature.field ? std::string_view(view.source.fields[*feature.field].name) : "*");
    if (feature.function == Function::quantile) pairs.add_float("q", feature.q);
    pairs.add_duration("window_ms", feature.window);
    pairs.add("hop_ms", feature.hop.count());
    if (feature.where) pairs.add("where", feature.where->text());
    if (feature.freshness.max_staleness)
        pairs.add("max_staleness_ms", feature.freshness.max_staleness->count());
    if (feature.freshness.on_breach) pairs.add("on_breach", name_of(*feature.freshness.on_breach));
    if (feature.otherwise.index() != 0) write_scalar(feature.otherwise, pairs.begin("default"));
    pairs.write(out);
}

// The tiles of a feature's window at a time, from first to last.
struct Span {
    TileNumber first;
    TileNumber last;
};

std::string tile_text(const FeaturePlan& feature, const Tile& tile) {
    const FeatureValue value = finish(feature.function, feature.q, tile.states[feature.accumulator]);
    return std::to_string(tile.number) + ":" + (value.overflow ? "overflow" : scalar_text(value.value));
}

void write_origin(const FeaturePlan& feature, const Head& head, const MergedRange& merged,
                  std::optional<Span> span, const LookupQuery& query, const LookupProgress& progress,
                  RespWriter& out) {
    Pairs pairs(out);
    pairs.add("partition", head.partition.value);
    pairs.add("generation", head.stamp.generation.value);
    pairs.add("stamp_offset", head.stamp.offset.value);
    pairs.add("newest_event_ms", unix_ms(head.newest));
    std::vector<std::string> tiles;
    for (const Tile& tile : head.resolutions[feature.resolution].tiles)
        if (span && span->first <= tile.number && tile.number <= span->last)
            tiles.push_back(tile_text(feature, tile));
    RespWriter& list = pairs.begin("tiles");
    list.array(tiles.size());
    for (const std::string& tile : tiles) list.bulk(tile);
    if (merged.from == kNoTile) {
        pairs.add_null("merged");
    } else {
        pairs.add("merged", std::to_string(merged.from) + ".." + std::to_string(merged.to) + ":" +
                                std::to_string(merged.tiles));
    }
    const auto partition = static_cast<std::size_t>(head.partition.value);
    const auto& partitions = progress.partitions(query.view->topic);
    const bool recorded = partition < partitions.size() && partitions[partition].recorded;
    pairs.add("owner", recorded ? std::string_view(partitions[partition].node) : "");
    pairs.add("epoch", recorded ? static_cast<std::int64_t>(partitions[partition].epoch.value) : 0);
    const auto& state = progress.progress(*query.view, partition);
    pairs.add_time("watermark_ms", state ? state->watermark : std::nullopt);
    pairs.write(out);
}

std::string name_in_tracker(const ServedView& view, std::size_t feature) {
    return view.name() + "." + view.plan.features()[feature].name;
}

// The staleness, and whether that is fresh by the limit, if there is one.
void write_freshness_of(std::string_view name, std::optional<Duration> most, const FreshnessTracker& tracker,
                        Timestamp now, RespWriter& out) {
    const auto staleness = tracker.get_staleness(name, now);
    out.array(2);
    staleness ? out.integer(staleness->count()) : out.null();
    most ? out.boolean(tracker.check_freshness(name, *most, now)) : out.null();
}

}  // namespace

FreshnessTracker tracker_of(const LookupCatalogue& catalogue) {
    FreshnessTracker tracker;
    for (const auto& view : catalogue.views()) {
        tracker.track(view->name(), view->index);
        for (const std::size_t feature : view->all) tracker.track(name_in_tracker(*view, feature), view->index);
    }
    return tracker;
}

void write_freshness(const LookupQuery& query, const LookupCatalogue& catalogue,
                     const FreshnessTracker& tracker, Timestamp now, RespWriter& out) {
    const auto limit_of = [&](std::optional<Duration> own) {
        return query.max_staleness ? query.max_staleness : own;
    };
    if (query.view && !query.features.empty()) {
        const std::size_t feature = query.features.front();
        return write_freshness_of(name_in_tracker(*query.view, feature),
                                  limit_of(query.view->contracts[feature].max_staleness), tracker, now, out);
    }
    const auto write_view_of = [&](const ServedView& view) {
        write_freshness_of(view.name(), limit_of(view.plan.view().freshness.max_staleness), tracker, now, out);
    };
    if (query.view) return write_view_of(*query.view);
    out.pairs(catalogue.views().size());
    for (const auto& view : catalogue.views()) {
        out.bulk(view->name());
        write_view_of(*view);
    }
}

std::string scalar_text(const Scalar& value) {
    switch (value.index()) {
        case 1:
            return std::to_string(std::get<std::int64_t>(value));
        case 2:
            return float_text(std::get<double>(value));
        case 3:
            return std::get<std::string>(value);
        case 4:
            return std::get<bool>(value) ? "true" : "false";
        default:
            return "null";
    }
}

void write_view(const ServedView& served, RespWriter& out) {
    const View& view = served.plan.view();
    Pairs pairs(out);
    pairs.add("name", view.name);
    pairs.add("version", view.version);
    pairs.add("id", served.plan.id());
    pairs.add("source", view.source);
    pairs.add("topic", served.source.topic);
    RespWriter& entity = pairs.begin("entity");
    entity.array(view.entity.size());
    for (const std::size_t column : view.entity) entity.bulk(served.source.fields[column].name);
    pairs.add("clock", view.clock == View::Clock::event ? "event" : "wall");
    pairs.add("retain_ms", view.retain.count());
    if (view.where) pairs.add("where", view.where->text());
    pairs.add_duration("max_staleness_ms", view.freshness.max_staleness);
    pairs.add("on_breach", name_of(view.freshness.on_breach));
    if (view.priority == Priority::low) pairs.add("priority", "low");
    if (!view.owner.empty()) pairs.add("owner", view.owner);
    RespWriter& features = pairs.begin("features");
    features.array(view.features.size());
    for (const Feature& feature : view.features) write_feature(served, feature, features);
    pairs.write(out);
}

void write_service(const ServedService& service, RespWriter& out) {
    const auto list = [](const std::vector<std::string>& texts, RespWriter& into) {
        into.array(texts.size());
        for (const std::string& text : texts) into.bulk(text);
    };
    Pairs pairs(out);
    pairs.add("name", service.name);
    list(service.names, pairs.begin("features"));
    list(service.keys, pairs.begin("keys"));
    pairs.write(out);
}

std::vector<MergedRange> merged_ranges(const LookupQuery& query, std::span<const Head* const> heads) {
    const FeaturePlan& feature = query.view->plan.features()[query.features.front()];
    std::vector<MergedRange> ranges;
    for (const Head* head : heads) {
        MergedRange& range = ranges.emplace_back();
        const ResolutionHead& r = head->resolutions[feature.resolution];
        if (r.merged.empty() || r.merged[feature.window].tiles == 0) continue;
        const Merged& merged = r.merged[feature.window];
        range = {merged.from, r.sealed_to, merged.tiles};
    }
    return ranges;
}

void write_explanation(const LookupQuery& query, const ReadMoment& moment, RowReader& reader,
                       std::span<const MergedRange> merged, const LookupProgress& progress, RespWriter& out) {
    const ServedView& view = *query.view;
    const FeaturePlan& feature = view.plan.features()[query.features.front()];
    const Resolution& resolution = view.plan.resolutions()[feature.resolution];
    std::optional<Span> span;
    if (moment.at) {
        const TileNumber last = tile_of(*moment.at, resolution.hop);
        span = Span{last - resolution.windows[feature.window].tiles, last};
    }
    Pairs pairs(out);
    pairs.add("view", view.plan.id());
    pairs.add("entity", query.entity(0));
    pairs.add("feature", feature.name);
    pairs.add_time("at_ms", moment.at);
    // The same row that a look-up gives: value and status.
    LookupQuery row = query;
    row.meta = true;
    (void)reader.write(row, moment, pairs.begin("answer"));  // of decoded heads: cannot fail
    pairs.add_duration("window_ms", view.windows[query.features.front()]);
    pairs.add("hop_ms", resolution.hop.count());
    span ? pairs.add("first_tile", span->first) : pairs.add_null("first_tile");
    span ? pairs.add("last_tile", span->last) : pairs.add_null("last_tile");
    pairs.add_duration("staleness_ms", moment.staleness());
    const auto heads = reader.heads();
    RespWriter& origins = pairs.begin("origins");
    origins.array(heads.size());
    for (std::size_t i = 0; i < heads.size(); ++i)
        write_origin(feature, *heads[i], merged[i], span, query, progress, origins);
    pairs.write(out);
}

}  // namespace freshet
