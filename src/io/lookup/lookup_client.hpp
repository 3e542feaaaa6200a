// A client's connection: reads requests, keeps their replies in order, writes them. Lives in one event loop.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>

#include "io/asio.hpp"
#include "io/lookup/lookup_commands.hpp"
#include "io/maybe_tls_socket.hpp"
#include "io/redis/resp_parser.hpp"

namespace freshet {

class LookupClient;

// What a client needs of its event loop.
class LookupClientHome {
public:
    using Clock = std::chrono::steady_clock;

    virtual LookupShared& shared() = 0;
    virtual LookupEngine& engine() = 0;
    virtual LookupCommands& commands() = 0;
    // A turn began: the time is to be taken.
    virtual void woken() = 0;
    // At the end of this turn: write what the client has to send.
    virtual void has_output(LookupClient& client) = 0;
    // At the end of later turns, which its pending requests or its output bring about: try to read on.
    virtual void is_held_back(LookupClient& client) = 0;
    virtual void has_closed(LookupClient& client) = 0;

protected:
    ~LookupClientHome() = default;
};

class LookupClient final : public LookupSession,
                           public LookupWaiter,
                           public std::enable_shared_from_this<LookupClient> {
public:
    using Socket = MaybeTlsSocket<asio::ip::tcp::socket>;
    LookupClient(LookupClientHome& home, Socket socket, std::uint64_t id);
    void start();
    // Writes what is to be sent, as far as the socket takes it.
    void write();
    // Takes further requests if it was held back and no longer needs to be.
    void resume();
    // Answers what was asked so far, then closes.
    void finish();
    void close();
    // Closes a client that does not take its answers.
    void check(LookupClientHome::Clock::time_point now, Duration most_lingering);

    // Set while it stands in one of its home's lists.
    bool listed_for_output = false;
    bool listed_as_held_back = false;

private:
    enum class State {
        open,
        last_answers,  // nothing is read any more; closes when all is written
        lingering,     // all is written; waits until the client has read it and closes
        closed
    };

    std::string& reply() override;
    void enqueue(LookupRequest& request) override;
    void quit() override { state_ = State::last_answers; }
    void answered() override;

    void read();
    void take_requests();
    void take_request();
    bool held_back() const;
    void refuse(const std::string& error);
    void close_when_done();
    void linger();
    void discard();
    std::size_t unsent() const { return out_.size() - sent_; }

    LookupClientHome& home_;
    Socket socket_;
    State state_ = State::open;
    RespParser parser_;
    bool reading_ = false;
    bool waits_to_write_ = false;
    std::deque<LookupRequest*> pending_;
    std::size_t pending_entities_ = 0;
    std::size_t pending_bytes_ = 0;  // of replies that are ready but behind others
    std::string out_;
    std::size_t sent_ = 0;
    LookupClientHome::Clock::time_point
        wrote_{};  // when the socket last took bytes, or there were none to take
    char discarded_[512];
};

}  // namespace freshet
