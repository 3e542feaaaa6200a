#include "io/redis/redis_pipeline.hpp"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "io/redis/redis_tls.hpp"

namespace freshet {

namespace {

constexpr std::size_t kKeptSendBuffer = 1 << 20;
constexpr Duration kFirstRetry{20};
constexpr Duration kLastRetry{100};  // look-ups fail until then, though Redis may be back

void append_framing(std::string& out, char mark, std::size_t number) {
    char text[24];
    text[0] = mark;
    char* end = std::to_chars(text + 1, text + sizeof text, number).ptr;
    *end++ = '\r';
    *end++ = '\n';
    out.append(text, static_cast<std::size_t>(end - text));
}

}  // namespace

void append_redis_command(std::string& out, std::span<const std::string_view> arguments) {
    append_framing(out, '*', arguments.size());
    for (const std::string_view argument : arguments) {
        append_framing(out, '$', argument.size());
        out += argument;
        out += "\r\n";
    }
}

RedisPipeline::RedisPipeline(asio::io_context& loop, const RedisConfig& config, Duration silence, Hooks hooks,
                             bool of_replica)
    : config_(config),
      silence_(silence),
      hooks_(std::move(hooks)),
      of_replica_(of_replica),
      where_("redis " + (config.unix_socket.empty() ? config.address.text() : config.unix_socket)),
      reason_(where_ + " is not connected yet"),
      resolver_(loop),
      socket_(Socket(loop)),
      retry_(loop),
      watch_(loop) {}

void RedisPipeline::start() {
    connect();
    watch();
}

void RedisPipeline::stop() {
    lose(where_ + ": the connection was closed", false);
    state_ = State::stopped;
    retry_.cancel();
    watch_.cancel();
}

void RedisPipeline::connect() {
    state_ = State::connecting;
    heard_ = Clock::now();
    const std::uint64_t attempt = ++attempt_;
    if (!config_.unix_socket.empty()) {
        connect_to(attempt, {asio::local::stream_protocol::endpoint(config_.unix_socket)}, 0);
        return;
    }
    resolver_.async_resolve(config_.address.host, std::to_string(config_.address.port),
                            [this, attempt](const asio::error_code& error, const auto& found) {
                                if (attempt != attempt_) return;
                                if (error) return lose(where_ + ": " + error.message(), false);
                                std::vector<Socket::endpoint_type> addresses;
                                for (const auto& entry : found) addresses.emplace_back(entry.endpoint());
                                connect_to(attempt, std::move(addresses), 0);
                            });
}

void RedisPipeline::connect_to(std::uint64_t attempt, std::vector<Socket::endpoint_type> addresses,
                               std::size_t index) {
    const auto& address = addresses[index];
    asio::error_code error;
    socket_.raw().close(error);
    socket_.raw().open(address.protocol(), error);
    if (error) return lose(where_ + ": " + error.message(), false);
    socket_.raw().async_connect(address, [this, attempt, addresses, index](const asio::error_code& failed) {
        if (attempt != attempt_) return;
        if (!failed) return greet();
        if (index + 1 < addresses.size()) return connect_to(attempt, addresses, index + 1);
        lose(where_ + ": " + failed.message(), false);
    });
}

void RedisPipeline::greet() {
    auto tls = redis_tls_stream(config_);
    if (!tls) return lose(where_ + ": " + tls.error().message, false);
    socket_.speak(*std::move(tls));
    asio::error_code ignored;
    socket_.raw().non_blocking(true, ignored);
    if (config_.unix_socket.empty()) socket_.raw().set_option(asio::ip::tcp::no_delay(true), ignored);
    if (!config_.password.empty())
        config_.user.empty() ? say({"AUTH", config_.password}) : say({"AUTH", config_.user, config_.password});
    if (of_replica_) say({"READONLY"});
    say({"PING"});
    receive();
    send();
}

// Before whatever was asked for already.
void RedisPipeline::say(std::initializer_list<std::string_view> greeting) {
    append_redis_command(sending_, greeting);
    expected_.push_front({nullptr, 0});
    ++greetings_;
}

void RedisPipeline::greeted(const RedisAnswer& answer) {
    if (answer.is_error()) return lose(where_ + ": " + std::string(answer.text), false);
    if (--greetings_ > 0) return;
    state_ = State::up;
    failures_ = 0;
    if (hooks_.connected) hooks_.connected();
    flush();
}

void RedisPipeline::expect(Receiver& receiver, std::uint64_t tag) {
    if (expected_.empty()) heard_ = Clock::now();
    expected_.push_back({&receiver, tag});
}

void RedisPipeline::flush() {
    if (state_ != State::up || waits_to_send_ || out_.empty()) return;
    std::swap(out_, sending_);
    send();
}

void RedisPipeline::send() {
    while (sent_ < sending_.size() || socket_.holds()) {
        asio::error_code error;
        sent_ += socket_.write_some(std::string_view(sending_).substr(sent_), error);
        if (error == asio::error::would_block) {
            waits_to_send_ = true;
            socket_.raw().async_wait(Socket::wait_write,
                                     [this, attempt = attempt_](const asio::error_code& failed) {
                                         if (attempt != attempt_ || failed) return;
                                         waits_to_send_ = false;
                                         send();
                                         flush();
                                     });
            return;
        }
        if (error) return lose_to(error);
    }
    sending_.clear();
    if (sending_.capacity() > kKeptSendBuffer) sending_.shrink_to_fit();
    sent_ = 0;
}

void RedisPipeline::receive() {
    socket_.read(replies_.room(), [this, attempt = attempt_](const asio::error_code& error, std::size_t bytes) {
        if (attempt != attempt_) return;
        if (error) return lose_to(error);
        received(bytes);
    });
}

void RedisPipeline::received(std::size_t bytes) {
    heard_ = Clock::now();
    if (hooks_.woken) hooks_.woken();
    const std::uint64_t attempt = attempt_;
    const auto taken = replies_.received(
        bytes, [&](const RedisAnswer& answer) { return hand_out(answer) && attempt == attempt_; });
    if (attempt == attempt_) {
        if (!taken) {
            lose(where_ + ": " + taken.error().message, true);
        } else {
            receive();
        }
    }
    if (hooks_.handed_out) hooks_.handed_out();
}

bool RedisPipeline::hand_out(const RedisAnswer& answer) {
    if (expected_.empty()) {
        lose(where_ + ": a reply to nothing: " + std::string(answer.text), true);
        return false;
    }
    const Expected next = expected_.front();
    expected_.pop_front();
    if (next.receiver) {
        next.receiver->replied(next.tag, answer);
    } else {
        greeted(answer);
    }
    return true;
}

void RedisPipeline::lose_to(const asio::error_code& error) {
    const std::string trouble = socket_.trouble();
    lose(where_ + ": " + (trouble.empty() ? error.message() : trouble) +
             (state_ == State::connecting && trouble.empty() ? hint_at_greeting(config_, false) : ""),
         true);
}

void RedisPipeline::lose(const std::string& reason, bool retry_at_once) {
    if (state_ == State::stopped) return;
    reason_ = reason;
    ++attempt_;
    const bool was_up = state_ == State::up;
    state_ = State::down;
    if (!(was_up && retry_at_once)) ++failures_;
    resolver_.cancel();
    asio::error_code ignored;
    socket_.raw().close(ignored);
    replies_.reset();
    out_.clear();
    sending_.clear();
    sent_ = 0;
    waits_to_send_ = false;
    greetings_ = 0;

    if (hooks_.disconnected) hooks_.disconnected();
    if (hooks_.woken) hooks_.woken();
    const std::deque<Expected> under_way = std::exchange(expected_, {});
    for (const Expected& expected : under_way)
        if (expected.receiver) expected.receiver->lost(expected.tag);
    if (hooks_.handed_out) hooks_.handed_out();
    retry_later();
}

void RedisPipeline::retry_later() {
    retry_.expires_after(std::min(kLastRetry, kFirstRetry * (1 << std::min(failures_, 10))));
    retry_.async_wait([this](const asio::error_code& cancelled) {
        if (!cancelled && state_ == State::down) connect();
    });
}

bool RedisPipeline::overdue() const {
    const bool owes = state_ == State::connecting || (state_ == State::up && !expected_.empty());
    if (!owes || Clock::now() - heard_ < silence_) return false;
    if (state_ == State::connecting && greetings_ == 0) return true;
    // This loop may be what was late.
    asio::error_code error;
    return socket_.raw().available(error) == 0;
}

void RedisPipeline::watch() {
    watch_.expires_after(std::max(Duration{1}, silence_ / 4));
    watch_.async_wait([this](const asio::error_code& cancelled) {
        if (cancelled || state_ == State::stopped) return;
        if (overdue())
            lose(where_ + " did not answer within " + std::to_string(silence_.count()) + " ms" +
                     (state_ == State::connecting && greetings_ > 0 ? hint_at_greeting(config_, true) : ""),
                 false);
        watch();
    });
}

}  // namespace freshet
