// One reader of the look-up server: an event loop on a thread of its own with its listening sockets, its
// clients and its connections to Redis. What its clients asked for in one turn goes to each primary as one
// pipeline.
#pragma once

#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "io/asio.hpp"
#include "io/lookup/lookup_client.hpp"
#include "io/lookup/lookup_question.hpp"

namespace freshet {

class LookupLoop final : public LookupClientHome {
public:
    // Takes over sockets that listen already.
    LookupLoop(LookupShared& shared, const std::vector<int>& listening);
    ~LookupLoop();

    // One reader of a server watches the freshness of its views.
    void start(bool watches_freshness);
    // From any thread: asks as this user, or as a client that has not told who it is. The reply is given from
    // the loop's thread, unless the loop ends before.
    void ask(std::string user, std::vector<std::string> command, LookupQuestion::Reply reply);
    // Both from any thread: begin to end, and wait for it.
    void begin_stop();
    void join();

private:
    // Passes on what it is told, and counts second steps for FS.STATUS.
    class Observer final : public LookupObserver {
    public:
        explicit Observer(LookupShared& shared) : shared_(shared) {}
        void answered(std::string_view command, std::chrono::nanoseconds took, std::size_t entities) override {
            shared_.observer.answered(command, took, entities);
        }
        void second_step() override {
            shared_.second_steps.fetch_add(1, std::memory_order_relaxed);
            shared_.observer.second_step();
        }
        void from_cache(std::size_t found, std::size_t not_found) override {
            shared_.observer.from_cache(found, not_found);
        }
        void looked_at_freshness(std::string_view view, std::optional<Duration> staleness,
                                 std::optional<Duration> most) override {
            shared_.observer.looked_at_freshness(view, staleness, most);
        }
        void failed(std::string_view code) override { shared_.observer.failed(code); }

    private:
        LookupShared& shared_;
    };

    LookupShared& shared() override { return shared_; }
    LookupEngine& engine() override { return engine_; }
    LookupCommands& commands() override { return commands_; }
    void woken() override { engine_.now = Clock::now(); }
    void has_output(LookupClient& client) override;
    void is_held_back(LookupClient& client) override;
    void has_closed(LookupClient& client) override;

    void run();
    void give_up_all(const std::string& reason);
    void accept(asio::ip::tcp::acceptor& acceptor);
    void welcome(asio::ip::tcp::socket socket);
    void ask_now(const std::string& user, const std::vector<std::string>& command, LookupQuestion::Reply reply);
    void end_turn_later();
    void end_turn();
    void look_again_later(Duration in);
    void sweep();
    void look_at_freshness();
    void stop();
    void end_if_done();

    LookupShared& shared_;
    asio::io_context io_{1};
    std::vector<asio::ip::tcp::acceptor> acceptors_;
    asio::steady_timer sweep_;
    asio::steady_timer closing_;
    asio::steady_timer again_;
    asio::steady_timer look_;
    LookupRouter router_;
    Observer observer_;
    LookupEngine engine_;
    LookupCommands commands_;
    std::unordered_map<std::uint64_t, std::shared_ptr<LookupClient>> clients_;
    std::vector<std::shared_ptr<LookupClient>> with_output_;
    std::vector<std::shared_ptr<LookupClient>> held_back_;
    std::vector<std::shared_ptr<LookupClient>> closed_;
    std::unordered_map<LookupQuestion*, std::unique_ptr<LookupQuestion>> questions_;
    std::vector<std::unique_ptr<LookupQuestion>> answered_;
    bool turn_ends_ = false;  // end_turn() is posted
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace freshet
