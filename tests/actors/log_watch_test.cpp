#include "actors/log_watch.hpp"

#include <doctest/doctest.h>

#include <future>

#include "support/memory_event_log.hpp"

namespace freshet {
namespace {

// Does not answer before somebody has noticed.
class StuckLog final : public MemoryEventLog {
public:
    explicit StuckLog(std::shared_future<std::string> noticed) : noticed_(std::move(noticed)) {}
    Result<LogRange> range(const Partition& partition, Duration timeout) override {
        noticed_.wait();
        return MemoryEventLog::range(partition, timeout);
    }

private:
    std::shared_future<std::string> noticed_;
};

TEST_CASE("a question to Kafka that does not end is noticed by the watchdog") {
    std::promise<std::string> noticed;
    const std::shared_future<std::string> name = noticed.get_future();
    std::once_flag once;
    Watchdog watchdog(std::chrono::milliseconds{1}, [&](const std::string& stuck) {
        std::call_once(once, [&] { noticed.set_value(stuck); });
    });
    caf::actor_system_config config;
    caf::actor_system system(config);
    const LogWatchActor watch = spawn_log_watch(system, std::make_shared<StuckLog>(name), watchdog);
    caf::scoped_actor self(system);
    bool answered = false;
    self->request(watch, caf::infinite, AskStartFacts{{"orders", PartitionId{0}}, {}, {{StartEarliest{}}}})
        .receive([&](const StartFacts& facts) { answered = static_cast<bool>(*facts.log); },
                 [](const caf::error&) {});
    CHECK(answered);
    CHECK(name.get() == "log watch");
    self->send_exit(watch, caf::exit_reason::user_shutdown);
}

}  // namespace
}  // namespace freshet
