#include "io/lookup/lookup_router.hpp"

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

#include "model/freshness_tracker.hpp"

namespace freshet {

namespace {

// Readers of one process ask one replica after the other first, and processes begin with any.
std::size_t next_turn() {
    static std::atomic<std::size_t> turn{std::random_device{}()};
    return turn.fetch_add(1);
}

}  // namespace

LookupRouter::LookupRouter(asio::io_context& loop, const LookupCatalogue& catalogue, Settings settings,
                           RedisPipeline::Hooks hooks)
    : loop_(loop),
      catalogue_(catalogue),
      settings_(std::move(settings)),
      hooks_(std::move(hooks)),
      turn_(next_turn()) {
    version_ = newest_version();
    if (settings_.cluster) {
        adopt(settings_.cluster->current());
    } else if (settings_.sentinels) {
        follow_sentinels();
    } else {
        in_use_ = {&at(settings_.redis.address)};
    }
}

LookupStore& LookupRouter::at(const Endpoint& address, LookupStore* primary) {
    auto& store = all_[{address.text(), primary}];
    if (store) return *store;
    RedisPipeline::Hooks hooks = hooks_;
    hooks.connected = [this, address, primary] { connected(at(address, primary)); };
    hooks.disconnected = [this, address, primary] { disconnected(at(address, primary)); };
    const bool alone = !settings_.cluster && !settings_.sentinels;
    const RedisConfig config = alone ? settings_.redis : reached_at(settings_.redis, address);
    // Whoever waits for a replica waits for the primary then.
    const Duration silence = primary ? settings_.silence / 2 : settings_.silence;
    store = std::make_unique<LookupStore>(loop_, config, silence, std::move(hooks), catalogue_,
                                          settings_.max_record_age, places_, primary);
    return *store;
}

// Whether a primary lacks a record is known only when the others have told theirs; whether a replica can be
// read, when it has told its own.
void LookupRouter::connected(LookupStore& store) {
    if (store.history) store.history->keep_up(Clock::now());
    if (map_)
        for (std::size_t topic = 0; topic < catalogue_.topics().size(); ++topic)
            store.progress.refresh(topic, Clock::now());
    hooks_.connected();
}

void LookupRouter::disconnected(LookupStore& store) {
    store.progress.forget();
    if (store.history) store.history->forget();
    may_have_changed();
}

void LookupRouter::adopt(SharedSlotMap map) {
    map_ = std::move(map);
    places_.adopt(map_);
    in_use_.clear();
    for (const auto& primary : map_->primaries()) {
        in_use_.push_back(&at(primary.address));
        read_replicas(*in_use_.back(), primary.replicas);
    }
    if (started_) start();
}

void LookupRouter::read_replicas(LookupStore& primary, const std::vector<Endpoint>& replicas) {
    primary.replicas.clear();
    if (settings_.redis.read_from == RedisConfig::ReadFrom::primary) return;
    for (const Endpoint& replica : replicas) primary.replicas.push_back(&at(replica, &primary));
    if (replicas.empty()) return;
    const auto begin = primary.replicas.begin();
    std::rotate(begin, begin + static_cast<std::ptrdiff_t>(turn_ % replicas.size()), primary.replicas.end());
}

LookupStore& LookupRouter::read_from(LookupStore& primary, std::size_t topic, Clock::time_point now) {
    if (primary.replicas.empty()) return primary;
    const bool primary_answers = primary.redis.usable();
    if (primary_answers) primary.progress.refresh_clock(now);
    if (!primary.progress.knows_time()) return primary;
    for (LookupStore* replica : primary.replicas) {
        if (!replica->redis.connected()) continue;
        replica->history->keep_up(now);
        if (!replica->history->linked() && primary_answers) continue;
        replica->progress.refresh(topic, now);
        if (replica->progress.settled(topic) || !primary_answers) return *replica;
    }
    return primary;
}

void LookupRouter::follow_sentinels() {
    in_use_ = {&at(settings_.sentinels->primary())};
    if (started_) start();
}

std::uint64_t LookupRouter::newest_version() const {
    if (settings_.cluster) return settings_.cluster->version();
    return settings_.sentinels ? settings_.sentinels->version() : 0;
}

void LookupRouter::may_have_changed() {
    if (settings_.cluster) settings_.cluster->refresh_soon();
    if (settings_.sentinels) settings_.sentinels->refresh_soon();
}

void LookupRouter::run(LookupStore& store, bool running) {
    if (std::exchange(store.running, running) == running) return;
    running ? store.redis.start() : store.redis.stop();
}

bool LookupRouter::in_use(const LookupStore& store) const {
    if (!store.primary) return std::ranges::count(in_use_, &store) > 0;
    return in_use(*store.primary) && std::ranges::count(store.primary->replicas, &store) > 0;
}

void LookupRouter::keep_up() {
    if (settings_.cluster && places_.out_of_date()) settings_.cluster->refresh_soon();
    const std::uint64_t newest = newest_version();
    if (newest == version_) return;
    version_ = newest;
    settings_.cluster ? adopt(settings_.cluster->current()) : follow_sentinels();
    for (const auto& [place, store] : all_)
        if (!in_use(*store)) run(*store, false);
}

void LookupRouter::start() {
    started_ = true;
    for (LookupStore* primary : in_use_) {
        run(*primary, true);
        for (LookupStore* replica : primary->replicas) run(*replica, true);
    }
}

void LookupRouter::stop() {
    for (const auto& [place, store] : all_) run(*store, false);
}

void LookupRouter::flush() {
    for (const auto& [place, store] : all_) {
        if (store->history) store->history->ask();
        store->redis.flush();
    }
}

void LookupRouter::give_up(const std::string& reason) {
    for (const auto& [place, store] : all_)
        if (store->running) store->redis.give_up(reason);
}

std::size_t LookupRouter::outstanding() const {
    std::size_t sum = 0;
    for (const auto& [place, store] : all_) sum += store->redis.outstanding();
    return sum;
}

LookupStore* LookupRouter::primary_of(std::string_view key) {
    const auto owner = map_->owner_of(slot_of(key));
    return owner ? in_use_[*owner] : nullptr;
}

std::optional<LookupRouter::Redirected> LookupRouter::redirected(const LookupStore& from,
                                                                 std::string_view error) {
    if (!settings_.cluster) return std::nullopt;
    const auto redirection = redirection_of(error, from.address);
    if (!redirection) {
        if (error.starts_with("CLUSTERDOWN") || error.starts_with("LOADING")) settings_.cluster->refresh_soon();
        return std::nullopt;
    }
    if (!redirection->ask) {
        settings_.cluster->refresh_soon();
        const auto owner = map_->owner_of(redirection->slot);
        if (!owner || in_use_[*owner]->address != redirection->to)
            adopt(std::make_shared<const SlotMap>(map_->with(redirection->slot, redirection->to)));
    }
    LookupStore& to = at(redirection->to);
    run(to, true);
    return Redirected{&to, redirection->ask};
}

LookupRouter::Overall LookupRouter::overall(const ServedView& view) const {
    Overall all;
    LowestWatermark watermark;
    for (const LookupStore* primary : in_use_) {
        const LookupProgress& progress = primary->progress;
        if (all.trouble.empty()) all.trouble = progress.trouble(view.topic);
        all.settled = all.settled && progress.settled(view.topic);
        const ViewProgressSummary& summary = progress.summary(view);
        if (all.foreign.empty()) all.foreign = summary.foreign;
        watermark.add(summary.watermark);
        all.clock = std::max(all.clock, summary.clock);
        all.since.resize(std::max(all.since.size(), summary.since.size()));
        for (std::size_t f = 0; f < summary.since.size(); ++f)
            all.since[f] = std::max(all.since[f], summary.since[f]);
    }
    all.watermark = watermark.get();
    return all;
}

std::string LookupRouter::furthest_behind(const ServedView& view) const {
    std::string partition;
    std::optional<Timestamp> lowest = Timestamp::max();
    for (const LookupStore* primary : in_use_) {
        const auto& partitions = primary->progress.partitions(view.topic);
        for (std::size_t i = 0; i < partitions.size(); ++i) {
            const auto& progress = primary->progress.progress(view, i);
            const auto watermark = progress ? progress->watermark : std::nullopt;
            if (watermark >= lowest) continue;
            lowest = watermark;
            partition = "furthest behind is " + view.source.topic + "/" + std::to_string(i) +
                        ", last counted by node " + (partitions[i].node.empty() ? "none" : partitions[i].node);
        }
    }
    return partition;
}

Timestamp LookupRouter::redis_now(Clock::time_point now) const {
    Timestamp latest = in_use_.front()->progress.redis_now(now);
    for (const LookupStore* primary : in_use_) latest = std::max(latest, primary->progress.redis_now(now));
    return latest;
}

std::string LookupRouter::connections() const {
    std::string to;
    for (const LookupStore* primary : in_use_) {
        if (!primary->redis.connected()) return primary->redis.reason();
        to += (to.empty() ? "" : ", ") + primary->redis.where();
    }
    return "connected to " + to;
}

StoreReport LookupRouter::store(Clock::time_point now) const {
    StoreReport store;
    store.connected =
        std::ranges::all_of(in_use_, [](const LookupStore* one) { return one->redis.connected(); });
    store.connection = connections();
    for (const ServedTopic& topic : catalogue_.topics()) {
        const std::size_t index = topic.views.front()->topic;
        const std::size_t partitions = in_use_.front()->progress.partitions(index).size();
        for (std::size_t i = 0; i < partitions; ++i) store.partitions.push_back(record_of(topic, i, now));
    }
    return store;
}

PartitionRecord LookupRouter::record_of(const ServedTopic& topic, std::size_t partition,
                                        Clock::time_point now) const {
    PartitionRecord record{{topic.name, {static_cast<std::int32_t>(partition)}}, {}, {}, {}};
    LowestWatermark watermark;
    for (const LookupStore* primary : in_use_) {
        const auto& partitions = primary->progress.partitions(topic.views.front()->topic);
        if (partition >= partitions.size()) continue;
        const PartitionProgress& read = partitions[partition];
        if (read.recorded && read.epoch >= record.epoch) {
            record.owner = read.node;
            record.epoch = read.epoch;
        }
        for (const ServedView* view : topic.views) {
            const auto& progress = primary->progress.progress(*view, partition);
            watermark.add(progress ? progress->watermark : std::nullopt);
        }
    }
    record.behind = staleness(watermark.get(), redis_now(now));
    return record;
}

}  // namespace freshet
