// A load generator for any RESP server on this machine. Open loop: requests are due at times that do not depend
// on the answers, and latency counts from the time a request was due, so that a slow answer hides nothing.
// Closed loop
// (--rate 0): as fast as the server answers, batches of --pipeline on each connection, as redis-benchmark does.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <ctime>
#include <deque>
#include <memory>

#include "histogram.hpp"
#include "load_commands.hpp"
#include "resp_scanner.hpp"

namespace freshet::bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kDrain = 5 * kSecond;  // how long to wait for answers after the end

struct Options {
    std::string address = "127.0.0.1:6379";
    std::vector<std::string> commands;
    std::string command_file;
    KeyChoice keys;
    double rate = 0;
    bool poisson = false;
    int connections = 50;
    int pipeline = 1;
    double warm_up = 0.5;
    double seconds = 5;
    bool json = false;
};

std::int64_t now_ns() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * kSecond + t.tv_nsec;
}

sockaddr_in loopback(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    std::string host = address.substr(0, colon);
    if (host == "localhost") host = "127.0.0.1";
    sockaddr_in out{};
    out.sin_family = AF_INET;
    if (colon == std::string::npos || inet_pton(AF_INET, host.c_str(), &out.sin_addr) != 1 ||
        ntohl(out.sin_addr.s_addr) >> 24 != 127)
        throw std::invalid_argument("--address " + address + ": only 127.0.0.0/8 with a port is allowed");
    out.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    return out;
}

[[noreturn]] void fail(const char* what) {
    throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

struct Connection {
    int fd = -1;
    std::string out;
    std::size_t sent = 0;
    bool wants_write = false;
    std::deque<std::int64_t> due;  // of requests without an answer
    RespScanner scanner;
};

class LoadGenerator {
public:
    explicit LoadGenerator(const Options& options)
        : options_(options), commands_(options.commands, options.keys), random_(options.keys.seed) {
        epoll_ = epoll_create1(0);
        timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
        if (epoll_ < 0 || timer_ < 0) fail("epoll");
        watch(timer_, nullptr, EPOLLIN | EPOLLET, EPOLL_CTL_ADD);
        const sockaddr_in address = loopback(options.address);
        for (int i = 0; i < options.connections; ++i) connect_one(address);
    }
    LoadGenerator(const LoadGenerator&) = delete;
    LoadGenerator& operator=(const LoadGenerator&) = delete;
    ~LoadGenerator() {
        for (const auto& connection : connections_) close(connection->fd);
        close(timer_);
        close(epoll_);
    }

    void run() {
        const std::int64_t begin = now_ns();
        next_due_ = begin;
        measure_from_ = begin + static_cast<std::int64_t>(options_.warm_up * kSecond);
        end_ = measure_from_ + static_cast<std::int64_t>(options_.seconds * kSecond);
        for (const auto& connection : connections_) free_.push_back(connection.get());
        for (std::int64_t now = begin; now < end_; now = now_ns()) {
            open_loop() ? send_due(now) : send_batches(now);
            wait(end_);
        }
        // What was due and could not be sent has waited at least until now.
        for (; open_loop() && next_due_ < end_; next_due_ += interval(), ++unsent_) measured(next_due_, end_);
        stopping_ = true;
        while (unanswered() > 0 && now_ns() < end_ + kDrain) wait(end_ + kDrain);
    }

    void report() const {
        rusage used{};
        getrusage(RUSAGE_SELF, &used);
        const double cpu = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                           static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
        const auto us = [&](double share) { return static_cast<double>(latency_.percentile(share)) / 1e3; };
        const double achieved = static_cast<double>(answered_) / options_.seconds;
        if (options_.json) {
            std::printf(
                "{\"offered_per_s\": %.1f, \"achieved_per_s\": %.1f, \"connections\": %d, \"pipeline\": %d, "
                "\"requests\": %llu, \"answered\": %llu, \"errors\": %llu, \"first_error\": \"%s\", "
                "\"unsent\": %llu, "
                "\"unanswered\": %zu, "
                "\"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, "
                "\"client_cpu_s\": %.2f}\n",
                options_.rate, achieved, options_.connections, options_.pipeline, as_ull(all_),
                as_ull(answered_), as_ull(errors_), plain(first_error_).c_str(), as_ull(unsent_), unanswered(),
                us(0.5), us(0.9), us(0.99), us(0.999), static_cast<double>(latency_.max()) / 1e3, cpu);
            return;
        }
        std::printf("%.0f requests/s answered (%s%.0f offered), %llu errors, %llu never sent, %zu unanswered\n",
                    achieved, open_loop() ? "" : "closed loop, ", options_.rate, as_ull(errors_),
                    as_ull(unsent_), unanswered());
        if (!first_error_.empty()) std::printf("first error: %s\n", first_error_.c_str());
        std::printf("us from due to answered: p50 %.1f, p90 %.1f, p99 %.1f, p99.9 %.1f, max %.1f\n", us(0.5),
                    us(0.9), us(0.99), us(0.999), static_cast<double>(latency_.max()) / 1e3);
    }

private:
    bool open_loop() const { return options_.rate > 0; }
    static unsigned long long as_ull(std::uint64_t n) { return n; }
    static std::string plain(std::string text) {
        std::erase_if(text, [](char c) { return c == '"' || c == '\\' || c < ' '; });
        return text;
    }

    void watch(int fd, Connection* connection, std::uint32_t events, int operation) const {
        epoll_event event{};
        event.events = events;
        event.data.ptr = connection;
        if (epoll_ctl(epoll_, operation, fd, &event) != 0) fail("epoll_ctl");
    }

    void connect_one(const sockaddr_in& address) {
        auto connection = std::make_unique<Connection>();
        connection->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connection->fd < 0 ||
            connect(connection->fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            fail("connect");
        const int on = 1;
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        fcntl(connection->fd, F_SETFL, O_NONBLOCK);
        watch(connection->fd, connection.get(), EPOLLIN, EPOLL_CTL_ADD);
        connections_.push_back(std::move(connection));
    }

    std::int64_t interval() {
        const double mean = static_cast<double>(kSecond) / options_.rate;
        return static_cast<std::int64_t>(options_.poisson ? exponential_(random_) * mean : mean);
    }

    void send_due(std::int64_t now) {
        while (next_due_ <= now && !free_.empty()) {
            Connection& connection = *free_.front();
            free_.pop_front();
            add_request(connection, next_due_);
            next_due_ += interval();
            if (connection.due.size() < static_cast<std::size_t>(options_.pipeline))
                free_.push_back(&connection);
            if (options_.pipeline == 1) {
                flush(connection);
            } else {
                touched_.push_back(&connection);
            }
        }
        for (Connection* connection : touched_) flush(*connection);
        touched_.clear();
        if (!free_.empty() && armed_for_ != next_due_) arm();
    }

    void arm() {
        armed_for_ = next_due_;
        itimerspec at{};
        at.it_value.tv_sec = next_due_ / kSecond;
        at.it_value.tv_nsec = next_due_ % kSecond;
        timerfd_settime(timer_, TFD_TIMER_ABSTIME, &at, nullptr);
    }

    void send_batches(std::int64_t now) {
        for (Connection* connection : free_) {
            for (int i = 0; i < options_.pipeline; ++i) add_request(*connection, now);
            flush(*connection);
        }
        free_.clear();
    }

    void add_request(Connection& connection, std::int64_t due) {
        commands_.append_next(connection.out);
        connection.due.push_back(due);
    }

    void flush(Connection& connection) {
        while (connection.sent < connection.out.size()) {
            const ssize_t n = send(connection.fd, connection.out.data() + connection.sent,
                                   connection.out.size() - connection.sent, MSG_NOSIGNAL);
            if (n < 0 && errno == EAGAIN) break;
            if (n < 0) fail("send");
            connection.sent += static_cast<std::size_t>(n);
        }
        const bool blocked = connection.sent < connection.out.size();
        if (!blocked) {
            connection.out.clear();
            connection.sent = 0;
        }
        if (blocked == connection.wants_write) return;
        connection.wants_write = blocked;
        watch(connection.fd, &connection, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
    }

    void wait(std::int64_t until) {
        epoll_event events[256];
        const auto left = std::max<std::int64_t>((until - now_ns()) / 1'000'000 + 1, 0);
        const int n = epoll_wait(epoll_, events, 256, static_cast<int>(left));
        if (n < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < n; ++i) {
            auto* connection = static_cast<Connection*>(events[i].data.ptr);
            if (!connection) continue;  // the timer
            if (events[i].events & EPOLLOUT) flush(*connection);
            if (events[i].events & ~EPOLLOUT) receive(*connection);
        }
    }

    void receive(Connection& connection) {
        const ssize_t n = recv(connection.fd, buffer_.data(), buffer_.size(), 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) throw std::runtime_error("the server closed a connection");
        const std::int64_t now = now_ns();
        const bool was_full = connection.due.size() >= static_cast<std::size_t>(options_.pipeline);
        bool expected = true;
        const bool understood =
            connection.scanner.feed(buffer_.data(), static_cast<std::size_t>(n), [&](std::string_view error) {
                expected = expected && !connection.due.empty();
                if (!expected) return;
                if (!error.empty() && errors_++ == 0) first_error_ = error;
                if (connection.due.front() >= measure_from_) measured(connection.due.front(), now);
                if (now >= measure_from_ && now < end_) ++answered_;
                ++all_;
                connection.due.pop_front();
            });
        if (!understood || !expected) throw std::runtime_error("the server sent what is no RESP reply");
        const bool free_now =
            open_loop() ? was_full && connection.due.size() < static_cast<std::size_t>(options_.pipeline)
                        : connection.due.empty();
        if (free_now && !stopping_) free_.push_back(&connection);
    }

    void measured(std::int64_t due, std::int64_t answered) { latency_.record(answered - due); }

    std::size_t unanswered() const {
        std::size_t n = 0;
        for (const auto& connection : connections_) n += connection->due.size();
        return n;
    }

    const Options& options_;
    LoadCommands commands_;
    std::mt19937_64 random_;
    std::exponential_distribution<double> exponential_{1.0};
    int epoll_ = -1;
    int timer_ = -1;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::deque<Connection*> free_;      // may take a request (open loop) or a batch (closed loop)
    std::vector<Connection*> touched_;  // to be flushed
    std::vector<char> buffer_ = std::vector<char>(1 << 18);
    std::int64_t next_due_ = 0;
    std::int64_t armed_for_ = 0;
    std::int64_t measure_from_ = 0;
    std::int64_t end_ = 0;
    bool stopping_ = false;
    Histogram latency_;
    std::uint64_t all_ = 0;       // answered at any time
    std::uint64_t answered_ = 0;  // while it was measured
    std::uint64_t unsent_ = 0;
    std::uint64_t errors_ = 0;
    std::string first_error_;
};

bool close_to(std::uint64_t got, double wanted) {
    return std::abs(static_cast<double>(got) - wanted) <= 0.008 * wanted + 1;
}

// Of the parts that could tell a wrong figure.
int self_test() {
    Histogram even;
    for (std::int64_t i = 1; i <= 1'000'000; ++i) even.record(i * 37);
    bool good = even.total() == 1'000'000 && even.max() == 37'000'000;
    for (const double share : {0.0001, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0})
        good = good && close_to(even.percentile(share), share * 37e6);
    Histogram outlier;
    for (int i = 0; i < 99; ++i) outlier.record(5);
    outlier.record(std::int64_t{1} << 62);
    good = good && outlier.percentile(0.99) == 5 && outlier.percentile(1) == std::uint64_t{1} << 62;

    const std::string replies =
        "+OK\r\n$3\r\na\nb\r\n*2\r\n:1\r\n*1\r\n$-1\r\n-ERR no\r\n*0\r\n*2\r\n-E x\r\n$0\r\n\r\n";
    for (std::size_t piece = 1; piece <= replies.size(); ++piece) {
        RespScanner scanner;
        std::string seen;
        for (std::size_t at = 0; at < replies.size(); at += piece)
            good =
                good && scanner.feed(replies.data() + at, std::min(piece, replies.size() - at),
                                     [&](std::string_view error) { seen += "[" + std::string(error) + "]"; });
        good = good && seen == "[][][][ERR no][][E x]";
    }
    std::string command;
    int key = 6;
    CommandTemplate("HGET a:{key}:b {key}").append([&] { return ++key == 7 ? "17" : "8"; }, command);
    good = good && command == "*3\r\n$4\r\nHGET\r\n$6\r\na:17:b\r\n$1\r\n8\r\n";
    std::puts(good ? "self-test: good" : "self-test: FAILED");
    return good ? 0 : 1;
}

int run(int argc, char** argv) {
    CLI::App app("A load generator for a RESP server on this machine.");
    Options options;
    bool test = false;
    app.add_option("command", options.commands,
                   "a command to send, {key} stands for a key's number; several are mixed");
    app.add_option("--command-file", options.command_file, "more of them, one a line");
    app.add_option("--address", options.address, "host:port, loopback only");
    app.add_option("--keys", options.keys.keys, "how many keys there are")->check(CLI::PositiveNumber);
    app.add_option("--zipf", options.keys.zipf, "exponent of the choice of keys; 0: uniform");
    app.add_option("--seed", options.keys.seed);
    app.add_option("--rate", options.rate, "requests a second offered; 0: closed loop");
    app.add_flag("--poisson", options.poisson, "requests are due at random, not evenly");
    app.add_option("--connections", options.connections)->check(CLI::Range(1, 10'000));
    app.add_option("--pipeline", options.pipeline, "requests a connection may have in flight")
        ->check(CLI::Range(1, 10'000));
    app.add_option("--warm-up", options.warm_up, "seconds before measuring")->check(CLI::Range(0.0, 60.0));
    app.add_option("--seconds", options.seconds, "seconds measured")->check(CLI::Range(0.1, 600.0));
    app.add_flag("--json", options.json);
    app.add_flag("--self-test", test, "check the parts and end");
    CLI11_PARSE(app, argc, argv);
    if (test) return self_test();
    try {
        if (!options.command_file.empty())
            for (std::string& line : read_lines(options.command_file))
                options.commands.push_back(std::move(line));
        if (options.commands.empty()) throw std::invalid_argument("no command to send");
        LoadGenerator generator(options);
        generator.run();
        generator.report();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "loadgen: %s\n", error.what());
        return 1;
    }
    return 0;
}

}  // namespace
}  // namespace freshet::bench

int main(int argc, char** argv) { return freshet::bench::run(argc, argv); }
