// The write path under a virtual clock: real actors, a log and a store in memory. Nothing here sleeps.
#pragma once

#include <doctest/doctest.h>

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <sstream>

#include "actors/log_watch.hpp"
#include "actors/supervisor.hpp"
#include "actors/watchdog.hpp"
#include "actors/writer.hpp"
#include "io/config/config_file.hpp"
#include "io/metrics.hpp"
#include "io/stored/flush_builder.hpp"
#include "model/memory_budget.hpp"
#include "support/memory_event_log.hpp"
#include "support/memory_partial_store.hpp"

namespace freshet::test {

inline const char* const kOrdersConfig = R"(
kafka: {brokers: embedded}
redis: {address: embedded}
sources:
  orders:
    topic: orders
    time: {field: ts, format: unix_ms}
    fields: {store: string, amount: int}
views:
  store_orders:
    source: orders
    entity: store
    clock: event
    features:
      orders_1h: {count: "*", window: 1h}
      amount_1h: {sum: amount, window: 1h}
)";

// Two views of the orders, of which one may be left out for the other.
inline const std::string kTwoViewsConfig = std::string(kOrdersConfig) + R"(
    freshness: {max_staleness: 5s}
  slow_orders:
    source: orders
    entity: store
    clock: event
    priority: low
    features:
      orders_1h: {count: "*", window: 1h}
      amount_1h: {sum: amount, window: 1h}
)";

class TestActorConfig : public caf::actor_system_config {
public:
    TestActorConfig() { set("scheduler.policy", caf::atom("testing")); }
};

class IngestFixture {
public:
    explicit IngestFixture(int aggregators = 1) : IngestFixture(limits_of(aggregators)) {}
    explicit IngestFixture(const IngestConfig& limits, const std::string& text = kOrdersConfig)
        : system_(config_) {
        const auto config = parse_config(text, "orders.yaml");
        REQUIRE(config);
        auto plan = std::make_shared<SourcePlan>();
        plan->source = config->definitions.sources[0];
        for (const View& view : config->definitions.views)
            plan->views.push_back(std::make_shared<ViewPlan>(plan->source, view));
        plan_ = plan;
        auto parts = std::make_shared<IngestParts>();
        parts->log = log;
        parts->dead_letters = letters;
        parts->node = "node-1";
        parts->group = "freshet";
        parts->kafka_cluster = "memory";
        parts->limits = limits;
        memory = parts->memory = std::make_shared<MemoryBudget>(static_cast<std::size_t>(limits.memory_limit));
        turns = parts->turns;
        parts->metrics = &metrics_;
        parts->watchdog = &watchdog_;
        writer_ = spawn_writer(system_, std::make_unique<MemoryPartialStore>(server), metrics_, Thread::shared);
        watch_ = spawn_log_watch(system_, log, watchdog_, Thread::shared);
        supervisor_ = spawn_supervisor(system_,
                                       {{{"orders", plan}},
                                        {{"orders", 1}},
                                        parts,
                                        status,
                                        [this](const Error& error) { refused.push_back(error); }},
                                       writer_, watch_);
    }

    ~IngestFixture() {
        revoke(true);
        for (const caf::actor& actor :
             {caf::actor_cast<caf::actor>(supervisor_), caf::actor_cast<caf::actor>(watch_),
              caf::actor_cast<caf::actor>(writer_)})
            caf::anon_send_exit(actor, caf::exit_reason::kill);
        supervisor_ = nullptr;
        watch_ = nullptr;
        writer_ = nullptr;
        settle();
    }

    void order(const std::string& store, std::int64_t amount, std::int64_t ts) {
        log->append(partition,
                    R"({"store":")" + store + R"(","amount":)" + std::to_string(amount) + R"(,"ts":)" +
                        std::to_string(ts) + "}",
                    from_unix_ms(ts));
    }
    void broken_order() { log->append(partition, "{", from_unix_ms(kStart)); }

    void assign() {
        caf::anon_send(supervisor_, Assigned{{partition}});
        settle();
    }
    // Whether the partition was released.
    bool revoke(bool lost = false) {
        caf::scoped_actor self(system_);
        bool released = false;
        auto answer = self->request(supervisor_, caf::infinite, Revoked{{partition}, lost});
        settle();
        if (self->has_next_message())
            answer.receive([&](const Released&) { released = true; }, [](const caf::error&) {});
        return released;
    }

    // Runs messages until there are none; fails on a loop without end.
    void settle() {
        constexpr std::size_t kTooMany = 200'000;
        constexpr std::size_t kStep = 10;
        std::size_t all = 0;
        for (std::size_t some = kStep; some == kStep; all += some) {
            some = scheduler().run(kStep);
            most_memory = std::max(most_memory, memory->used());
            REQUIRE(all < kTooMany);
        }
    }
    // Lets timers fire up to `time` from now, in their order.
    void advance(std::chrono::milliseconds time) {
        constexpr std::chrono::milliseconds kStep{10};
        for (std::chrono::milliseconds passed{0}; passed < time; passed += kStep) {
            scheduler().advance_time(kStep);
            settle();
        }
    }

    std::int64_t recorded() {
        const auto state = server->snapshot();
        const auto record = state.records.find({partition, kFirstRecordSlot});
        if (record == state.records.end() || !record->second.views.contains("store_orders@1")) return -1;
        return record->second.views.at("store_orders@1").next.value;
    }

    ViewProgress progress(const std::string& view = "store_orders@1") {
        return server->snapshot().record(partition).views.at(view);
    }

    // The stored values of an entity as of `t`: orders_1h and amount_1h; none when it is missing.
    std::optional<std::pair<std::int64_t, std::int64_t>> stored(const std::string& store, std::int64_t t,
                                                                const std::string& view = "store_orders@1") {
        const auto state = server->snapshot();
        const auto entity = state.entities.find({view, store});
        if (entity == state.entities.end()) return std::nullopt;
        std::deque<Head> origins;
        std::vector<const Head*> heads;
        for (const auto& [origin, bytes] : entity->second.heads) {
            LoadedPartial loaded{bytes, {}};
            for (const auto& [field, chunk] : entity->second.sealed) loaded.chunks.push_back({field, chunk});
            FlushBuilder decoder(plan_->source, plan_->views, partition.id,
                                 HeadField::parse(origin)->generation);
            auto head = decoder.decode(0, loaded);
            REQUIRE(head);
            heads.push_back(&origins.emplace_back(std::move(**head)));
        }
        FeatureReader reader(*plan_->views[0]);
        const std::size_t features[] = {0, 1};
        const auto& answer = reader.read(heads, from_unix_ms(t), features);
        if (answer.missing) return std::nullopt;
        return std::pair(std::get<std::int64_t>(answer.values[0].value),
                         std::get<std::int64_t>(answer.values[1].value));
    }

    static constexpr std::int64_t kStart = 1'700'000'000'000;
    const Partition partition{"orders", PartitionId{0}};
    std::shared_ptr<MemoryEventLog> log = std::make_shared<MemoryEventLog>();
    std::shared_ptr<MemoryDeadLetters> letters = std::make_shared<MemoryDeadLetters>();
    std::shared_ptr<MemoryServer> server = std::make_shared<MemoryServer>();
    std::shared_ptr<NodeStatus> status = std::make_shared<NodeStatus>();
    std::vector<Error> refused;
    std::shared_ptr<MemoryBudget> memory;
    std::shared_ptr<TurnOrder> turns;
    std::size_t most_memory = 0;  // that was accounted for since the start

    // The sum of a metric's series, of those whose labels contain `label`.
    double metric(const std::string& name, const std::string& label = "") const {
        double sum = 0;
        std::istringstream lines(metrics_.text());
        for (std::string line; std::getline(lines, line);)
            if ((line.starts_with(name + " ") || line.starts_with(name + "{")) &&
                line.find(label) != std::string::npos)
                sum += std::stod(line.substr(line.rfind(' ')));
        return sum;
    }
    // Lives that were cut short for that reason.
    double cut(const std::string& reason) const {
        return metric("freshet_partition_restarts_total", "reason=\"" + reason + "\"");
    }
    // Fenced calls that the store took.
    std::uint64_t calls() { return server->snapshot().record(partition).calls; }

private:
    static IngestConfig limits_of(int aggregators) {
        IngestConfig limits;
        limits.aggregators_per_partition = aggregators;
        return limits;
    }

    caf::scheduler::test_coordinator& scheduler() {
        return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
    }

    TestActorConfig config_;
    caf::actor_system system_;
    Metrics metrics_;
    Watchdog watchdog_{std::chrono::hours{1}, [](const std::string&) {}};
    std::shared_ptr<const SourcePlan> plan_;
    WriterActor writer_;
    LogWatchActor watch_;
    SupervisorActor supervisor_;
};

}  // namespace freshet::test
