// What an event costs on its way from record to Redis, stage by stage, in CPU time of one thread: for profiles,
// and under callgrind for instruction counts. One partition, a redis-server of its own, no Kafka and no actors.
#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <numeric>
#include <random>

#include "io/config/config_file.hpp"
#include "io/events/event_intake.hpp"
#include "io/redis/private_redis.hpp"
#include "io/redis/redis_partial_store.hpp"
#include "io/stored/flush_builder.hpp"
#include "load_commands.hpp"
#include "model/entity_table.hpp"
#include "one_thread.hpp"

namespace freshet::bench {
namespace {

struct Options {
    std::uint64_t events = 500'000;
    KeyChoice keys{25'000, 0, 1};
    std::int64_t hold = 524'288;       // events that a flush waits for: half of ingest.max_inflight_events
    std::int64_t spread_ms = 600'000;  // event times rise over so long
};

constexpr std::size_t kBatch = 1024;

std::shared_ptr<const SourcePlan> make_plan() {
    const Config config = checked(parse_config(kPaymentsConfig, "bench.yaml"));
    auto plan = std::make_shared<SourcePlan>();
    plan->source = config.definitions.sources[0];
    plan->views.push_back(std::make_shared<ViewPlan>(plan->source, config.definitions.views[0]));
    return plan;
}

class WritePath {
public:
    WritePath(const Options& options, RedisPartialStore& store)
        : options_(options),
          store_(store),
          random_(options.keys.seed),
          drawn_(draw_keys(options.keys, 1 << 20)),
          epoch_(checked(store.take_epoch({kPartition, "bench", "bench", "bench", 1}))),
          acked_(epoch_.calls) {}

    void run() {
        while (made_ < options_.events) {
            make_records();
            timed(decode_, [&] { decode(); });
            timed(count_, [&] { table_.apply(batch_, batch_->touches[0]); });
            timed(load_, [&] { load(); });
            timed(drop_, [&] { batch_.reset(); });
            while (table_.flush_due(options_.hold, {})) {
                timed(encode_, [&] { encode(); });
                timed(write_, [&] { write(); });
            }
        }
    }

    void report() const {
        const double per = 1e6 / static_cast<double>(made_);
        std::printf(
            "{\"events\": %llu, \"entities\": %zu, \"heads\": %llu, \"bytes_an_event\": %.1f,\n "
            "\"us_an_event\": "
            "{\"decode\": %.3f, \"count\": %.3f, \"load\": %.3f, \"drop\": %.3f, \"encode\": %.3f, \"write\": "
            "%.3f, "
            "\"sum\": %.3f}}\n",
            static_cast<unsigned long long>(made_), table_.size(), static_cast<unsigned long long>(heads_),
            static_cast<double>(bytes_) / static_cast<double>(made_), decode_ * per, count_ * per, load_ * per,
            drop_ * per, encode_ * per, write_ * per,
            (decode_ + count_ + load_ + drop_ + encode_ + write_) * per);
    }

private:
    struct Record {
        std::array<char, 160> text;
        std::size_t size;
        Timestamp time;
    };

    static void timed(double& sum, const auto& work) {
        const double began = thread_seconds();
        work();
        sum += thread_seconds() - began;
    }

    void make_records() {
        records_.clear();
        for (std::size_t i = 0; i < kBatch && made_ < options_.events; ++i, ++made_) {
            const std::uint64_t r = random_();
            const auto share = static_cast<std::int64_t>(made_) * options_.spread_ms;
            const std::int64_t time = 1'700'000'000'000 + share / static_cast<std::int64_t>(options_.events);
            Record& record = records_.emplace_back();
            const int n = std::snprintf(
                record.text.data(), record.text.size(),
                "{\"user\": %llu, \"amount\": %.2f, \"items\": %llu, \"ts\": %lld, \"merchant\": \"m%05llu\", "
                "\"channel\": \"shop\"}",
                static_cast<unsigned long long>(drawn_[made_ % drawn_.size()]),
                static_cast<double>(100 + r % 50'000) / 100, static_cast<unsigned long long>((r >> 20) % 20),
                static_cast<long long>(time), static_cast<unsigned long long>((r >> 30) % 100'000));
            record.size = static_cast<std::size_t>(n);
            record.time = from_unix_ms(time);
        }
    }

    void decode() {
        auto batch = intake_.new_batch();
        std::vector<Rejection> rejected;
        for (const Record& r : records_) {
            intake_.add({next_, r.time, {}, std::string_view(r.text.data(), r.size)}, *batch, rejected);
            next_ = next_.next();
        }
        if (!rejected.empty()) throw std::runtime_error(rejected.front().letter.message);
        intake_.finish(*batch, next_);
        batch->recorded_clock = batch->clock;
        batch->more = made_ < options_.events;
        batch->behind = std::chrono::hours{1};
        batch_ = std::move(batch);
    }

    void load() {
        const std::vector<EntityKey> loads = table_.take_loads();
        std::vector<PartialKey> keys;
        for (const EntityKey& key : loads) keys.push_back(builder_.key_of(key.view, key.name));
        if (keys.empty()) return;
        const auto loaded = checked(store_.load({kPartition, epoch_.epoch, acked_}, keys));
        for (std::size_t i = 0; i < loads.size(); ++i)
            table_.loaded(loads[i], checked(builder_.decode(loads[i].view, loaded[i])));
    }

    void encode() {
        heads_ += table_.take_flush([&](std::uint32_t view, const std::string& name, EntityWindows& windows) {
            builder_.add(view, name, windows, table_.recorded_clock());
        });
        bytes_ += builder_.bytes();
        calls_ = builder_.take();
    }

    void write() {
        for (WriteCall& call : calls_) call.fence = {kPartition, epoch_.epoch, acked_};
        for (const auto& result : store_.write(calls_)) acked_ = checked(result);
        calls_.clear();
        table_.flushed();
    }

    inline static const Partition kPartition{"payments", PartitionId{0}};

    const Options options_;
    RedisPartialStore& store_;
    std::mt19937_64 random_;
    std::vector<std::uint32_t> drawn_;
    TakenEpoch epoch_;
    std::uint64_t acked_;
    std::shared_ptr<const SourcePlan> plan_ = make_plan();
    EventIntake intake_{plan_->source, plan_->views, 1};
    EntityTable table_{plan_->views, kPartition.id, Generation{0}, Offset{0}};
    FlushBuilder builder_{plan_->source, plan_->views, kPartition.id, Generation{0}};
    std::vector<Record> records_;
    std::shared_ptr<const EventBatch> batch_;
    std::vector<WriteCall> calls_;
    Offset next_{0};
    std::uint64_t made_ = 0;
    std::uint64_t heads_ = 0;
    std::uint64_t bytes_ = 0;
    double decode_ = 0, count_ = 0, load_ = 0, drop_ = 0, encode_ = 0, write_ = 0;
};

}  // namespace
}  // namespace freshet::bench

int main(int argc, char** argv) {
    CLI::App app("What an event costs on its way from record to Redis.");
    freshet::bench::Options options;
    app.add_option("--events", options.events)->check(CLI::PositiveNumber);
    app.add_option("--entities", options.keys.keys)->check(CLI::PositiveNumber);
    app.add_option("--zipf", options.keys.zipf, "exponent of the choice of entities; 0: uniform");
    app.add_option("--hold", options.hold, "events that a flush waits for")->check(CLI::NonNegativeNumber);
    app.add_option("--spread-ms", options.spread_ms, "event times rise over this long")
        ->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);
    try {
        const auto redis = freshet::bench::checked(freshet::PrivateRedis::start());
        freshet::RedisPartialStore store(redis->reached_by());
        freshet::bench::WritePath path(options, store);
        path.run();
        path.report();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "write_path: %s\n", error.what());
        return 1;
    }
    return 0;
}
