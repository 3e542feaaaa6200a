#include "io/lookup/lookup_loop.hpp"

#include <exception>
#include <string>
#include <utility>

#include "io/log.hpp"

namespace freshet {

namespace {

constexpr Duration kSweep{500};
constexpr Duration kLook{1'000};
constexpr Duration kSweepWhenStopping{20};
constexpr Duration kMostLingering{1000};
constexpr Duration kMostLingeringWhenStopping{100};
constexpr Duration kAcceptRetry{100};

}  // namespace

LookupLoop::LookupLoop(LookupShared& shared, const std::vector<int>& listening)
    : shared_(shared),
      sweep_(io_),
      closing_(io_),
      again_(io_),
      look_(io_),
      router_(io_, shared.catalogue,
              {shared.redis, shared.cluster, shared.sentinels, shared.options.redis_silence,
               shared.options.max_record_age},
              {.woken = [this] { woken(); },
               .handed_out = [this] { end_turn_later(); },
               .connected = [this] { end_turn_later(); },
               .disconnected = {}}),
      observer_(shared),
      engine_(
          shared.catalogue, router_, shared.redis.prefix,
          shared.options.cache_bytes / static_cast<std::size_t>(shared.options.readers), observer_,
          [this](RespWriter& out) { LookupCommands::write_status(shared_, engine_, out); },
          [this](Duration in) { look_again_later(in); }),
      commands_(shared, engine_, [this](std::string& lines) {
          for (const auto& [id, client] : clients_) lines += client_line(*client);
      }) {
    for (const int socket : listening) {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
        const auto protocol = address.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
        acceptors_.emplace_back(io_, protocol, socket);
    }
}

LookupLoop::~LookupLoop() { join(); }

void LookupLoop::start(bool watches_freshness) {
    woken();
    router_.start();
    if (watches_freshness) look_at_freshness();
    for (auto& acceptor : acceptors_) accept(acceptor);
    sweep();
    thread_ = std::thread([this] { run(); });
}

void LookupLoop::run() {
    while (!io_.stopped()) {
        try {
            io_.run_one();
        } catch (const std::exception& error) {
            give_up_all(error.what());
        }
    }
}

// What was being done is half done, and nobody knows for whom: all begin again, other readers do not notice.
void LookupLoop::give_up_all(const std::string& reason) {
    log::error("a reader of look-ups failed: " + reason + "; its connections are closed, and it goes on");
    observer_.failed("ERR");
    turn_ends_ = false;
    for (const auto& [id, client] : std::unordered_map(clients_)) client->close();
    questions_.clear();
    router_.give_up(reason);
    end_turn_later();
}

void LookupLoop::ask(std::string user, std::vector<std::string> command, LookupQuestion::Reply reply) {
    asio::post(io_, [this, user = std::move(user), command = std::move(command), reply = std::move(reply)] {
        ask_now(user, command, reply);
    });
}

void LookupLoop::ask_now(const std::string& user, const std::vector<std::string>& command,
                         LookupQuestion::Reply reply) {
    if (stopping_) return;
    woken();
    auto made = std::make_unique<LookupQuestion>(engine_, std::move(reply), [this](LookupQuestion& question) {
        const auto found = questions_.find(&question);
        answered_.push_back(std::move(found->second));
        questions_.erase(found);
        end_turn_later();
    });
    LookupQuestion& question = *made;
    questions_.emplace(&question, std::move(made));
    question.account = shared_.access.find(user);
    question.ask(commands_, std::vector<std::string_view>(command.begin(), command.end()));
    end_turn_later();
}

void LookupLoop::begin_stop() {
    asio::post(io_, [this] { stop(); });
}

void LookupLoop::join() {
    if (thread_.joinable()) thread_.join();
}

void LookupLoop::accept(asio::ip::tcp::acceptor& acceptor) {
    acceptor.async_accept([this, &acceptor](const asio::error_code& error, asio::ip::tcp::socket socket) {
        if (stopping_) return;
        woken();
        if (!error) {
            accept(acceptor);
            return welcome(std::move(socket));
        }
        // Out of file descriptors, most likely: some will come free.
        auto again = std::make_shared<asio::steady_timer>(io_, kAcceptRetry);
        again->async_wait([this, &acceptor, again](const asio::error_code&) {
            if (!stopping_) accept(acceptor);
        });
    });
}

void LookupLoop::welcome(asio::ip::tcp::socket socket) {
    const std::uint64_t id = shared_.connections_ever.fetch_add(1) + 1;
    if (shared_.connections.fetch_add(1) >= shared_.options.max_connections) {
        shared_.connections.fetch_sub(1);
        observer_.failed("ERR");
        asio::error_code ignored;
        socket.non_blocking(true, ignored);
        socket.write_some(asio::buffer(std::string("-ERR max number of clients reached\r\n")), ignored);
        return;
    }
    LookupClient::Socket speaking(std::move(socket));
    if (const std::shared_ptr<TlsContext> tls = shared_.tls) speaking.speak(std::make_unique<TlsStream>(tls));
    auto client = std::make_shared<LookupClient>(*this, std::move(speaking), id);
    clients_.emplace(id, client);
    client->start();
}

void LookupLoop::has_output(LookupClient& client) {
    if (!std::exchange(client.listed_for_output, true)) with_output_.push_back(client.shared_from_this());
    end_turn_later();
}

void LookupLoop::is_held_back(LookupClient& client) {
    if (!std::exchange(client.listed_as_held_back, true)) held_back_.push_back(client.shared_from_this());
}

void LookupLoop::has_closed(LookupClient& client) {
    const auto found = clients_.find(client.id);
    if (found == clients_.end()) return;
    closed_.push_back(std::move(found->second));
    clients_.erase(found);
    shared_.connections.fetch_sub(1);
    end_turn_later();
}

// Behind all handlers that are ready now.
void LookupLoop::end_turn_later() {
    if (std::exchange(turn_ends_, true)) return;
    asio::post(io_, [this] { end_turn(); });
}

void LookupLoop::end_turn() {
    turn_ends_ = false;
    woken();
    for (const auto& client : std::exchange(with_output_, {})) {
        client->listed_for_output = false;
        client->write();
    }
    for (const auto& client : std::exchange(held_back_, {})) {
        client->listed_as_held_back = false;
        client->resume();
    }
    router_.keep_up();
    router_.flush();
    closed_.clear();
    answered_.clear();
    if (stopping_) end_if_done();
}

void LookupLoop::look_again_later(Duration in) {
    again_.expires_after(in);
    again_.async_wait([this](const asio::error_code& cancelled) {
        if (cancelled) return;
        woken();
        engine_.look_again();
        end_turn_later();
    });
}

void LookupLoop::sweep() {
    sweep_.expires_after(stopping_ ? kSweepWhenStopping : kSweep);
    sweep_.async_wait([this](const asio::error_code& cancelled) {
        if (!cancelled) sweep();
    });
    router_.keep_up();
    const auto clients = clients_;
    for (const auto& [id, client] : clients)
        client->check(Clock::now(), stopping_ ? kMostLingeringWhenStopping : kMostLingering);
}

// From a second after the start, when Redis has answered for the first time.
void LookupLoop::look_at_freshness() {
    look_.expires_after(kLook);
    look_.async_wait([this](const asio::error_code& cancelled) {
        if (cancelled) return;
        woken();
        LookupRequest& request = engine_.take();
        request.kind = LookupRequest::Kind::watch;
        request.watch = &shared_.freshness;
        engine_.start(request);
        end_turn_later();
        look_at_freshness();
    });
}

void LookupLoop::stop() {
    if (std::exchange(stopping_, true)) return;
    woken();
    for (auto& acceptor : acceptors_) acceptor.close();
    const auto clients = clients_;
    for (const auto& [id, client] : clients) client->finish();
    closing_.expires_after(shared_.options.closing);
    closing_.async_wait([this](const asio::error_code& cancelled) {
        if (cancelled) return;
        const auto left = clients_;
        for (const auto& [id, client] : left) client->close();
    });
    look_.cancel();
    sweep_.cancel();
    sweep();
    end_turn_later();
}

void LookupLoop::end_if_done() {
    if (!clients_.empty()) return;
    closing_.cancel();
    sweep_.cancel();
    router_.stop();
    io_.stop();
}

}  // namespace freshet
