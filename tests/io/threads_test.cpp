// What several threads share without a queue between them; ThreadSanitizer runs this too (scripts/sanitize).
#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "io/metrics.hpp"
#include "io/node_status.hpp"
#include "model/memory_budget.hpp"
#include "support/lookup_for_tests.hpp"

namespace freshet::testing {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 500;

// Runs act(thread, round) of all threads at once.
template <class Act>
void at_once(Act&& act) {
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread)
        threads.emplace_back([&act, thread] {
            for (int round = 0; round < kRounds; ++round) act(thread, round);
        });
    for (std::thread& thread : threads) thread.join();
}

Partition partition(int number) { return {"payments", PartitionId{number}}; }

TEST_CASE("a node's status is written and read at once") {
    NodeStatus status;
    at_once([&](int thread, int round) {
        status.set(partition(thread), {PartitionReport::State::running, {}, Offset{round}, {}, 0});
        CHECK(status.lines().size() <= kThreads);
        if (round % 10 == 0) status.remove(partition(thread));
    });
    CHECK(status.recorded().size() == kThreads);
}

TEST_CASE("metrics are counted, forgotten and read at once, and none is lost") {
    Metrics metrics;
    at_once([&](int thread, int round) {
        metrics.events_read("payments", 1, 10);
        metrics.event_dropped("payments", "late", 1);
        metrics.looked_up("FS.GET", 1, std::chrono::microseconds(round));
        metrics.lookup_error("NOVIEW");
        metrics.lag(partition(thread), round);
        if (round % 50 == 0) CHECK(metrics.text().find("freshet_events_read_total") != std::string::npos);
        if (round % 100 == 0) metrics.forget_partition(partition(thread));
    });
    CHECK(metrics.text().find("freshet_events_read_total{topic=\"payments\"} 2000\n") != std::string::npos);
}

TEST_CASE("what holders of memory take and give back adds up") {
    const auto budget = std::make_shared<MemoryBudget>(1 << 20);
    {
        std::vector<std::unique_ptr<MemoryBudget::Share>> shares;
        for (int i = 0; i < kThreads; ++i) shares.push_back(std::make_unique<MemoryBudget::Share>(budget));
        at_once([&](int thread, int round) {
            shares[static_cast<std::size_t>(thread)]->set(static_cast<std::size_t>(round * 100));
        });
        CHECK(budget->used() == kThreads * (kRounds - 1) * 100);
    }
    CHECK(budget->used() == 0);
}

TEST_CASE_FIXTURE(LookupFixture,
                  "readers answer while the node's status changes, and stop in the middle of it") {
    options.readers = 2;
    NodeStatus node;
    status = [&] { return node.lines(); };
    store("spend", "a", {{kNoon, 5}});
    record_all(kNoon);
    const std::uint16_t at = port();
    std::atomic<int> answered{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < kThreads; ++i)
        clients.emplace_back([&] {
            TestClient client(at);
            for (;;) {
                const std::string_view request = "FS.GET spend a FEATURES 1 spent_1h\r\n";
                ::send(client.socket(), request.data(), request.size(), MSG_NOSIGNAL);  // it may have closed
                const std::string value = client.receive();
                if (value == "closed") return;
                CHECK(value == "[5]");
                if (++answered % 10 == 0) {
                    ::send(client.socket(), "FS.STATUS\r\nINFO\r\n", 17, MSG_NOSIGNAL);
                    if (client.receive() == "closed" || client.receive() == "closed") return;
                }
            }
        });
    for (int round = 0; answered < kRounds; ++round)
        node.set(partition(round % kThreads), {.error = std::to_string(round)});
    server().stop();
    for (std::thread& client : clients) client.join();
}

}  // namespace
}  // namespace freshet::testing
