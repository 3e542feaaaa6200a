#include "io/audit/audit_round.hpp"

#include <algorithm>

#include "io/stored/stored_heads.hpp"

namespace freshet {

namespace {

constexpr Duration kAskTimeout{2000};
constexpr Duration kPatience{3000};  // with a Kafka that sends nothing
constexpr Duration kLoadPause{10};   // so that a round's loads are not felt
constexpr std::size_t kLoadKeys = 50;
constexpr std::size_t kBatchRecords = 256;
constexpr std::size_t kRecordBytes = 64;  // what a record costs beside its key and value

Error changed(const std::string& what) { return {Errc::fenced, what}; }

AuditSkip skip_of(const Error& error) {
    switch (error.code) {
        case Errc::unavailable:
        case Errc::refused:
            return AuditSkip::unavailable;
        case Errc::invalid_argument:
            return AuditSkip::definition;
        default:
            return AuditSkip::changed;
    }
}

}  // namespace

// A view in this round.
struct AuditRound::Reading {
    Reading(const Source& source, const ViewPlan& of)
        : plan(of), layouts(source, of), heads(of, layouts), recounted(of) {}

    const ViewPlan& plan;
    StoredLayouts layouts;
    StoredHeads heads;
    FeatureReader recounted;
    ViewProgress progress;
    AuditScope scope;
    bool wanted = false;
};

// What was read of an entity, until its events are counted that far.
struct AuditRound::Waiting {
    struct Answer {
        Timestamp at;
        std::string read_from;
        FeatureAnswer stored;
    };
    EntityKey key;
    std::optional<Offset> stamp;  // none: nothing is stored
    std::vector<Answer> answers;
    std::string corrupt;
};

AuditRound::AuditRound(Parts parts, Partition partition, std::shared_ptr<const SourcePlan> source)
    : parts_(std::move(parts)),
      partition_(std::move(partition)),
      source_(std::move(source)),
      intake_(source_->source, source_->views, 1) {
    for (const auto& plan : source_->views) views_.push_back(std::make_unique<Reading>(source_->source, *plan));
    outcome_.compared.resize(views_.size());
}

AuditRound::~AuditRound() = default;

AuditOutcome AuditRound::run(std::uint64_t seed) {
    Result<void> done = look_at_records();
    if (done) done = choose_scopes();
    const bool any = std::ranges::any_of(views_, [](const auto& view) { return view->wanted; });
    if (done && any) done = recount(seed);
    if (!done) skip_all(done.error());
    return std::move(outcome_);
}

void AuditRound::skip(std::size_t view, AuditSkip reason) {
    outcome_.skipped[static_cast<std::size_t>(reason)] += views_[view]->plan.features().size();
    views_[view]->wanted = false;
}

// What was found before something went wrong is not believed.
void AuditRound::skip_all(const Error& error) {
    outcome_.skipped = {};
    for (std::size_t v = 0; v < views_.size(); ++v) skip(v, skip_of(error));
    std::ranges::fill(outcome_.compared, std::size_t{0});
    outcome_.values = 0;
    outcome_.mismatches.clear();
    outcome_.reasons.push_back(error.message);
}

// --- what can be recounted ---

Result<void> AuditRound::look_at_records() {
    auto records = parts_.store.records(partition_);
    if (!records) return records.error();
    records_ = *std::move(records);
    for (const AuditRecord& one : records_) {
        if (one.record.rebuilds) return changed(partition_.text() + " is being rebuilt");
        if (one.record.log.generation != records_.front().record.log.generation)
            return changed(partition_.text() + " has just begun a new generation");
    }
    begins_ = records_.front().record.log.begins;
    return {};
}

Result<void> AuditRound::look_again() {
    const Generation generation = records_.front().record.log.generation;
    if (auto looked = look_at_records(); !looked) return looked;
    if (records_.front().record.log.generation != generation)
        return changed(partition_.text() + " has begun a new generation");
    for (const auto& view : views_) {
        if (!view->wanted) continue;
        auto progress = progress_of(view->plan);
        if (!progress || progress->next < end_) return changed(partition_.text() + " has gone back");
        if (progress->since != view->progress.since || progress->features != view->progress.features)
            return changed(view->plan.id() + " counts anew");
        view->progress = *std::move(progress);
    }
    return {};
}

Result<bool> AuditRound::keeps_all() {
    if (parts_.embedded_log) return true;
    const auto policy = parts_.queries.topic_setting(partition_.topic, "cleanup.policy", kAskTimeout);
    if (!policy) return policy.error();
    return policy->find("compact") == std::string::npos;
}

// Over all records: what is true of each.
Result<ViewProgress> AuditRound::progress_of(const ViewPlan& plan) const {
    std::optional<ViewProgress> all;
    for (const AuditRecord& one : records_) {
        const auto found = one.record.views.find(plan.id());
        if (found == one.record.views.end()) return Error{Errc::invalid_argument, ""};
        const ViewProgress& view = found->second;
        if (view.fingerprint != plan.fingerprint() || view.generation != one.record.log.generation)
            return Error{Errc::invalid_argument, ""};
        if (!all) all = view;
        all->next = std::min(all->next, view.next);
        all->clock = std::max(all->clock, view.clock);
        all->since = std::max(all->since, view.since);
        for (const FeaturePlan& feature : plan.features()) {
            const auto counted = view.features.find(feature.name);
            if (counted == view.features.end() || counted->second.fingerprint != feature.fingerprint)
                return Error{Errc::invalid_argument, ""};
            FeatureProgress& into = all->features[feature.name];
            into.since = std::max(into.since, counted->second.since);
        }
    }
    return *std::move(all);
}

Result<void> AuditRound::choose_scopes() {
    const auto all = keeps_all();
    if (!all && all.error().code != Errc::refused) return all.error();
    if (!all || !*all) {
        for (std::size_t v = 0; v < views_.size(); ++v) skip(v, AuditSkip::compacted);
        outcome_.reasons.push_back(all ? "topic " + partition_.topic +
                                             " is compacted, so that its events are not all there"
                                       : all.error().message);
        return {};
    }
    const auto log = parts_.queries.range(partition_, kAskTimeout);
    if (!log) return log.error();
    const auto redis_now = parts_.store.now(records_.front());
    if (!redis_now) return redis_now.error();
    end_ = log->end;
    for (const auto& view : views_)
        if (const auto progress = progress_of(view->plan)) end_ = std::min(end_, progress->next);
    from_ = end_;
    for (std::size_t v = 0; v < views_.size(); ++v)
        if (auto scoped = scope_view(v, *log, *redis_now); !scoped) return scoped;
    return {};
}

Result<void> AuditRound::scope_view(std::size_t v, LogRange log, Timestamp redis_now) {
    Reading& view = *views_[v];
    auto progress = progress_of(view.plan);
    if (!progress) {
        skip(v, AuditSkip::definition);
        return {};
    }
    view.progress = *std::move(progress);
    const auto moments = audit_moments(view.plan, view.progress.clock, redis_now);
    if (!moments) return {};
    AuditGround ground{log, begins_, end_, parts_.limits.max_events, source_->source.max_jump.has_value(),
                       {},  {}};
    ground.offset_at = [&](Timestamp time) -> Result<Offset> {
        if (parts_.embedded_log || unix_ms(time) <= 0) return log.low;
        return parts_.queries.offset_at(partition_, time, kAskTimeout);
    };
    ground.counted_from = [&](Timestamp since) {
        return parts_.history.counted_from(partition_, view.plan.id(), records_.front().record.log.generation,
                                           since, view.progress.next);
    };
    auto scope = audit_scope(view.plan, source_->source.max_future, view.progress, *moments, ground);
    if (!scope) return scope.error();
    view.scope = *std::move(scope);
    view.wanted = !view.scope.features.empty();
    for (std::size_t i = 0; i < kAuditSkips; ++i) outcome_.skipped[i] += view.scope.skipped[i];
    if (view.wanted) from_ = std::min(from_, view.scope.from);
    return {};
}

// --- counting ---

Result<void> AuditRound::recount(std::uint64_t seed) {
    std::vector<bool> wanted;
    for (const auto& view : views_) wanted.push_back(view->wanted);
    sample_ = std::make_unique<AuditSample>(source_->views, std::move(wanted), partition_.id,
                                            records_.front().record.log.generation, seed,
                                            static_cast<std::size_t>(parts_.limits.memory));
    intake_.restart(std::nullopt, std::vector<Offset>(views_.size(), begins_));
    if (auto counted = count(from_, end_); !counted) return counted;
    sample_->freeze();
    outcome_.one_in = sample_->one_in();
    if (auto loaded = load(); !loaded) return loaded;
    if (auto caught_up = catch_up(); !caught_up) return caught_up;
    return confirm();
}

Result<void> AuditRound::count(Offset from, Offset end) {
    batch_ = intake_.new_batch();
    std::vector<Rejection> rejected;
    const auto read = parts_.reader.read(
        partition_.topic, {{partition_.id, {from, end}}}, kPatience, [&](const TopicRecord& record) {
            const LogRecord one{record.offset, record.timestamp, record.key.value_or(""), record.value};
            intake_.add(one, *batch_, rejected);
            rejected.clear();
            if (batch_->records >= kBatchRecords) flush_batch();
            return parts_.pace.spent(one.key.size() + one.value.value_or("").size() + kRecordBytes);
        });
    if (!read) return read;
    flush_batch();
    if (parts_.pace.stopped()) return changed("the node stops");
    return {};
}

void AuditRound::flush_batch() {
    intake_.finish(*batch_, Offset{});
    sample_->count(*batch_);
    batch_ = intake_.new_batch();
}

// --- what is stored ---

Result<void> AuditRound::load() {
    if (auto looked = look_again(); !looked) return looked;
    for (const auto& view : views_)
        for (const AuditRecord& one : records_)
            if (const auto known = one.record.layouts.find(view->plan.id()); known != one.record.layouts.end())
                view->layouts.learn(known->second);
    std::map<const AuditRecord*, std::vector<EntityKey>> keys;
    const std::string origin = HeadField{partition_.id, records_.front().record.log.generation}.text();
    sample_->for_each([&](std::uint32_t view, const std::string& name, AuditSample::Entity&) {
        const auto* record = parts_.store.record_of(records_, {views_[view]->plan.id(), name, origin});
        if (record) keys[record].push_back({view, name});
    });
    for (const auto& [record, all] : keys)
        for (std::size_t i = 0; i < all.size(); i += kLoadKeys) {
            const std::size_t some = std::min(kLoadKeys, all.size() - i);
            if (auto loaded = load_some(*record, std::span(all).subspan(i, some)); !loaded) return loaded;
            if (!parts_.pace.wait(kLoadPause)) return changed("the node stops");
        }
    return {};
}

Result<void> AuditRound::load_some(const AuditRecord& record, std::span<const EntityKey> keys) {
    const auto redis_now = parts_.store.now(record);
    if (!redis_now) return redis_now.error();
    const std::string origin = HeadField{partition_.id, record.record.log.generation}.text();
    std::vector<PartialKey> asked;
    for (const EntityKey& key : keys) asked.push_back({views_[key.view]->plan.id(), key.name, origin});
    const auto loaded = parts_.store.load(partition_, record, asked);
    if (!loaded) return loaded.error();
    for (std::size_t i = 0; i < keys.size(); ++i) take(keys[i], (*loaded)[i], *redis_now);
    return {};
}

// Reads the features as a look-up does: from the head where it serves, and with the sealed tiles.
void AuditRound::take(const EntityKey& key, const LoadedPartial& loaded, Timestamp redis_now) {
    Reading& view = *views_[key.view];
    auto waiting = std::make_unique<Waiting>(Waiting{key, std::nullopt, {}, {}});
    const auto moments = audit_moments(view.plan, view.progress.clock, redis_now);
    const auto read = [&](Timestamp at, const std::string& read_from) {
        if (!view.heads.serves(at, view.scope.features)) return;
        const auto answer = view.heads.read(view.scope.features);
        if (!answer) {
            waiting->corrupt = answer.error().message;
        } else {
            waiting->answers.push_back({at, read_from, **answer});
        }
    };
    const auto read_all = [&](const std::string& read_from) {
        read(moments->newest, read_from);
        if (moments->oldest != moments->newest) read(moments->oldest, read_from);
    };
    view.heads.clear();
    if (loaded.head) {
        if (auto added = view.heads.add(*loaded.head); !added) waiting->corrupt = added.error().message;
        if (view.heads.size() == 1) waiting->stamp = view.heads[0].stamp.offset;
    }
    if (waiting->corrupt.empty()) {
        read_all("its head");
        for (const StoredChunk& chunk : loaded.chunks) {
            const auto field = SealedField::parse(chunk.field);
            if (!field) continue;
            if (auto added = view.heads.add_sealed(*field, chunk.bytes); !added)
                waiting->corrupt = added.error().message;
        }
        view.heads.unfold();
        if (loaded.head) read_all("its tiles");
    }
    AuditSample::Entity& entity = *sample_->find(key.view, key.name);
    const Offset counted{end_.value - 1};
    entity.last = std::max(counted, waiting->stamp.value_or(counted));
    if (*entity.last == counted || !waiting->corrupt.empty()) {
        compare(*waiting);
    } else {
        waiting_.push_back(std::move(waiting));
    }
}

Result<void> AuditRound::catch_up() {
    if (waiting_.empty()) return {};
    const auto log = parts_.queries.range(partition_, kAskTimeout);
    if (!log) return log.error();
    Offset end = end_;
    for (const auto& waiting : waiting_)
        if (*waiting->stamp < log->end) end = std::max(end, waiting->stamp->next());
    if (end.value - end_.value > parts_.limits.max_events)
        return changed(partition_.text() + " has moved on by more than audit.max_events");
    if (auto counted = count(end_, end); !counted) return counted;
    for (const auto& waiting : waiting_) compare(*waiting);
    return {};
}

// --- the verdict ---

void AuditRound::compare(const Waiting& waiting) {
    Reading& view = *views_[waiting.key.view];
    const AuditSample::Entity& entity = *sample_->find(waiting.key.view, waiting.key.name);
    const Head head = entity.windows.unfolded();
    const Head* const heads[] = {&head};
    // What is older than this is stored no more.
    const Timestamp clock = std::max(view.progress.clock, intake_.clock()).value_or(Timestamp{});
    const Timestamp earliest = clock - view.plan.view().retain - source_->source.max_future;
    bool compared = false;
    if (!waiting.corrupt.empty())
        mismatch(waiting, {"stored value", waiting.corrupt, "no fault"}, "Redis", clock);
    for (const Waiting::Answer& answer : waiting.answers) {
        if (answer.at < earliest) continue;
        compared = true;
        outcome_.values += view.scope.features.size();
        const auto difference =
            first_difference(view.plan, view.scope.features, view.scope.presence, answer.stored,
                             view.recounted.read(heads, answer.at, view.scope.features), entity);
        if (!difference) continue;
        mismatch(waiting, *difference, answer.read_from, answer.at);
        break;
    }
    if (compared || !waiting.corrupt.empty()) ++outcome_.compared[waiting.key.view];
    sample_->erase(waiting.key.view, waiting.key.name);
}

void AuditRound::mismatch(const Waiting& waiting, const AuditDifference& difference,
                          const std::string& read_from, Timestamp at) {
    const AuditSample::Entity& entity = *sample_->find(waiting.key.view, waiting.key.name);
    outcome_.mismatches.push_back(
        {waiting.key.view,
         "view " + views_[waiting.key.view]->plan.id() + ", entity \"" + waiting.key.name + "\", " +
             partition_.text() + ": " + difference.feature + " is " + difference.stored + " as served from " +
             read_from + " (" +
             (waiting.stamp ? "up to offset " + std::to_string(waiting.stamp->value) : "nothing is stored") +
             "), and " + difference.recounted + " by a recount of offsets " + std::to_string(from_.value) +
             " to " + std::to_string(entity.last->value) + ", as of " + std::to_string(unix_ms(at))});
}

// Whether the log is still what was counted, and all that was counted is of it.
Result<void> AuditRound::confirm() {
    if (outcome_.mismatches.empty()) return {};
    const auto log = parts_.queries.range(partition_, kAskTimeout);
    if (!log) return log.error();
    if (log->low > from_ && log->low.value > 0) return changed("retention has taken what was being counted");
    std::vector<Offset> offsets;
    const LogIdentity known = records_.front().record.log;
    for (const LogMark& mark : known.marks) offsets.push_back(mark.offset);
    const auto found = parts_.queries.marks_at(partition_, offsets, kAskTimeout);
    if (!found) return found.error();
    if (judge_log(known, *found, *log, end_) != LogVerdict::same)
        return changed("the log was made anew or cut");
    return look_again();
}

}  // namespace freshet
