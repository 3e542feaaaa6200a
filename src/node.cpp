#include "node.hpp"

#include <caf/all.hpp>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include <thread>

#include "actors/log_watch.hpp"
#include "actors/supervisor.hpp"
#include "actors/watchdog.hpp"
#include "actors/writer.hpp"
#include "io/audit/auditor.hpp"
#include "io/kafka/embedded_broker.hpp"
#include "io/kafka/kafka_dead_letters.hpp"
#include "io/kafka/kafka_log.hpp"
#include "io/log.hpp"
#include "io/lookup/lookup_server.hpp"
#include "io/metrics.hpp"
#include "io/redis/cluster_partial_store.hpp"
#include "io/redis/cluster_topology.hpp"
#include "io/redis/private_redis.hpp"
#include "io/redis/redis_connection.hpp"
#include "io/redis/redis_partial_store.hpp"
#include "io/redis/redis_tls.hpp"
#include "io/redis/sentinel_partial_store.hpp"
#include "io/redis/sentinel_watch.hpp"
#include "io/status/status_site.hpp"
#include "model/memory_budget.hpp"

namespace freshet {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr Duration kKafkaTimeout{5000};
constexpr seconds kStuckAfter{30};

class LookupMetrics : public LookupObserver {
public:
    explicit LookupMetrics(Metrics& metrics) : metrics_(metrics) {}
    void answered(std::string_view command, std::chrono::nanoseconds took, std::size_t entities) override {
        metrics_.looked_up(command, entities, took);
    }
    void second_step() override { metrics_.second_step(); }
    void from_cache(std::size_t found, std::size_t not_found) override {
        metrics_.looked_in_cache(found, not_found);
    }
    void looked_at_freshness(std::string_view view, std::optional<Duration> staleness,
                             std::optional<Duration> most) override {
        metrics_.staleness(view, staleness, most);
    }
    void failed(std::string_view code) override { metrics_.lookup_error(code); }

private:
    Metrics& metrics_;
};

std::string host_name() {
    char name[256] = {};
    gethostname(name, sizeof name - 1);
    return name;
}

// In progress records.
std::string node_name() { return host_name() + ":" + std::to_string(getpid()); }

// One worker a core; fairness between actors over the throughput of one (docs/decisions).
class ActorConfig : public caf::actor_system_config {
public:
    ActorConfig() {
        set("scheduler.policy", caf::atom("sharing"));
        set("scheduler.max-threads", std::max(2u, std::thread::hardware_concurrency()));
        set("scheduler.max-throughput", 50);
    }
};

[[noreturn]] void end_stuck(const std::string& who) {
    log::error(who + " is stuck in code; ending the process so that another node takes over");
    _exit(70);
}

// Repeats `attempt` with back-off while it is only unavailable.
template <class T>
Result<T> wait_for(const std::function<Result<T>()>& attempt, const std::function<bool()>& give_up) {
    milliseconds pause{200};
    while (true) {
        auto result = attempt();
        if (result || result.error().code != Errc::unavailable) return result;
        if (give_up()) return result;
        log::warn(result.error().message + "; trying again in " + std::to_string(pause.count()) + " ms");
        std::this_thread::sleep_for(pause);
        pause = std::min<milliseconds>(pause * 2, seconds{5});
    }
}

std::string joined(const std::vector<Endpoint>& brokers) {
    std::string text;
    for (const Endpoint& broker : brokers) text += (text.empty() ? "" : ",") + broker.text();
    return text;
}

std::string address_of(const RedisConfig& redis) {
    return redis.unix_socket.empty() ? redis.address.text() : redis.unix_socket;
}

}  // namespace

std::string NodeAddresses::json() const {
    return nlohmann::ordered_json{
        {"ready", true}, {"lookup", lookup}, {"metrics", metrics}, {"kafka", kafka}, {"redis", redis}}
        .dump();
}

// Members in the order in which they are made; ~Node ends them in reverse, orderly.
struct Node::Parts {
    Config config;
    Callbacks callbacks;
    NodeAddresses addresses;
    std::shared_ptr<NodeStatus> status = std::make_shared<NodeStatus>();
    Metrics metrics;
    LookupMetrics lookup_metrics{metrics};
    Watchdog watchdog{kStuckAfter, end_stuck};

    std::unique_ptr<PrivateRedis> redis;
    std::shared_ptr<ClusterTopology> redis_cluster;  // null: a single server, or
    std::shared_ptr<SentinelWatch> redis_sentinels;  // the one that these name
    std::unique_ptr<EmbeddedBroker> broker;
    std::shared_ptr<EventLog> event_log;
    ActorConfig actor_config;
    std::unique_ptr<caf::actor_system> actors;
    WriterActor writer;
    LogWatchActor watch;
    SupervisorActor supervisor;
    std::unique_ptr<GroupListener> listener;
    std::unique_ptr<LookupServer> lookups;
    std::unique_ptr<Auditor> auditor;  // null: off
    std::unique_ptr<StatusSite> site;

    Result<void> start_embedded(int partitions);
    Result<void> check_redis();
    Result<void> ask_sentinels();
    RedisConfig redis_now() const;
    Result<void> check_server_now();
    Result<void> start_ingest();
    void start_audit(std::map<std::string, std::shared_ptr<const SourcePlan>> plans);
    Result<void> start_lookups();
    Result<void> start_site();
    KafkaSettings kafka_settings() const;
    Result<std::map<std::string, std::shared_ptr<const SourcePlan>>> source_plans() const;
    Result<std::map<std::string, std::int32_t>> find_topics(const std::vector<std::string>& topics);
    void warn_of_queues(const std::map<std::string, std::int32_t>& partitions) const;
    void stop();
};

Result<void> Node::Parts::start_embedded(int partitions) {
    if (config.redis.embedded) {
        auto started = PrivateRedis::start();
        if (!started) return started.error();
        redis = std::move(*started);
        config.redis = redis->reached_by(config.redis);
    }
    addresses.redis = address_of(config.redis);
    if (!config.kafka.embedded) {
        addresses.kafka = joined(config.kafka.brokers);
        return {};
    }
    auto started = EmbeddedBroker::start();
    if (!started) return started.error();
    broker = std::move(*started);
    addresses.kafka = broker->brokers();
    for (const auto& [name, value] : EmbeddedBroker::properties()) config.kafka.properties.emplace(name, value);
    for (const Source& source : config.definitions.sources) {
        if (auto made = broker->create_topic(source.topic, partitions); !made) return made.error();
        if (auto made = broker->create_topic(source.dead_letter_topic, 1); !made) return made.error();
    }
    return {};
}

Result<void> Node::Parts::ask_sentinels() {
    if (config.redis.sentinel.addresses.empty()) return {};
    auto opened = wait_for<std::shared_ptr<SentinelWatch>>([&] { return SentinelWatch::open(config.redis); },
                                                           callbacks.give_up);
    if (!opened) return opened.error();
    redis_sentinels = *std::move(opened);
    config.redis.mode = RedisConfig::Mode::standalone;
    addresses.redis = redis_now().address.text();
    return {};
}

// As it is reached now.
RedisConfig Node::Parts::redis_now() const {
    return redis_sentinels ? reached_at(config.redis, redis_sentinels->primary()) : config.redis;
}

Result<void> Node::Parts::check_redis() {
    if (auto asked = ask_sentinels(); !asked) return asked;
    const auto mode = wait_for<RedisConfig::Mode>([&] { return find_mode(redis_now()); }, callbacks.give_up);
    if (!mode) return mode.error();
    config.redis.mode = *mode;
    if (*mode != RedisConfig::Mode::cluster) return check_server_now();
    auto opened = wait_for<std::shared_ptr<ClusterTopology>>(
        [&] { return ClusterTopology::open(config.redis); }, callbacks.give_up);
    if (!opened) return opened.error();
    redis_cluster = *std::move(opened);
    for (const SlotMap::Primary& primary : redis_cluster->current()->primaries()) {
        RedisConnection connection(reached_at(config.redis, primary.address));
        const auto checked = check_server(connection);
        // One primary that is away keeps nobody from the others. Before anything is written to it, it is
        // checked.
        if (!checked && checked.error().code != Errc::unavailable) return checked.error();
        for (const std::string& warning : checked ? *checked : std::vector{checked.error().message})
            log::warn(warning);
    }
    return {};
}

Result<void> Node::Parts::check_server_now() {
    const auto check = [&] {
        RedisConnection connection(redis_now());
        return check_server(connection);
    };
    const auto checked = wait_for<std::vector<std::string>>(check, callbacks.give_up);
    if (!checked) return checked.error();
    for (const std::string& warning : *checked) log::warn(warning);
    return {};
}

KafkaSettings Node::Parts::kafka_settings() const {
    KafkaSettings settings;
    settings.brokers = addresses.kafka;
    settings.group = config.kafka.group;
    settings.client_id = config.kafka.client_id;
    settings.instance = config.kafka.instance;
    settings.properties = config.kafka.properties;
    settings.queued_bytes = MemoryBudget::kafka_queues(static_cast<std::size_t>(config.ingest.memory_limit));
    return settings;
}

Result<std::map<std::string, std::shared_ptr<const SourcePlan>>> Node::Parts::source_plans() const {
    std::map<std::string, std::shared_ptr<const SourcePlan>> plans;
    for (const Source& source : config.definitions.sources) {
        auto plan = std::make_shared<SourcePlan>();
        plan->source = source;
        for (const View& view : config.definitions.views)
            if (view.source == source.name) plan->views.push_back(std::make_shared<ViewPlan>(source, view));
        if (plan->views.empty()) continue;
        if (!plans.emplace(source.topic, plan).second)
            return Error{Errc::invalid_argument,
                         "topic " + source.topic +
                             " is read by two sources; declare one source with the fields of "
                             "both and let the views choose"};
    }
    return plans;
}

Result<std::map<std::string, std::int32_t>> Node::Parts::find_topics(const std::vector<std::string>& topics) {
    using Counts = std::map<std::string, std::int32_t>;
    return wait_for<Counts>(
        [&]() -> Result<Counts> {
            auto counts = event_log->partition_counts(topics, kKafkaTimeout);
            // It may be on its way, and a broker that has just started does not know its topics yet.
            if (!counts && counts.error().code == Errc::not_found)
                return Error{Errc::unavailable, counts.error().message};
            return counts;
        },
        callbacks.give_up);
}

void Node::Parts::warn_of_queues(const std::map<std::string, std::int32_t>& partitions) const {
    const std::size_t meant = kafka_settings().queued_bytes;
    if (meant == 0 || sets_queues(config.kafka.properties)) return;
    std::size_t all = 0;
    for (const auto& [topic, count] : partitions) all += static_cast<std::size_t>(count);
    const std::size_t least = all * QueueLimits::least().bytes();
    if (least > meant)
        log::warn("Kafka's queues of " + std::to_string(all) + " partitions may hold " +
                  std::to_string(least >> 20) + " MiB, more than the " + std::to_string(meant >> 20) +
                  " MiB that ingest.memory_limit leaves them; raise it, or spread the topics over nodes of "
                  "different groups");
}

Result<void> Node::Parts::start_ingest() {
    auto plans = source_plans();
    if (!plans) return plans.error();
    auto opened = KafkaLog::open(kafka_settings());
    if (!opened) return opened.error();
    event_log = std::move(*opened);
    if (callbacks.between) event_log = callbacks.between(std::move(event_log));

    std::vector<std::string> topics;
    for (const auto& [topic, plan] : *plans) {
        topics.push_back(topic);
        metrics.expect_topic(topic);
        for (const auto& view : plan->views) metrics.shed(view->view().name, false);
    }
    const auto counts = find_topics(topics);
    if (!counts) return counts.error();
    warn_of_queues(*counts);
    const auto cluster =
        wait_for<std::string>([&] { return event_log->cluster_id(kKafkaTimeout); }, callbacks.give_up);
    if (!cluster) return cluster.error();
    auto letters =
        KafkaDeadLetters::open(kafka_settings(), [](const Error& error) { log::warn(error.message); });
    if (!letters) return letters.error();

    auto parts = std::make_shared<IngestParts>();
    parts->log = event_log;
    parts->dead_letters = std::move(*letters);
    parts->node = node_name();
    parts->group = config.kafka.group;
    parts->kafka_cluster = *cluster;
    parts->limits = config.ingest;
    parts->memory = std::make_shared<MemoryBudget>(static_cast<std::size_t>(config.ingest.memory_limit));
    parts->metrics = &metrics;
    parts->watchdog = &watchdog;

    actors = std::make_unique<caf::actor_system>(actor_config);
    std::unique_ptr<PartialStore> store;
    if (redis_cluster) {
        store =
            std::make_unique<ClusterPartialStore>(ClusterPartialStore::access_to(config.redis, redis_cluster));
    } else if (redis_sentinels) {
        store = std::make_unique<SentinelPartialStore>(config.redis, redis_sentinels);
    } else {
        store = std::make_unique<RedisPartialStore>(config.redis);
    }
    writer = spawn_writer(*actors, std::move(store), metrics);
    watch = spawn_log_watch(*actors, event_log, watchdog);
    supervisor = spawn_supervisor(*actors, {*plans, *counts, parts, status, callbacks.refused}, writer, watch);
    listener = make_group_listener(*actors, supervisor, watchdog);
    if (auto joined =
            wait_for<void>([&] { return event_log->subscribe(topics, *listener); }, callbacks.give_up);
        !joined)
        return joined;
    start_audit(*plans);
    return {};
}

void Node::Parts::start_audit(std::map<std::string, std::shared_ptr<const SourcePlan>> plans) {
    for (const View& view : config.definitions.views) metrics.expect_audit(view.name);
    if (!config.audit.enabled) return;
    auditor = std::make_unique<Auditor>(Auditor::Parts{config.audit, kafka_settings(), config.kafka.embedded,
                                                       config.redis, redis_cluster, redis_sentinels,
                                                       std::move(plans), status, &metrics});
}

Result<void> Node::Parts::start_lookups() {
    lookups = std::make_unique<LookupServer>(
        LookupOptions::from(config.lookup), config.definitions, config.redis, lookup_metrics,
        [status = status] { return status->lines(); }, redis_cluster, redis_sentinels);
    if (auto started = lookups->start(); !started) return started.error();
    addresses.lookup = Endpoint{config.lookup.listen.host, lookups->ports().front()}.text();
    site->look_up_in(lookups.get());
    return {};
}

Result<void> Node::Parts::start_site() {
    site = std::make_unique<StatusSite>(config, node_name(), metrics, *status);
    const auto port = site->start();
    if (!port) return port.error();
    addresses.metrics = Endpoint{config.metrics.listen.host, *port}.text();
    return {};
}

void Node::Parts::stop() {
    if (auditor) auditor->stop();
    if (site) site->set(NodeReport::Phase::stopping);
    if (event_log) event_log->close();  // revokes, so every life flushes and commits
    if (site) site->look_up_in(nullptr);
    if (lookups) lookups->stop();
    auditor = nullptr;
    if (!actors) return;
    for (const caf::actor& actor : {caf::actor_cast<caf::actor>(supervisor), caf::actor_cast<caf::actor>(watch),
                                    caf::actor_cast<caf::actor>(writer)})
        caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
    listener = nullptr;
    supervisor = nullptr;
    watch = nullptr;
    writer = nullptr;
    actors = nullptr;
}

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Node::~Node() { parts_->stop(); }

Result<std::unique_ptr<Node>> Node::start(Config config, Callbacks callbacks, int embedded_partitions) {
    auto parts = std::make_unique<Parts>();
    parts->config = std::move(config);
    parts->callbacks = std::move(callbacks);
    // From here on, an early return ends what was started.
    std::unique_ptr<Node> node(new Node(std::move(parts)));
    Parts& p = *node->parts_;
    if (auto started = p.start_site(); !started) return started.error();
    if (auto started = p.start_embedded(embedded_partitions); !started) return started.error();
    if (auto checked = p.check_redis(); !checked) return checked.error();
    for (const View& view : p.config.definitions.views)
        if (!view.owner.empty()) p.metrics.set_owner(view.name, view.owner);
    if (p.config.roles.serve)
        if (auto started = p.start_lookups(); !started) return started.error();
    if (p.config.roles.ingest)
        if (auto started = p.start_ingest(); !started) return started.error();
    p.site->set(NodeReport::Phase::running);
    return node;
}

const NodeAddresses& Node::addresses() const { return parts_->addresses; }

Result<void> Node::reload_certificates() {
    const Result<void> to_redis = reload_redis_tls();
    const Result<void> of_site = parts_->site->reload_certificates();
    const Result<void> of_lookups = parts_->lookups ? parts_->lookups->reload_certificates() : Result<void>{};
    if (!to_redis) return to_redis;
    return of_site ? of_lookups : of_site;
}

std::map<Partition, Offset> Node::recorded() const { return parts_->status->recorded(); }

}  // namespace freshet
