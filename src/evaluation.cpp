#include "evaluation.hpp"

#include <algorithm>
#include <numeric>

namespace freshet {

namespace {

constexpr std::size_t kBatchRecords = 1024;
constexpr std::size_t kBatchBytes = 4 << 20;
// How often tiles that no read may reach any more are given up.
constexpr std::size_t kFlushRecords = 16 * kBatchRecords;

Source time_alone(Source source) {
    source.fields.clear();
    return source;
}

}  // namespace

OwnTime::OwnTime(const Source& source) : decoder_(time_alone(source)) {}

Timestamp OwnTime::of(std::string_view payload) {
    Timestamp time{};
    values_.clear();
    StringArena strings;
    return decoder_.decode(payload, {}, strings, values_, time) ? Timestamp{} : time;
}

Evaluation::Part::Part(const Source& source, const ViewPlans& plans, PartitionId partition)
    : intake(source, plans, 1), table(plans, partition, Generation{0}, Offset{0}), batch(intake.new_batch()) {}

Evaluation::Evaluation(const Definitions& definitions, const std::vector<std::string>& views) {
    for (const Source& source : definitions.sources)
        feeds_.push_back(std::make_unique<Feed>(Feed{&source, {}, {}, {}}));
    for (const View& view : definitions.views) {
        if (!views.empty() && std::ranges::find(views, view.name) == views.end()) continue;
        const Source& source = definitions.source_of(view);
        Feed& feed = **std::ranges::find_if(feeds_, [&](const auto& f) { return f->source == &source; });
        auto plan = std::make_shared<const ViewPlan>(source, view);
        feed.plans.push_back(plan);
        feed.views.push_back(views_.size());
        views_.push_back(std::make_unique<Evaluated>(Evaluated{std::move(plan), &feed, {}}));
    }
}

bool Evaluation::add(const std::string& topic, PartitionId partition, const LogRecord& record,
                     std::vector<Refused>& refused) {
    std::vector<Rejection> rejected;
    for (const auto& feed : feeds_) {
        if (feed->source->topic != topic) continue;
        Part& part = feed->parts.try_emplace(partition, *feed->source, feed->plans, partition).first->second;
        if (record.offset < part.next) return false;
        part.next = record.offset.next();
        part.intake.add(record, *part.batch, rejected);
        for (Rejection& rejection : rejected) refused.push_back({feed->source, std::move(rejection)});
        rejected.clear();
        if (part.batch->records >= kBatchRecords || part.batch->bytes >= kBatchBytes) apply(*feed, part);
    }
    return true;
}

void Evaluation::apply(Feed& feed, Part& part) {
    part.intake.finish(*part.batch, part.next);
    part.since_flush += part.batch->records;
    const std::shared_ptr<const EventBatch> batch = std::exchange(part.batch, part.intake.new_batch());
    note_entities(feed, *batch);
    part.table.apply(batch, batch->touches[0]);
    for (const EntityKey& key : part.table.take_loads()) part.table.loaded(key, std::nullopt);
    if (part.since_flush >= kFlushRecords) flush(feed, part);
}

void Evaluation::note_entities(const Feed& feed, const EventBatch& batch) {
    for (const Touch& touch : batch.touches[0]) {
        auto& entities = views_[feed.views[touch.view]]->entities;
        if (entities.find(touch.entity) == entities.end())
            entities.emplace(touch.entity, std::vector<EntityWindows*>{});
    }
}

void Evaluation::flush(const Feed& feed, Part& part) {
    const auto store = [&](std::uint32_t view, const std::string& name, EntityWindows& windows) {
        auto& known = views_[feed.views[view]]->entities.find(name)->second;
        if (std::ranges::find(known, &windows) == known.end()) known.push_back(&windows);
        windows.flush(*feed.plans[view], part.table.clock(), head_, changed_);
    };
    while (part.table.take_flush(store) > 0) part.table.flushed();
    part.since_flush = 0;
}

void Evaluation::finish() {
    for (const auto& feed : feeds_) {
        for (auto& [partition, part] : feed->parts) {
            apply(*feed, part);
            flush(*feed, part);
        }
    }
}

std::optional<Timestamp> Evaluation::clock(std::size_t view) const {
    std::optional<Timestamp> highest;
    for (const auto& [partition, part] : views_[view]->feed->parts)
        highest = std::max(highest, part.intake.clock());
    return highest;
}

std::optional<Timestamp> Evaluation::earliest(std::size_t view) const {
    const auto newest = clock(view);
    if (!newest) return std::nullopt;
    const View& definition = views_[view]->plan->view();
    // An event may be that far ahead of the wall clock, hence the wall clock behind it.
    const Duration ahead =
        definition.clock == View::Clock::wall ? views_[view]->feed->source->max_future : Duration{0};
    return *newest - definition.retain - ahead;
}

FeatureAnswer Evaluation::answer(FeatureReader& reader, const ViewPlan& plan, const Parts& parts,
                                 std::optional<Timestamp> at) {
    std::vector<std::size_t> features(plan.features().size());
    std::iota(features.begin(), features.end(), std::size_t{0});
    if (!at) {
        FeatureAnswer nothing;
        nothing.values.resize(features.size());
        return nothing;
    }
    std::vector<Head> heads;
    for (const EntityWindows* windows : parts) heads.push_back(windows->unfolded());
    std::vector<const Head*> all;
    for (const Head& head : heads) all.push_back(&head);
    return reader.read(all, *at, features);
}

void Evaluation::read(std::size_t view, std::optional<Timestamp> at, const Sink& sink) const {
    const Evaluated& evaluated = *views_[view];
    FeatureReader reader(*evaluated.plan);
    for (const auto& [entity, parts] : evaluated.entities)
        sink(entity, answer(reader, *evaluated.plan, parts, at));
}

FeatureAnswer Evaluation::read(std::size_t view, const std::string& entity, std::optional<Timestamp> at) const {
    const Evaluated& evaluated = *views_[view];
    FeatureReader reader(*evaluated.plan);
    const auto found = evaluated.entities.find(entity);
    return answer(reader, *evaluated.plan, found == evaluated.entities.end() ? Parts{} : found->second, at);
}

std::uint64_t Evaluation::late() const {
    std::uint64_t total = 0;
    for (const auto& feed : feeds_)
        for (const auto& [partition, part] : feed->parts) total += part.table.counts().late;
    return total;
}

}  // namespace freshet
