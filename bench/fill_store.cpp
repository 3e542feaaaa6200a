// Fills a Redis on this machine with entities as an ingesting node would leave them, progress records included,
// and beside them the same feature values as plain hashes (h:<entity>) and the stored heads as plain strings
// (b:<entity>). The events are a function of (entity, partition, number); those of the first entities are
// written as records for the oracle. The configuration's first view is filled; its source has the fields user,
// amount and items, in this order.
#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <stdexcept>

#include "io/config/config_file.hpp"
#include "io/redis/redis_connection.hpp"
#include "io/redis/redis_partial_store.hpp"
#include "io/stored/flush_builder.hpp"
#include "model/partial.hpp"

namespace freshet::bench {
namespace {

constexpr std::int64_t kTile = 60'000;
constexpr std::size_t kCallsAtOnce = 8;
constexpr std::size_t kPlainAtOnce = 256;

struct Options {
    std::string config;
    std::int64_t entities = 100'000;
    std::int64_t tiles = 1;            // minutes with events
    std::int64_t events_per_tile = 2;  // of an entity in a partition
    std::int64_t rest = 0;             // minutes without events since; the first entity moves the clock
    std::int32_t partitions = 1;
    std::int64_t end = 0;  // unix ms of the newest event; 0: Redis's now
    std::int64_t recorded_entities = 200;
    std::string record_to;
};

template <class T>
T need(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
}

std::uint64_t mix(std::uint64_t x) {  // splitmix64
    x += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

struct Payment {
    std::int64_t time;
    std::int64_t offset;
    std::int64_t cents;
    std::int64_t items;
};

std::string text_of(const Scalar& value) {
    char digits[32];
    if (const auto* n = std::get_if<std::int64_t>(&value)) return std::to_string(*n);
    if (const auto* x = std::get_if<double>(&value))
        return {digits, std::to_chars(digits, digits + sizeof digits, *x).ptr};
    return "";
}

// One partition's origin, through the fenced calls of the write path.
class Origin {
public:
    Origin(const Config& config, const Source& source, const ViewPlans& plans, PartitionId id,
           std::int32_t partitions)
        : store_(config.redis), builder_(source, plans, id, Generation{0}), partitions_(partitions) {
        const PartitionClaim claim{{source.topic, id}, "bench", "bench", config.kafka.group, partitions};
        const TakenEpoch taken = need(store_.take_epoch(claim));
        fence_ = {claim.partition, taken.epoch, taken.calls};
        redis_now = taken.redis_now;
    }

    void add(const std::string& entity, EntityWindows& windows, Timestamp clock) {
        builder_.add(0, entity, windows, clock);
        if (++pending_ == kWritesPerCall * kCallsAtOnce) write();
    }

    void finish(const ViewPlan& plan, const ViewProgress& progress) {
        write();
        (void)need(store_.advance(fence_, {partitions_, {}, {{plan.id(), progress}}}));
    }

    Timestamp redis_now{};
    std::uint64_t head_bytes = 0;
    std::uint64_t sealed_bytes = 0;
    std::vector<std::pair<std::string, std::string>> heads;  // of the last write

private:
    void write() {
        pending_ = 0;
        heads.clear();
        std::vector<WriteCall> calls = builder_.take();
        for (WriteCall& call : calls) {
            call.fence = fence_;
            for (const PartialWrite& write : call.writes) {
                head_bytes += write.head.size();
                for (const ChunkWrite& chunk : write.chunks) sealed_bytes += chunk.bytes.size();
                heads.emplace_back(write.key.entity, write.head);
            }
        }
        for (const auto& result : store_.write(calls))
            fence_.acked_calls = std::max(fence_.acked_calls, need(result));
    }

    RedisPartialStore store_;
    FlushBuilder builder_;
    Fence fence_;
    std::int32_t partitions_;
    std::size_t pending_ = 0;
};

class Filler {
public:
    explicit Filler(const Options& options) : options_(options), config_(need(load_config(options.config))) {
        const View& view = config_.definitions.views.front();
        source_ = &config_.definitions.source_of(view);
        plans_ = {std::make_shared<ViewPlan>(*source_, view)};
        for (std::int32_t p = 0; p < options.partitions; ++p)
            origins_.push_back(
                std::make_unique<Origin>(config_, *source_, plans_, PartitionId{p}, options.partitions));
        if (options_.end == 0) options_.end = unix_ms(origins_.front()->redis_now);
        // The newest tile is complete, so that its minute is the clock's.
        options_.end = options_.end / kTile * kTile - 1;
        plain_ = std::make_unique<RedisConnection>(config_.redis);
        if (!options.record_to.empty()) records_.open(options.record_to);
    }

    void run() {
        FeatureReader reader(*plans_.front());
        std::vector<std::size_t> all;
        for (std::size_t f = 0; f < plan().features().size(); ++f) all.push_back(f);
        for (std::int64_t entity = 0; entity < options_.entities; ++entity) {
            std::vector<Head> heads;
            for (std::int32_t p = 0; p < options_.partitions; ++p) heads.push_back(fill(entity, p));
            std::vector<const Head*> pointers;
            for (const Head& head : heads) pointers.push_back(&head);
            write_plain(entity, reader.read(pointers, from_unix_ms(options_.end), all));
        }
        settle_plain();
        for (std::int32_t p = 0; p < options_.partitions; ++p) finish(p);
        report();
    }

private:
    const ViewPlan& plan() const { return *plans_.front(); }

    Payment payment(std::int64_t entity, std::int32_t partition, std::int64_t number) const {
        const std::int64_t tile = number / options_.events_per_tile;
        const std::uint64_t seed = static_cast<std::uint64_t>((entity << 8 | partition) * 1'000'003 + number);
        const std::uint64_t random = mix(seed);
        const std::int64_t rest = entity == 0 ? 0 : options_.rest;
        const std::int64_t begin = options_.end + 1 - (options_.tiles - tile + rest) * kTile;
        std::int64_t time = begin + static_cast<std::int64_t>(random % kTile);
        const bool last = number + 1 == options_.tiles * options_.events_per_tile;
        if (last && entity == 0) time = options_.end;
        return {time, number * options_.entities + entity,
                100 + static_cast<std::int64_t>((random >> 20) % 50'000),
                static_cast<std::int64_t>((random >> 40) % 20)};
    }

    Head fill(std::int64_t entity, std::int32_t partition) {
        EntityWindows windows(plan(), PartitionId{partition}, Generation{0});
        for (std::int64_t i = 0; i < options_.tiles * options_.events_per_tile; ++i) {
            const Payment paid = payment(entity, partition, i);
            const Value fields[] = {entity, static_cast<double>(paid.cents) / 100, paid.items};
            const Timestamp time = from_unix_ms(paid.time);
            (void)windows.add(plan(), Event{time, Offset{paid.offset}, from_unix_ms(options_.end), fields});
            if (records_.is_open() && entity < options_.recorded_entities) record(entity, partition, paid);
        }
        Head head = windows.unfolded();
        origins_[static_cast<std::size_t>(partition)]->add(std::to_string(entity), windows,
                                                           from_unix_ms(options_.end));
        return head;
    }

    void record(std::int64_t entity, std::int32_t partition, const Payment& paid) {
        char line[400];
        std::snprintf(
            line, sizeof line,
            "{\"topic\": \"%s\", \"partition\": %d, \"offset\": %lld, \"timestamp\": %lld, \"value\": "
            "\"{\\\"user\\\": %lld, \\\"amount\\\": %.2f, \\\"items\\\": %lld, \\\"ts\\\": %lld}\"}\n",
            source_->topic.c_str(), partition, wide(paid.offset), wide(paid.time), wide(entity),
            static_cast<double>(paid.cents) / 100, wide(paid.items), wide(paid.time));
        records_ << line;
    }
    static long long wide(std::int64_t n) { return n; }

    void write_plain(std::int64_t entity, const FeatureAnswer& answer) {
        std::vector<std::string> words{"HSET", "h:" + std::to_string(entity)};
        for (std::size_t f = 0; f < answer.values.size(); ++f) {
            words.push_back("f" + std::to_string(f));
            words.push_back(text_of(answer.values[f].value));
            plain_bytes_ += words.back().size();
        }
        send_plain(words);
        for (const auto& [name, head] : origins_.front()->heads) send_plain({"SET", "b:" + name, head});
        origins_.front()->heads.clear();
    }

    void send_plain(const std::vector<std::string>& words) {
        plain_->append(std::vector<std::string_view>(words.begin(), words.end()));
        if (++unread_ >= kPlainAtOnce) settle_plain();
    }

    void settle_plain() {
        for (; unread_ > 0; --unread_) (void)need(plain_->read());
    }

    void finish(std::int32_t p) {
        Origin& origin = *origins_[static_cast<std::size_t>(p)];
        ViewProgress progress;
        progress.next = Offset{options_.entities * options_.tiles * options_.events_per_tile};
        progress.clock = from_unix_ms(options_.end);
        progress.watermark = origin.redis_now;
        progress.fingerprint = plan().fingerprint();
        progress.retain = plan().view().retain;
        for (const FeaturePlan& feature : plan().features())
            progress.features[feature.name] = {feature.fingerprint, std::nullopt};
        origin.finish(plan(), progress);
        for (const auto& [name, head] : origin.heads)
            if (p == 0) send_plain({"SET", "b:" + name, head});
        settle_plain();
    }

    void report() const {
        std::uint64_t head_bytes = 0, sealed_bytes = 0;
        for (const auto& origin : origins_) {
            head_bytes += origin->head_bytes;
            sealed_bytes += origin->sealed_bytes;
        }
        const double entities = static_cast<double>(options_.entities);
        std::printf(
            "{\"clock\": %lld, \"head_bytes\": %.1f, \"sealed_bytes\": %.1f, \"ten_fields_bytes\": %.1f, "
            "\"events\": "
            "%lld}\n",
            wide(options_.end), static_cast<double>(head_bytes) / entities,
            static_cast<double>(sealed_bytes) / entities, static_cast<double>(plain_bytes_) / entities,
            wide(options_.entities * options_.tiles * options_.events_per_tile * options_.partitions));
    }

    Options options_;
    Config config_;
    const Source* source_ = nullptr;
    ViewPlans plans_;
    std::vector<std::unique_ptr<Origin>> origins_;
    std::unique_ptr<RedisConnection> plain_;
    std::size_t unread_ = 0;
    std::uint64_t plain_bytes_ = 0;
    std::ofstream records_;
};

}  // namespace
}  // namespace freshet::bench

int main(int argc, char** argv) {
    CLI::App app("Fills a Redis for the look-up benchmark.");
    freshet::bench::Options options;
    app.add_option("--config", options.config)->required();
    app.add_option("--entities", options.entities)->check(CLI::Range(1, 10'000'000));
    app.add_option("--tiles", options.tiles, "minutes with events")->check(CLI::Range(1, 1000));
    app.add_option("--rest", options.rest, "minutes that all entities but the first had no events since")
        ->check(CLI::Range(0, 1000));
    app.add_option("--events-per-tile", options.events_per_tile)->check(CLI::Range(1, 1000));
    app.add_option("--partitions", options.partitions, "every entity has events in each")
        ->check(CLI::Range(1, 64));
    app.add_option("--end", options.end, "unix ms of the newest event; 0: Redis's now");
    app.add_option("--record-entities", options.recorded_entities);
    app.add_option("--record-to", options.record_to, "the first entities' events as records");
    CLI11_PARSE(app, argc, argv);
    try {
        freshet::bench::Filler(options).run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "fill_store: %s\n", error.what());
        return 1;
    }
    return 0;
}
