#include "io/redis/redis_connection.hpp"

#include <hiredis/hiredis.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace freshet {

namespace {

constexpr std::size_t kSendBytes = 64 << 10;  // handed to the kernel early, so that the server works meanwhile

timeval timeval_of(Duration d) { return {d.count() / 1000, (d.count() % 1000) * 1000}; }

void append_number(std::string& out, char type, std::size_t n) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), n).ptr;
    out.push_back(type);
    out.append(digits.data(), end);
    out.append("\r\n");
}

// The value of `name` in the text that INFO answers.
std::string_view info_field(std::string_view info, std::string_view name) {
    while (!info.empty()) {
        std::string_view line = info.substr(0, info.find("\r\n"));
        info.remove_prefix(std::min(info.size(), line.size() + 2));
        if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':')
            return line.substr(name.size() + 1);
    }
    return {};
}

std::int64_t leading_number(std::string_view text) {
    std::int64_t n = 0;
    std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
}

}  // namespace

bool RedisValue::is_nil() const { return value_->type == REDIS_REPLY_NIL; }
bool RedisValue::is_text() const {
    return value_->type == REDIS_REPLY_STRING || value_->type == REDIS_REPLY_STATUS;
}
bool RedisValue::is_array() const { return value_->type == REDIS_REPLY_ARRAY; }
bool RedisValue::is_integer() const { return value_->type == REDIS_REPLY_INTEGER; }
bool RedisValue::is_error() const { return value_->type == REDIS_REPLY_ERROR; }

std::string_view RedisValue::text() const {
    return is_text() || is_error() ? std::string_view(value_->str, value_->len) : std::string_view();
}
std::int64_t RedisValue::integer() const { return is_integer() ? value_->integer : 0; }
std::size_t RedisValue::size() const { return is_array() ? value_->elements : 0; }
RedisValue RedisValue::operator[](std::size_t i) const { return RedisValue(value_->element[i]); }

void RedisReply::Free::operator()(redisReply* reply) const { freeReplyObject(reply); }

RedisConnection::RedisConnection(const RedisConfig& config, RedisTimeouts timeouts)
    : config_(config),
      timeouts_(timeouts),
      where_("redis " + (config.unix_socket.empty() ? config.address.text() : config.unix_socket)) {}

RedisConnection::~RedisConnection() { close(); }

void RedisConnection::close() {
    if (context_) redisFree(context_);
    context_ = nullptr;
    out_.clear();
}

Error RedisConnection::error(Errc code, std::string_view what) const {
    std::string message(what);
    // System messages begin with a capital letter; codes as "WRONGTYPE" stay as they are.
    if (message.size() > 1 && std::islower(static_cast<unsigned char>(message[1])))
        message[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(message[0])));
    return Error{code, message}.within(where_);
}

Error RedisConnection::error_of(const RedisValue& error_reply) const {
    constexpr std::array<std::string_view, 11> kPassing = {
        "LOADING",     "READONLY", "BUSY",       "MASTERDOWN", "TRYAGAIN", "OOM",
        "CLUSTERDOWN", "MISCONF",  "NOREPLICAS", "MOVED",      "ASK"};
    // Of a script in a cluster whose slots move, or that is down.
    constexpr std::string_view kPassingInScripts[] = {"access a non local key", "the cluster is down"};
    const std::string_view text = error_reply.text();
    const std::string_view code = text.substr(0, text.find(' '));
    if (std::find(kPassing.begin(), kPassing.end(), code) != kPassing.end() ||
        text == "ERR max number of clients reached" ||
        std::ranges::any_of(kPassingInScripts, [&](auto part) { return text.find(part) != text.npos; }))
        return error(Errc::unavailable, text);
    return error(code == "WRONGTYPE" ? Errc::corrupt : Errc::refused, text);
}

Error RedisConnection::fail(Errc code, std::string_view what) {
    broken_ = error(code, what);
    close();
    return *broken_;
}

Error RedisConnection::io_error(int code) {
    if (code == EAGAIN || code == EWOULDBLOCK)
        return fail(Errc::unavailable, "no answer within " + std::to_string(timeouts_.command.count()) + " ms");
    return fail(Errc::unavailable, std::strerror(code));
}

Result<void> RedisConnection::open() {
    const timeval timeout = timeval_of(timeouts_.connect);
    context_ = config_.unix_socket.empty()
                   ? redisConnectWithTimeout(config_.address.host.c_str(), config_.address.port, timeout)
                   : redisConnectUnixWithTimeout(config_.unix_socket.c_str(), timeout);
    if (!context_) return fail(Errc::unavailable, "out of memory");
    if (context_->err != 0) return fail(Errc::unavailable, std::string(context_->errstr));
    redisSetTimeout(context_, timeval_of(timeouts_.command));
    if (config_.unix_socket.empty()) redisEnableKeepAlive(context_);
    broken_.reset();
    return config_.password.empty() ? Result<void>() : authenticate();
}

Result<void> RedisConnection::authenticate() {
    std::vector<std::string_view> argv = {"AUTH"};
    if (!config_.user.empty()) argv.push_back(config_.user);
    argv.push_back(config_.password);
    append_number(out_, '*', argv.size());
    for (const std::string_view arg : argv) {
        append_number(out_, '$', arg.size());
        out_.append(arg).append("\r\n");
    }
    const Result<RedisReply> reply = receive();
    if (!reply) return reply.error();
    if (reply->is_error()) {
        broken_ = error_of(*reply);
        close();
        return *broken_;
    }
    return {};
}

void RedisConnection::append(std::span<const std::string_view> argv) {
    if (in_flight_++ == 0 && !context_) (void)open();
    if (!context_) return;
    append_number(out_, '*', argv.size());
    for (const std::string_view arg : argv) {
        append_number(out_, '$', arg.size());
        out_.append(arg).append("\r\n");
    }
    if (out_.size() >= kSendBytes) (void)flush();
}

Result<void> RedisConnection::flush() {
    // Not by hiredis, which would raise SIGPIPE.
    for (std::size_t sent = 0; sent < out_.size();) {
        const ssize_t n = ::send(context_->fd, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_error(errno);
        sent += static_cast<std::size_t>(n);
    }
    out_.clear();
    return {};
}

Result<RedisReply> RedisConnection::receive() {
    if (auto sent = flush(); !sent) return sent.error();
    void* reply = nullptr;
    errno = 0;
    if (redisGetReply(context_, &reply) != REDIS_OK) {
        if (context_->err == REDIS_ERR_IO) return io_error(errno);
        return fail(Errc::unavailable, std::string(context_->errstr));
    }
    return RedisReply(static_cast<redisReply*>(reply));
}

Result<RedisReply> RedisConnection::read() {
    if (in_flight_ == 0) return error(Errc::invalid_argument, "no command is in flight");
    --in_flight_;
    return context_ ? receive() : Result<RedisReply>(*broken_);
}

Result<RedisReply> RedisConnection::command(std::span<const std::string_view> argv) {
    append(argv);
    Result<RedisReply> reply = read();
    if (reply && reply->is_error()) return error_of(*reply);
    return reply;
}

namespace {

constexpr std::int64_t kListpackValue = 1024;

Result<void> check_info(const RedisConnection& connection, std::string_view info) {
    const std::string_view version = info_field(info, "redis_version");
    if (leading_number(version) < 7)
        return connection.error(Errc::refused,
                                "version " + std::string(version) + " is too old; 7.0 is needed");
    const std::string_view policy = info_field(info, "maxmemory_policy");
    if (policy != "noeviction")
        return connection.error(Errc::refused,
                                "maxmemory-policy is " + std::string(policy) +
                                    ", and an evicted value would be counted short without a sign; run "
                                    "'CONFIG SET maxmemory-policy noeviction'");
    return {};
}

bool is_forbidden(const RedisValue& reply) {
    return reply.is_error() &&
           (reply.text().starts_with("NOPERM") || reply.text().starts_with("ERR unknown command"));
}

}  // namespace

Result<std::vector<std::string>> check_server(RedisConnection& connection) {
    std::vector<std::string> warnings;
    const auto warn = [&](const std::string& what) { warnings.push_back(connection.where() + ": " + what); };
    const std::array<std::string_view, 1> info_command = {"INFO"};
    const std::array<std::string_view, 3> config_command = {"CONFIG", "GET", "hash-max-listpack-value"};
    connection.append(info_command);
    connection.append(config_command);
    const Result<RedisReply> info = connection.read();
    const Result<RedisReply> config = connection.read();
    if (!info) return info.error();
    if (!config) return config.error();

    // INFO tells the policy as well, and is often allowed where CONFIG is not.
    if (is_forbidden(*info)) {
        warn(
            "INFO is forbidden; make sure that the version is 7.0 or later and maxmemory-policy is noeviction");
    } else if (info->is_error()) {
        return connection.error_of(*info);
    } else if (const auto checked = check_info(connection, info->text()); !checked) {
        return checked.error();
    }

    if (is_forbidden(*config)) {
        warn("CONFIG is forbidden; make sure that hash-max-listpack-value is at least " +
             std::to_string(kListpackValue));
    } else if (config->is_error()) {
        return connection.error_of(*config);
    } else if (config->size() == 2 && leading_number((*config)[1].text()) < kListpackValue) {
        warn("hash-max-listpack-value is " + std::string((*config)[1].text()) +
             ", so that most values take more memory and time; run 'CONFIG SET hash-max-listpack-value " +
             std::to_string(kListpackValue) + "'");
    }
    return warnings;
}

}  // namespace freshet
