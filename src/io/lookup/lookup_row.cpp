#include "io/lookup/lookup_row.hpp"

#include <utility>

#include "model/freshness_tracker.hpp"
#include "model/progress.hpp"

namespace freshet {

namespace {

Error no_sealed_field() { return {Errc::corrupt, "not the name of a sealed field"}; }

}  // namespace

std::optional<Duration> ReadMoment::staleness() const { return freshet::staleness(watermark, now); }

bool ReadMoment::breaks(std::optional<Duration> max_staleness) const {
    return max_staleness && !is_fresh(staleness(), *max_staleness);
}

RowReader::RowReader(const ServedView& view)
    : view_(view), codec_(view.source, view.plan), stored_(view.plan, codec_.layouts()), reader_(view.plan) {}

Result<void> RowReader::load(std::span<const RedisAnswer> heads) {
    has_tiles_ = false;
    stored_.clear();
    for (const RedisAnswer& head : heads) {
        corrupt_ = {false, stored_.size()};
        if (!head.is_string()) return Error{Errc::corrupt, "not a string"};
        if (auto added = stored_.add(head.text); !added) return added;
    }
    return {};
}

bool RowReader::learn(const std::set<std::string>& layouts) {
    bool any = false;
    for (const std::string& some : layouts) any = codec_.learn(some) || any;
    return any;
}

Result<void> RowReader::load_tiles() {
    has_tiles_ = true;
    heads_.clear();
    while (pool_.size() < stored_.size()) pool_.push_back(std::make_unique<Head>());
    for (std::size_t i = 0; i < stored_.size(); ++i) {
        corrupt_ = {false, i};
        if (auto decoded = codec_.decode_head(stored_[i], *pool_[i]); !decoded) return decoded;
        heads_.push_back(pool_[i].get());
    }
    return {};
}

void RowReader::add(Head head) {
    added_ = std::move(head);
    heads_.push_back(&added_);
}

std::optional<std::size_t> RowReader::head_of(const HeadField& field) const {
    for (std::size_t i = 0; i < heads_.size(); ++i)
        if (heads_[i]->partition == field.partition && heads_[i]->stamp.generation == field.generation)
            return i;
    return std::nullopt;
}

std::optional<std::size_t> RowReader::resolution_of(Duration hop) const {
    const auto& resolutions = view_.plan.resolutions();
    for (std::size_t i = 0; i < resolutions.size(); ++i)
        if (resolutions[i].hop == hop) return i;
    return std::nullopt;
}

Result<void> RowReader::unfold_with(std::span<const RedisAnswer> sealed) {
    if (has_tiles_) return unfold_tiles(sealed);
    stored_.clear_sealed();
    for (std::size_t i = 0; i + 1 < sealed.size(); i += 2) {
        corrupt_ = {true, i / 2};
        const auto field = SealedField::parse(sealed[i].text);
        if (!field) return no_sealed_field();
        if (auto added = stored_.add_sealed(*field, sealed[i + 1].text); !added) return added;
    }
    stored_.unfold();
    return {};
}

Result<void> RowReader::unfold_tiles(std::span<const RedisAnswer> sealed) {
    std::vector<std::vector<Chunk>> chunks(heads_.size());
    for (std::size_t i = 0; i + 1 < sealed.size(); i += 2) {
        corrupt_ = {true, i / 2};
        const auto field = SealedField::parse(sealed[i].text);
        if (!field) return no_sealed_field();
        const auto head = head_of(field->head);
        if (!head) continue;
        const auto resolution = resolution_of(field->hop);
        if (!resolution) continue;  // of features that are gone
        Chunk& chunk = chunks[*head].emplace_back();
        auto decoded =
            codec_.decode_chunk(*resolution, field->chunk, field->head.partition, sealed[i + 1].text, chunk);
        if (!decoded) return decoded;
    }
    for (std::size_t i = 0; i < heads_.size(); ++i) unfold(*pool_[i], std::move(chunks[i]));
    return {};
}

bool RowReader::serves(const LookupQuery& query, Timestamp t) {
    return has_tiles_ ? reader_.serves(heads_, t, query.features) : stored_.serves(t, query.features);
}

Result<const FeatureAnswer*> RowReader::read(const LookupQuery& query, Timestamp t) {
    if (has_tiles_) return &reader_.read(heads_, t, query.features);
    auto answer = stored_.read(query.features);
    if (!answer) corrupt_ = stored_.corrupt();
    return answer;
}

Result<void> RowReader::write(const LookupQuery& query, const ReadMoment& moment, RespWriter& out) {
    if (moment.at) {
        const auto answer = read(query, *moment.at);
        if (!answer) return answer.error();
        answer_ = *answer;
    } else {
        nothing_.values.assign(query.features.size(), {});
        answer_ = &nothing_;
    }
    const bool breach = moment.breaks(view_.tightest);
    if (query.meta) out.array(4);
    write_values(query, breach ? &moment : nullptr, out);
    staleness_place_ = {out.out().size(), out.out().size()};
    if (!query.meta) return {};
    write_statuses(query, moment, out);
    const auto staleness = moment.staleness();
    staleness_place_.begin = out.out().size();
    staleness ? out.integer(staleness->count()) : out.null();
    staleness_place_.end = out.out().size();
    has_origins() ? out.integer(unix_ms(answer_->newest)) : out.null();
    return {};
}

// `breach`: when a feature of the view is in breach, by which it is told whether this one is.
void RowReader::write_values(const LookupQuery& query, const ReadMoment* breach, RespWriter& out) const {
    const std::size_t count = query.features.size();
    query.named ? out.array(count) : out.pairs(count);
    for (std::size_t i = 0; i < count; ++i) {
        if (!query.named) out.out() += view_.names[query.features[i]];
        const FeatureValue& value = answer_->values[i];
        if (const ServedView::Contract* hides = breach ? hiding(*breach, query.features[i]) : nullptr) {
            write_scalar(hides->on_breach == OnBreach::default_value ? hides->otherwise : Scalar{}, out);
        } else {
            value.overflow ? out.null() : write_scalar(value.value, out);
        }
    }
}

// The contract of a feature that is in breach, and whose value is then not given.
const ServedView::Contract* RowReader::hiding(const ReadMoment& moment, std::size_t feature) const {
    const ServedView::Contract& contract = view_.contracts[feature];
    const bool hides = contract.on_breach != OnBreach::flag && moment.breaks(contract.max_staleness);
    return hides ? &contract : nullptr;
}

// Whether all events that the feature takes at the moment were counted for it.
bool RowReader::counted(const ReadMoment& moment, std::size_t feature) const {
    if (moment.since.empty()) return true;
    const FeaturePlan& plan = view_.plan.features()[feature];
    const Duration hop = view_.plan.resolutions()[plan.resolution].hop;
    return is_complete(moment.since[feature], view_.windows[feature], hop, *moment.at);
}

// Where no feature that decides about it has been counted for so long, an entity may have been forgotten.
bool RowReader::surely_missing(const ReadMoment& moment) const {
    const auto& features = view_.plan.features();
    for (std::size_t f = 0; f < features.size(); ++f)
        if (features[f].resolution == view_.plan.presence_resolution() &&
            features[f].window == view_.plan.presence_window() && counted(moment, f))
            return true;
    return false;
}

void RowReader::write_statuses(const LookupQuery& query, const ReadMoment& moment, RespWriter& out) const {
    const bool breach = moment.breaks(view_.tightest);
    const auto stale = [&](std::size_t feature) {
        return !moment.watermark || (breach && moment.breaks(view_.contracts[feature].max_staleness));
    };
    const bool missing = answer_->missing && (!moment.at || surely_missing(moment));
    const auto status = [&](std::size_t i) -> std::string_view {
        if (answer_->missing) return missing ? "$7\r\nmissing\r\n" : "$10\r\nincomplete\r\n";
        if (answer_->values[i].overflow) return "$8\r\noverflow\r\n";
        if (!counted(moment, query.features[i])) return "$10\r\nincomplete\r\n";
        return stale(query.features[i]) ? "$5\r\nstale\r\n" : "$5\r\nfresh\r\n";
    };
    out.array(query.features.size());
    for (std::size_t i = 0; i < query.features.size(); ++i) out.out() += status(i);
}

void write_scalar(const Scalar& value, RespWriter& out) {
    switch (value.index()) {
        case 1:
            return out.integer(std::get<std::int64_t>(value));
        case 2:
            return out.floating(std::get<double>(value));
        case 3:
            return out.bulk(std::get<std::string>(value));
        case 4:
            return out.boolean(std::get<bool>(value));
        default:
            return out.null();
    }
}

}  // namespace freshet
