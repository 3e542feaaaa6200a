#include "io/lookup/lookup_progress.hpp"

#include <algorithm>
#include <charconv>

#include "io/lookup/lookup_query.hpp"
#include "io/stored/progress_codec.hpp"
#include "io/stored/store_keys.hpp"
#include "model/freshness_tracker.hpp"

namespace freshet {

namespace {

constexpr std::int64_t kMostPartitions = 100'000;
constexpr std::uint64_t kTimeTag = 0xffffffff;
constexpr std::uint64_t kLayoutsTag = 0xfffffffe;
constexpr std::uint64_t kClockTag = 0xfffffffd;
constexpr Duration kClockAge{1'000};
constexpr std::size_t kFixedFields = 8;  // before two a view

constexpr std::uint64_t tag_of(std::size_t topic, std::uint64_t what) { return topic << 32 | what; }

}  // namespace

LookupProgress::LookupProgress(const LookupCatalogue& catalogue, RedisPipeline& redis,
                               const std::string& prefix, Duration max_age, RecordPlaces& places,
                               const Endpoint& self, const LookupProgress* replicated)
    : redis_(redis),
      prefix_(prefix),
      max_age_(max_age),
      record_places_(places),
      self_(self),
      replicated_(replicated),
      summaries_(catalogue.views().size()),
      layouts_(catalogue.views().size()),
      places_(catalogue.views().size()) {
    topics_.reserve(catalogue.topics().size());
    for (const ServedTopic& served : catalogue.topics()) {
        Topic& topic = topics_.emplace_back();
        topic.served = &served;
        for (std::size_t i = 0; i < served.views.size(); ++i) {
            topic.slots.push_back(served.views[i]->index);
            places_[served.views[i]->index] = {topics_.size() - 1, i};
        }
        provide(topic, 1);
    }
}

void LookupProgress::provide(Topic& topic, std::size_t partitions) {
    topic.partitions.resize(partitions);
    while (topic.commands.size() < partitions) {
        std::vector<std::string> arguments{"HMGET", key_of(topic, topic.commands.size())};
        for (const std::string_view field :
             {record_field::kPartitions, record_field::kEpoch, record_field::kNode, record_field::kSlots,
              record_field::kAdvance, record_field::kCovers, record_field::kGeneration,
              record_field::kRebuilds})
            arguments.emplace_back(field);
        for (const ServedView* view : topic.served->views) {
            arguments.push_back(record_field::position(view->plan.id()));
            arguments.push_back(record_field::definition(view->plan.id()));
        }
        append_redis_command(topic.commands.emplace_back(),
                             std::vector<std::string_view>(arguments.begin(), arguments.end()));
    }
}

Slot LookupProgress::slot_of_record(const Topic& topic, std::size_t partition) const {
    return record_places_.place(self_, index_of(topic), partition);
}

std::string LookupProgress::key_of(const Topic& topic, std::size_t partition) const {
    const PartitionId id{static_cast<std::int32_t>(partition)};
    return record_key(prefix_, Partition{topic.served->name, id}, tag_of(slot_of_record(topic, partition)));
}

void LookupProgress::place_again(Topic& topic) {
    topic.placed = record_places_.version();
    topic.commands.clear();
    provide(topic, topic.partitions.size());
    topic.asked.reset();
}

void LookupProgress::refresh(std::size_t index, Clock::time_point now) {
    Topic& topic = topics_[index];
    if (topic.placed != record_places_.version()) place_again(topic);
    if (topic.asked && now - *topic.asked <= max_age_) return;
    topic.asked = now;
    if (std::exchange(topic.layouts_wanted, false)) ask_layouts(index);
    for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
        redis_.out() += topic.commands[i];
        redis_.expect(*this, tag_of(index, i));
    }
    ask_time(tag_of(index, kTimeTag), now);
}

void LookupProgress::refresh_clock(Clock::time_point now) {
    if (!time_asked_last_ || now - *time_asked_last_ > kClockAge) ask_time(tag_of(0, kClockTag), now);
}

void LookupProgress::ask_time(std::uint64_t tag, Clock::time_point now) {
    append_redis_command(redis_.out(), {"TIME"});
    redis_.expect(*this, tag);
    times_asked_.push_back(now);
    time_asked_last_ = now;
}

void LookupProgress::want_layouts(std::size_t topic) {
    topics_[topic].layouts_wanted = true;
    topics_[topic].asked.reset();
}

void LookupProgress::ask_layouts(std::size_t index) {
    const Topic& topic = topics_[index];
    for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
        std::vector<std::string> arguments{"HMGET", key_of(topic, i)};
        for (const ServedView* view : topic.served->views)
            arguments.push_back(record_field::layouts(view->plan.id()));
        append_redis_command(redis_.out(), std::vector<std::string_view>(arguments.begin(), arguments.end()));
        redis_.expect(*this, tag_of(index, kLayoutsTag));
    }
}

void LookupProgress::take_layouts(const Topic& topic, const RedisAnswer& answer) {
    for (std::size_t i = 0; i < std::min(topic.slots.size(), answer.elements.size()); ++i)
        if (answer.elements[i].is_string()) layouts_[topic.slots[i]].emplace(answer.elements[i].text);
}

// The first partition's epoch stands for all: Redis forgets its records together, and who writes one anew takes
// another epoch.
void LookupProgress::ask_again(std::size_t index) {
    append_redis_command(redis_.out(), {"HGET", key_of(topics_[index], 0), record_field::kEpoch});
}

bool LookupProgress::still_stands(std::size_t index, const RedisAnswer& answer) {
    Topic& topic = topics_[index];
    const auto epoch = static_cast<std::uint64_t>(whole_number(answer.text).value_or(0));
    if (!topic.partitions.empty() && topic.partitions[0].epoch.value == epoch) return true;
    topic.asked.reset();
    return false;
}

void LookupProgress::replied(std::uint64_t tag, const RedisAnswer& answer) {
    Topic& topic = topics_[tag >> 32];
    const std::uint64_t what = tag & 0xffffffff;
    if (what == kClockTag) return void(take_clock(answer));
    if (what == kTimeTag) return take_time(topic, answer);
    if (what == kLayoutsTag) return take_layouts(topic, answer);
    ++topic.replied;
    take_record(topic, what, answer);
}

void LookupProgress::lost(std::uint64_t) {}

void LookupProgress::take_record(Topic& topic, std::size_t partition, const RedisAnswer& answer) {
    const std::size_t views = topic.served->views.size();
    if (answer.is_error() && record_places_.moved(answer.text)) {
        topic.moved = true;
        return;
    }
    if (answer.elements.size() != kFixedFields + 2 * views) {
        topic.new_trouble = redis_.where() + ": " +
                            (answer.is_error() ? std::string(answer.text) : "an unexpected reply to HMGET");
        return;
    }
    if (partition >= topic.partitions.size()) return;
    PartitionProgress& into = topic.partitions[partition];
    const auto text = [&](std::size_t i) { return answer.elements[i].text; };
    into.recorded = answer.elements[1].is_string();
    into.epoch = Epoch{static_cast<std::uint64_t>(whole_number(text(1)).value_or(0))};
    into.node = text(2);
    into.generation = Generation{static_cast<std::uint32_t>(whole_number(text(6)).value_or(0))};
    if (!replicated_)
        record_places_.note(self_, index_of(topic), partition,
                            into.recorded ? std::optional(into.epoch) : std::nullopt, text(3));
    const auto advance = static_cast<std::uint64_t>(whole_number(text(4)).value_or(0));
    const bool rebuilds = text(7) == "1";
    const bool behind = record_places_.is_behind(index_of(topic), partition, into.epoch, advance);
    into.only_covers.reset();
    // A record that is made anew has no covers yet, and says by its lack of views what it does not know.
    if ((behind || rebuilds) && answer.elements[5].is_string()) into.only_covers = decode_covers(text(5));
    // A replica may not know yet that a slot which it covers has left, and has come back with less.
    if (replicated_) into.only_covers = rebuilds ? SlotRanges{} : decode_covers(text(5));
    into.views.resize(views);
    into.definitions.resize(views);
    if (partition == 0)
        topic.named = static_cast<std::size_t>(
            std::clamp<std::int64_t>(whole_number(text(0)).value_or(0), 0, kMostPartitions));
    for (std::size_t i = 0; i < views; ++i) {
        if (answer.elements[kFixedFields + 2 * i].is_string()) {
            take_view(topic, into, i, text(kFixedFields + 2 * i), text(kFixedFields + 2 * i + 1));
        } else {
            into.views[i].reset();
        }
    }
}

void LookupProgress::take_view(Topic& topic, PartitionProgress& into, std::size_t view,
                               std::string_view progress, std::string_view definition) {
    std::optional<ViewProgress>& known = into.views[view];
    const bool same = known && into.definitions[view] == definition;
    if (!same) known.emplace();
    Result<void> decoded = decode_position(progress, *known);
    if (decoded && !same) decoded = decode_definition(definition, *known);
    if (decoded) {
        if (!same) into.definitions[view] = definition;
    } else {
        known.reset();
        topic.new_trouble = "topic " + topic.served->name + ": " + decoded.error().message;
    }
}

bool LookupProgress::take_clock(const RedisAnswer& answer) {
    const Clock::time_point asked = times_asked_.front();
    times_asked_.pop_front();
    const auto part = [&](std::size_t i) {
        return i < answer.elements.size() ? whole_number(answer.elements[i].text) : std::nullopt;
    };
    const auto seconds = part(0), micros = part(1);
    if (!seconds || !micros) return false;
    redis_time_ = from_unix_ms(*seconds * 1000 + (*micros + 999) / 1000);
    redis_time_asked_ = asked;
    return true;
}

void LookupProgress::take_time(Topic& topic, const RedisAnswer& answer) {
    if (!take_clock(answer)) topic.new_trouble = redis_.where() + ": an unexpected reply to TIME";
    topic.trouble = std::exchange(topic.new_trouble, {});
    const std::size_t read = std::exchange(topic.replied, 0);
    const bool moved = std::exchange(topic.moved, false);
    topic.settled = topic.named <= read && !moved && !lacks_a_record(topic);
    if (!topic.settled) topic.asked.reset();
    topic.doubts_slots = std::ranges::any_of(
        topic.partitions, [](const PartitionProgress& partition) { return partition.only_covers.has_value(); });
    if (topic.named > 0) provide(topic, topic.named);
    summarize(topic);
}

bool LookupProgress::lacks_a_record(const Topic& topic) const {
    for (std::size_t i = 0; i < topic.partitions.size(); ++i)
        if (!topic.partitions[i].recorded &&
            (replicated_ || record_places_.may_stand_elsewhere(self_, index_of(topic), i)))
            return true;
    return false;
}

void LookupProgress::summarize(const Topic& topic) {
    for (std::size_t i = 0; i < topic.slots.size(); ++i) {
        ViewProgressSummary& summary = summaries_[topic.slots[i]];
        summary = {};
        LowestWatermark watermark;
        for (const PartitionProgress& partition : topic.partitions) {
            const auto* progress =
                i < partition.views.size() && partition.views[i] ? &*partition.views[i] : nullptr;
            watermark.add(progress ? progress->watermark : std::nullopt);
            if (!progress) continue;
            summary.clock = std::max(summary.clock, progress->clock);
            add_features(topic.served->views[i]->plan, *progress, summary);
        }
        summary.watermark = watermark.get();
    }
}

void LookupProgress::add_features(const ViewPlan& plan, const ViewProgress& progress,
                                  ViewProgressSummary& summary) {
    if (progress.fingerprint != plan.fingerprint()) summary.foreign = "view " + plan.id();
    for (std::size_t f = 0; f < plan.features().size(); ++f) {
        const FeaturePlan& feature = plan.features()[f];
        const auto counted = progress.features.find(feature.name);
        const bool known = counted != progress.features.end();
        if (known && counted->second.fingerprint != feature.fingerprint)
            summary.foreign = "feature " + feature.name + " of view " + plan.id();
        const auto since = std::max(progress.since, known ? counted->second.since : kSincePending);
        if (!since) continue;
        summary.since.resize(plan.features().size());
        summary.since[f] = std::max(summary.since[f], since);
    }
}

const std::optional<ViewProgress>& LookupProgress::progress(const ServedView& view,
                                                            std::size_t partition) const {
    static const std::optional<ViewProgress> none;
    const auto [topic, index] = places_[view.index];
    const auto& partitions = topics_[topic].partitions;
    if (partition >= partitions.size() || index >= partitions[partition].views.size()) return none;
    return partitions[partition].views[index];
}

bool LookupProgress::vouches_for(std::size_t topic, Slot slot) const {
    return std::ranges::all_of(topics_[topic].partitions, [&](const PartitionProgress& partition) {
        return !partition.only_covers || contains(*partition.only_covers, slot);
    });
}

Timestamp LookupProgress::redis_now(Clock::time_point now) const {
    if (replicated_) return replicated_->redis_now(now);
    return redis_time_ + std::chrono::ceil<Duration>(now - redis_time_asked_);
}

void LookupProgress::forget() {
    for (Topic& topic : topics_) {
        topic.asked.reset();
        topic.replied = 0;
        topic.new_trouble.clear();
        topic.settled = topic.moved = false;
    }
    times_asked_.clear();
    time_asked_last_.reset();
}

void LookupProgress::distrust() {
    for (Topic& topic : topics_) {
        topic.asked.reset();
        topic.settled = false;
    }
}

}  // namespace freshet
