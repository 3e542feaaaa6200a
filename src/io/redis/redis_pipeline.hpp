// A pipelined, asynchronous connection to Redis inside an event loop. Commands are collected, sent together by
// flush() and answered in order. It reconnects by itself; what was under way on a lost connection fails,
// nothing is repeated.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/asio.hpp"
#include "io/config/config.hpp"
#include "io/maybe_tls_socket.hpp"
#include "io/redis/redis_replies.hpp"

namespace freshet {

// One command of the Redis protocol, appended to `out`.
void append_redis_command(std::string& out, std::span<const std::string_view> arguments);
inline void append_redis_command(std::string& out, std::initializer_list<std::string_view> arguments) {
    append_redis_command(out, std::span(arguments.begin(), arguments.size()));
}

class RedisPipeline {
public:
    using Clock = std::chrono::steady_clock;

    // Who waits for replies. Exactly one of the two calls answers each expect(), in the order of the
    // expectations.
    class Receiver {
    public:
        virtual void replied(std::uint64_t tag, const RedisAnswer& answer) = 0;
        virtual void lost(std::uint64_t tag) = 0;  // reason() says why

    protected:
        ~Receiver() = default;
    };

    struct Hooks {
        std::function<void()> woken;       // before replies or losses are handed out
        std::function<void()> handed_out;  // after them
        std::function<void()> connected;
        std::function<void()> disconnected;
    };

    // `silence`: how long Redis may owe a reply without sending a byte before the connection is given up.
    // `of_replica`: it is to answer although it is a replica in a cluster (READONLY).
    RedisPipeline(asio::io_context& loop, const RedisConfig& config, Duration silence, Hooks hooks,
                  bool of_replica = false);

    void start();
    // Gives up the connection for good.
    void stop();
    // Gives it up as if it had broken: what is under way is lost, and another is made.
    void give_up(const std::string& reason) { lose(where_ + ": " + reason, true); }

    // Whether commands may be added. They may also while the first connection, or one after a sudden loss, is
    // being made.
    bool usable() const { return state_ == State::up || (state_ == State::connecting && failures_ == 0); }
    bool connected() const { return state_ == State::up; }
    // Why it is not connected, or was not when something was last lost.
    const std::string& reason() const { return reason_; }
    const std::string& where() const { return where_; }

    // Requires usable(). `commands` of the Redis protocol go to out(), then one expect() each.
    std::string& out() { return out_; }
    void expect(Receiver& receiver, std::uint64_t tag);
    std::size_t outstanding() const { return expected_.size(); }
    // Sends what was added.
    void flush();

private:
    enum class State { down, connecting, up, stopped };
    struct Expected {
        Receiver* receiver;  // null: part of the connection's own greeting
        std::uint64_t tag;
    };
    using Socket = asio::generic::stream_protocol::socket;

    void connect();
    void connect_to(std::uint64_t attempt, std::vector<Socket::endpoint_type> addresses, std::size_t index);
    void greet();
    void say(std::initializer_list<std::string_view> greeting);
    void greeted(const RedisAnswer& answer);
    void send();
    void receive();
    void received(std::size_t bytes);
    bool hand_out(const RedisAnswer& answer);
    void lose(const std::string& reason, bool retry_at_once);
    void lose_to(const asio::error_code& error);
    void retry_later();
    void watch();
    bool overdue() const;

    RedisConfig config_;
    Duration silence_;
    Hooks hooks_;
    bool of_replica_;
    std::string where_;
    std::string reason_;
    State state_ = State::down;
    int failures_ = 0;           // in a row
    std::uint64_t attempt_ = 0;  // handlers of former connections are told apart by it

    asio::ip::tcp::resolver resolver_;
    MaybeTlsSocket<Socket> socket_;
    asio::steady_timer retry_;
    asio::steady_timer watch_;
    Clock::time_point heard_;  // when Redis last did what was due, or began to owe

    std::string out_;
    std::string sending_;
    std::size_t sent_ = 0;
    bool waits_to_send_ = false;
    RedisReplies replies_;
    std::deque<Expected> expected_;
    std::size_t greetings_ = 0;
};

}  // namespace freshet
