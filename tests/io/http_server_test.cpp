// The HTTP server on real sockets: what it answers, and that no client holds it up.
#include "io/http/http_server.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "support/becomes_true.hpp"

using namespace freshet;
using namespace std::chrono_literals;
using freshet::testing::becomes_true;

namespace {

class Client {
public:
    explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        const timeval bound{60, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    }
    ~Client() { ::close(socket_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    bool connected() const { return connected_; }
    // The server may have ended the connection.
    void send(std::string_view bytes) { ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
    void send_no_more() { ::shutdown(socket_, SHUT_WR); }
    // All that comes until the server ends the connection. "no end": it does not.
    std::string receive() {
        std::string all;
        char room[65536];
        for (;;) {
            const ssize_t bytes = ::recv(socket_, room, sizeof room, 0);
            if (bytes < 0 && errno != ECONNRESET) return "no end";
            if (bytes <= 0) return all;
            all.append(room, static_cast<std::size_t>(bytes));
        }
    }

private:
    int socket_;
    bool connected_ = false;
};

HttpServer::Handler echo() {
    return [](const HttpRequest& request, const HttpServer::Respond& respond) {
        std::string body = request.path;
        for (const auto& [name, value] : request.query) body += " " + name + "=" + value;
        respond({200, "text/plain", body});
    };
}

struct Running {
    explicit Running(const HttpServer::Handler& handler = echo(), HttpLimits limits = {})
        : server(handler, limits) {
        const auto started = server.start({"127.0.0.1", 0}, {}, "metrics");
        REQUIRE_MESSAGE(started, started.error().message);
        port = *started;
    }
    std::string answer(std::string_view request) const {
        Client client(port);
        client.send(request);
        return client.receive();
    }
    std::string get(const std::string& target) const {
        return answer("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n");
    }

    HttpServer server;
    std::uint16_t port = 0;
};

std::string status_of(const std::string& answer) { return answer.substr(0, answer.find("\r\n")); }
std::string body_of(const std::string& answer) {
    const std::size_t end = answer.find("\r\n\r\n");
    return end == std::string::npos ? "" : answer.substr(end + 4);
}

std::size_t open_files() {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                                                  std::filesystem::directory_iterator{}));
}

// Keeps who asked waiting.
struct Waiting {
    HttpServer::Handler handler() {
        return [this](const HttpRequest&, HttpServer::Respond respond) {
            const std::lock_guard lock(mutex);
            asked.push_back(std::move(respond));
        };
    }
    bool holds(std::size_t count) {
        const std::lock_guard lock(mutex);
        return asked.size() == count;
    }

    std::mutex mutex;
    std::vector<HttpServer::Respond> asked;
};

}  // namespace

TEST_CASE("a request is answered however it is cut, and the connection ends") {
    const Running running;
    CHECK(status_of(running.get("/a")) == "HTTP/1.1 200 OK");
    CHECK(body_of(running.get("/a")) == "/a");
    Client slow(running.port);
    for (const char byte : std::string("GET /slow HTTP/1.0\r\nX: y\r\n\r\n")) slow.send({&byte, 1});
    CHECK(body_of(slow.receive()) == "/slow");
    CHECK(body_of(running.answer("GET /one HTTP/1.1\r\n\r\nGET /two HTTP/1.1\r\n\r\n")) == "/one");
}

TEST_CASE("a query reaches whoever answers decoded; one that does not decode reaches nobody") {
    const Running running;
    CHECK(body_of(running.get("/p%41?a%26b=x+y%2B&c&d=%C3%BC")) == "/p%41 a&b=x y+ c= d=\xC3\xBC");
    for (const char* target : {"/?a=%", "/?a=%2", "/?a=%g0", "/?a=%+1", "/?%=1", "*", "a", "http://a/"}) {
        CAPTURE(target);
        const std::string answer = running.get(target);
        CHECK(status_of(answer) == "HTTP/1.1 400 Bad Request");
        CHECK(body_of(answer) == "the path or its query does not decode\n");
    }
}

TEST_CASE("HEAD has the headers alone, and other methods are told which there are") {
    const Running running;
    const std::string head = running.answer("HEAD /abc HTTP/1.1\r\n\r\n");
    CHECK(status_of(head) == "HTTP/1.1 200 OK");
    CHECK(head.find("Content-Length: 4\r\n") != std::string::npos);
    CHECK(body_of(head).empty());
    for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"}) {
        CAPTURE(method);
        const std::string answer =
            running.answer(method + std::string(" / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"));
        CHECK(status_of(answer) == "HTTP/1.1 405 Method Not Allowed");
        CHECK(answer.find("Allow: GET, HEAD\r\n") != std::string::npos);
    }
}

TEST_CASE("what is no request of HTTP/1.1 is refused, and so is a header without end") {
    const Running running;
    for (const char* bytes :
         {"*1\r\n$4\r\nPING\r\n", "\x16\x03\x01\x02\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9\r\n\r\n",
          "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\n: no name\r\n\r\n", " \r\n\r\n"}) {
        CAPTURE(bytes);
        CHECK(status_of(running.answer(bytes)) == "HTTP/1.1 400 Bad Request");
    }
    const std::string start = "GET / HTTP/1.1\r\nX: ";
    CHECK(status_of(running.answer(start + std::string(8000, 'y') + "\r\n\r\n")) == "HTTP/1.1 200 OK");
    for (const std::string& bytes : {start + std::string(20'000, 'y'), "GET /" + std::string(20'000, 'y')})
        CHECK(status_of(running.answer(bytes)) == "HTTP/1.1 431 Request Header Fields Too Large");
    // The end of the input in the middle of a request is no request.
    Client half(running.port);
    half.send("GET / HT");
    half.send_no_more();
    CHECK(half.receive().empty());
    CHECK(body_of(running.get("/on")) == "/on");
}

TEST_CASE("a client that does not finish its request is left") {
    HttpLimits limits;
    limits.asking = 50ms;
    const Running running(echo(), limits);
    Client silent(running.port), half(running.port);
    half.send("GET / HTTP/1.1\r\nX: ");
    CHECK(silent.receive().empty());
    CHECK(half.receive().empty());
}

TEST_CASE("an answer that takes too long is 504, and what comes then is nobody's") {
    HttpLimits limits;
    limits.answering = 50ms;
    Waiting waiting;
    const Running running(waiting.handler(), limits);
    CHECK(status_of(running.get("/")) == "HTTP/1.1 504 Gateway Timeout");
    REQUIRE(waiting.holds(1));
    waiting.asked[0]({200, "text/plain", "late"});
    CHECK(status_of(running.get("/")) == "HTTP/1.1 504 Gateway Timeout");
}

TEST_CASE("an answer may come from any thread, also once its client has gone") {
    Waiting waiting;
    const Running running(waiting.handler());
    {
        Client gone(running.port);
        gone.send("GET /gone HTTP/1.1\r\n\r\n");
        REQUIRE(becomes_true([&] { return waiting.holds(1); }, 60s));
    }
    Client stays(running.port);
    stays.send("GET /stays HTTP/1.1\r\n\r\n");
    REQUIRE(becomes_true([&] { return waiting.holds(2); }, 60s));
    for (const auto& respond : waiting.asked) respond({200, "text/plain", "here"});
    CHECK(body_of(stays.receive()) == "here");
}

TEST_CASE("a client that does not take its answer is left, with the answer") {
    HttpLimits limits;
    limits.taking = 50ms;
    const std::string large(64 << 20, 'x');
    std::atomic<bool> asked{false};
    const Running running(
        [&](const HttpRequest&, const HttpServer::Respond& respond) {
            respond({200, "text/plain", large});
            asked = true;
        },
        limits);
    const std::size_t before = open_files();
    Client stuck(running.port);
    stuck.send("GET / HTTP/1.1\r\n\r\n");
    REQUIRE(becomes_true([&] { return asked.load(); }, 60s));
    CHECK(becomes_true([&] { return open_files() == before + 1; }, 60s));  // the client's own
    CHECK(stuck.receive().size() < large.size());
}

TEST_CASE("of more connections than may be open the oldest gives way") {
    HttpLimits limits;
    limits.connections = 4;
    const Running running(echo(), limits);
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 10; ++i) {
        clients.push_back(std::make_unique<Client>(running.port));
        REQUIRE(clients.back()->connected());
        clients.back()->send("GET /half");
    }
    for (int i = 0; i < 6; ++i) CHECK(clients[static_cast<std::size_t>(i)]->receive().empty());
    for (std::size_t i = 6; i < 10; ++i) {
        clients[i]->send(" HTTP/1.1\r\n\r\n");
        CHECK(body_of(clients[i]->receive()) == "/half");
    }
}

TEST_CASE("clients at once are all answered, and the server stops in the middle of them") {
    auto server = std::make_unique<HttpServer>(echo());
    std::atomic<int> ticks{0};
    server->every(1ms, [&] { ++ticks; });
    const auto port = server->start({"127.0.0.1", 0}, {}, "metrics");
    REQUIRE(port);
    std::atomic<bool> stopping{false};
    std::atomic<int> answered{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread)
        threads.emplace_back([&] {
            for (;;) {
                Client client(*port);
                client.send("GET /x HTTP/1.1\r\n\r\n");
                if (body_of(client.receive()) == "/x") {
                    ++answered;
                } else {
                    CHECK(stopping);
                    return;
                }
            }
        });
    CHECK(becomes_true([&] { return answered > 500 && ticks > 3; }, 60s));
    stopping = true;
    server->stop();
    const int last = ticks;
    server.reset();  // with whom it had not welcomed yet
    for (std::thread& thread : threads) thread.join();
    CHECK(ticks == last);
}

TEST_CASE("an address that is taken is told of, and how to mend it") {
    const Running running;
    HttpServer second(echo());
    const auto started = second.start({"127.0.0.1", running.port}, {}, "metrics");
    REQUIRE(!started);
    CHECK(started.error().message ==
          "cannot listen on 127.0.0.1:" + std::to_string(running.port) +
              " (metrics.listen): Address already in use; choose another metrics.listen");
    HttpServer third(echo());
    const auto without = third.start({"127.0.0.1", 0}, {"/none.pem", "/none.key", ""}, "metrics");
    REQUIRE(!without);
    CHECK(without.error().message.starts_with("metrics.tls.certificate: '/none.pem' cannot be used: "));
}
