// How many entities an actor should hold (docs/decisions/0001): an actor an entity with a message an event,
// against eight actors that hold all entities and are fed in batches. The work for an event is the same and
// small.
#include <tsl/robin_map.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <caf/all.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <random>
#include <thread>

namespace freshet::bench {

struct EntityEvent {
    std::uint32_t entity;
    std::int32_t value;
};
using EventRun = std::shared_ptr<const std::vector<EntityEvent>>;

}  // namespace freshet::bench

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(freshet::bench::EntityEvent)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(freshet::bench::EventRun)

namespace freshet::bench {
namespace {

constexpr std::size_t kAggregators = 8;
constexpr std::uint64_t kMostInFlight = 1 << 18;  // events sent and not yet counted

struct Aggregate {
    std::uint64_t n = 0;
    std::int64_t sum = 0;
    std::int32_t min = 0;
    std::int32_t max = 0;

    void add(std::int32_t value) {
        min = n == 0 ? value : std::min(min, value);
        max = n == 0 ? value : std::max(max, value);
        ++n;
        sum += value;
    }
};

// What all actors together have counted; read by the sender as its credit.
alignas(64) std::atomic<std::uint64_t> counted{0};
alignas(64) std::atomic<std::int64_t> total{0};

caf::behavior entity_actor(caf::stateful_actor<Aggregate>* self) {
    return {[self](const EntityEvent& event) {
        self->state.add(event.value);
        total.fetch_add(event.value, std::memory_order_relaxed);
        counted.fetch_add(1, std::memory_order_release);
    }};
}

struct Aggregates {
    tsl::robin_map<std::uint32_t, Aggregate> of;
};

caf::behavior aggregator_actor(caf::stateful_actor<Aggregates>* self) {
    return {[self](const EventRun& run) {
        std::int64_t sum = 0;
        for (const EntityEvent& event : *run) {
            self->state.of[event.entity].add(event.value);
            sum += event.value;
        }
        total.fetch_add(sum, std::memory_order_relaxed);
        counted.fetch_add(run->size(), std::memory_order_release);
    }};
}

struct Options {
    std::string mode = "batches";
    std::uint32_t entities = 100'000;
    std::size_t batch = 1024;
    std::uint64_t events = 4'000'000;
    std::string policy = "sharing";
    double limit_seconds = 60;
    bool json = false;
};

std::uint64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t size = 0, resident = 0;
    file >> size >> resident;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

class Bench {
public:
    explicit Bench(const Options& options) : options_(options), system_(configured(config_, options)) {
        const std::size_t actors = per_entity() ? options.entities : kAggregators;
        actors_.reserve(actors);
        std::mt19937 random(7);
        for (EntityEvent& event : events_) {
            event.entity = random() % options.entities;
            event.value = static_cast<std::int32_t>(random() % 1000);
        }
        before_ = resident_bytes();
        for (std::size_t i = 0; i < actors; ++i)
            actors_.push_back(per_entity() ? system_.spawn(entity_actor) : system_.spawn(aggregator_actor));
    }
    ~Bench() {
        for (const caf::actor& actor : actors_) caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
    }

    int run() {
        for (std::uint32_t entity = 0; entity < options_.entities; ++entity) send({entity, 1});  // each exists
        finish();
        const std::uint64_t warm = sent_;
        const auto begin = Clock::now();
        deadline_ = begin + std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double>(options_.limit_seconds));
        while (sent_ - warm < options_.events && Clock::now() < deadline_)
            for (std::size_t i = 0; i < kAtOnce; ++i) send(events_[next_++ % events_.size()]);
        finish();
        const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        const double rate = static_cast<double>(sent_ - warm) / seconds;
        const double bytes = static_cast<double>(resident_bytes() - before_) / options_.entities;
        const bool right = total.load() == sum_;
        std::printf(options_.json
                        ? "{\"mode\": \"%s\", \"entities\": %u, \"batch\": %zu, \"events_per_s\": %.0f, "
                          "\"bytes_an_entity\": %.0f, \"oracle\": \"%s\"}\n"
                        : "%s, %u entities, batch %zu: %.0f events/s, %.0f bytes an entity, sums %s\n",
                    options_.mode.c_str(), options_.entities, per_entity() ? 1 : options_.batch, rate, bytes,
                    right ? "equal" : "DIFFERENT");
        return right ? 0 : 1;
    }

private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::size_t kAtOnce = 4096;

    static caf::actor_system_config& configured(caf::actor_system_config& config, const Options& options) {
        config.set("scheduler.policy",
                   options.policy == "sharing" ? caf::atom("sharing") : caf::atom("stealing"));
        config.set("scheduler.max-threads", std::max(2u, std::thread::hardware_concurrency()));
        config.set("scheduler.max-throughput", 50);
        return config;
    }

    bool per_entity() const { return options_.mode == "entities"; }

    void send(EntityEvent event) {
        sum_ += event.value;
        ++sent_;
        if (per_entity()) {
            caf::anon_send(actors_[event.entity], event);
        } else {
            auto& run = runs_[event.entity % kAggregators];
            run.push_back(event);
            if (run.size() == options_.batch) ship(event.entity % kAggregators);
        }
        if (sent_ % 1024 == 0) await_credit(kMostInFlight);
    }

    void ship(std::size_t aggregator) {
        auto run = std::make_shared<const std::vector<EntityEvent>>(std::move(runs_[aggregator]));
        caf::anon_send(actors_[aggregator], EventRun(std::move(run)));
        runs_[aggregator] = {};
        runs_[aggregator].reserve(options_.batch);
    }

    void await_credit(std::uint64_t most) {
        while (sent_ - counted.load(std::memory_order_acquire) > most)
            std::this_thread::sleep_for(std::chrono::microseconds(50));
    }

    void finish() {
        for (std::size_t i = 0; i < kAggregators; ++i)
            if (!runs_[i].empty()) ship(i);
        await_credit(0);
    }

    Options options_;
    caf::actor_system_config config_;
    caf::actor_system system_;
    std::vector<caf::actor> actors_;
    std::vector<EntityEvent> events_ = std::vector<EntityEvent>(1 << 20);
    std::vector<EntityEvent> runs_[kAggregators];
    Clock::time_point deadline_{};
    std::size_t next_ = 0;
    std::uint64_t sent_ = 0;
    std::int64_t sum_ = 0;
    std::uint64_t before_ = 0;
};

}  // namespace
}  // namespace freshet::bench

int main(int argc, char** argv) {
    CLI::App app("How many entities an actor should hold.");
    freshet::bench::Options options;
    app.add_option("--mode", options.mode)->check(CLI::IsMember({"entities", "batches"}));
    app.add_option("--entities", options.entities)->check(CLI::Range(8, 10'000'000));
    app.add_option("--batch", options.batch, "events handed to an aggregator at once")
        ->check(CLI::Range(1, 1 << 17));
    app.add_option("--events", options.events);
    app.add_option("--policy", options.policy, "of CAF's scheduler")
        ->check(CLI::IsMember({"sharing", "stealing"}));
    app.add_option("--limit", options.limit_seconds, "seconds of sending at most")
        ->check(CLI::Range(1.0, 600.0));
    app.add_flag("--json", options.json);
    CLI11_PARSE(app, argc, argv);
    return freshet::bench::Bench(options).run();
}
