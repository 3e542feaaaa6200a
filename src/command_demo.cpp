#include <algorithm>
#include <chrono>
#include <iostream>

#include <nlohmann/json.hpp>

#include "command_support.hpp"
#include "commands.hpp"
#include "io/config/config_file.hpp"
#include "io/kafka/embedded_broker.hpp"
#include "io/log.hpp"
#include "node.hpp"
#include "replay.hpp"
#include "stop_signal.hpp"

namespace freshet {

namespace {

using std::chrono::steady_clock;

constexpr std::uint64_t kEmbeddedKeeps = 5 << 20;  // bytes a partition
constexpr int kPartitions = 4;
constexpr int kPollMs = 50;

// A demo brings all it needs, whatever the configuration says.
Config with_embedded_services(Config config) {
    config.kafka.embedded = true;
    config.redis.embedded = true;
    config.log.level = std::max(config.log.level, LogConfig::Level::warn);
    return config;
}

bool has_caught_up(const Node& node, const ReplaySummary& replayed) {
    const auto recorded = node.recorded();
    return std::all_of(replayed.next.begin(), replayed.next.end(), [&](const auto& target) {
        const auto found = recorded.find(target.first);
        return found != recorded.end() && found->second >= target.second;
    });
}

void show_progress(const ReplayProgress& progress) {
    std::cerr << "\rreplaying: " << progress.acked << " events in Kafka" << std::flush;
}

}  // namespace

int command_demo(const DemoOptions& options) {
    auto loaded = load_config(options.config);
    if (!loaded) return failed(loaded.error(), kUsage);
    Config config = with_embedded_services(std::move(*loaded));
    const auto source = choose_source(config.definitions, options.source);
    if (!source) return failed(source.error(), kUsage);
    log::start(config.log);

    ReplaySpec replay;
    replay.events = options.events;
    replay.topic = (*source)->topic;
    replay.record_to = options.record_to;
    replay.most_bytes_a_partition = kEmbeddedKeeps;

    StopSignal stop;
    auto node = Node::start(config, {[&] { return stop.requested(); }, [&](const Error&) { stop.request(); }},
                            kPartitions);
    if (!node) return failed(node.error(), kFailed);
    std::cout << (*node)->addresses().json() << std::endl;

    const auto began = steady_clock::now();
    replay.kafka.brokers = (*node)->addresses().kafka;
    replay.give_up = [&] { return stop.requested(); };
    const auto replayed = replay_events(replay, show_progress);
    std::cerr << "\n";
    if (!replayed) return stop.requested() ? kDone : failed(replayed.error(), kFailed);
    while (!stop.requested() && !has_caught_up(**node, *replayed)) stop.wait_for(kPollMs);
    const std::chrono::duration<double> took = steady_clock::now() - began;
    std::cout << nlohmann::ordered_json{{"caught_up", true},
                                        {"events", replayed->events},
                                        {"seconds", took.count()}}
              << std::endl;
    if (options.stay) stop.wait();
    return kDone;
}

}  // namespace freshet
