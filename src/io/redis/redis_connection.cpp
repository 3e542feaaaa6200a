#include "io/redis/redis_connection.hpp"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <new>

#include "io/redis/redis_tls.hpp"

namespace freshet {

namespace {

constexpr std::size_t kSendBytes = 64 << 10;  // handed to the kernel early, so that the server works meanwhile
constexpr std::size_t kReceiveBytes = 16 << 10;

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

RedisConnection::~RedisConnection() = default;

void RedisConnection::FreeReader::operator()(redisReader* reader) const { redisReaderFree(reader); }

void RedisConnection::close() {
    socket_.reset();
    reader_.reset();
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

Error RedisConnection::fail(const Error& why) {
    broken_ = why;
    close();
    return why;
}

// All of it may pass by itself.
Error RedisConnection::fail_io(const Error& why) {
    const bool unexplained = !heard_ && why.code == Errc::unavailable;
    const std::string hint = hint_at_greeting(config_, why.message.starts_with("no answer"));
    return fail(error(Errc::unavailable, why.message + (unexplained ? hint : "")));
}

Result<void> RedisConnection::open() {
    heard_ = false;
    auto tls = redis_tls_stream(config_);
    if (!tls) return fail(error(tls.error().code, tls.error().message));
    auto connected = config_.unix_socket.empty()
                         ? BlockingSocket::connect(config_.address, timeouts_.connect)
                         : BlockingSocket::connect(config_.unix_socket, timeouts_.connect);
    if (!connected) return fail(error(connected.error().code, connected.error().message));
    socket_ = *std::move(connected);
    if (*tls) {
        if (auto spoken = socket_->speak(*std::move(tls)); !spoken) return fail_io(spoken.error());
    }
    socket_->set_timeout(timeouts_.command);
    reader_.reset(redisReaderCreate());
    if (!reader_) throw std::bad_alloc();
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
        return fail(error_of(*reply));
    }
    return {};
}

void RedisConnection::append(std::span<const std::string_view> argv) {
    if (in_flight_++ == 0 && !socket_) (void)open();
    if (!socket_) return;
    append_number(out_, '*', argv.size());
    for (const std::string_view arg : argv) {
        append_number(out_, '$', arg.size());
        out_.append(arg).append("\r\n");
    }
    if (out_.size() >= kSendBytes) (void)flush();
}

Result<void> RedisConnection::flush() {
    if (auto sent = socket_->send(out_); !sent) return fail_io(sent.error());
    out_.clear();
    return {};
}

Result<RedisReply> RedisConnection::receive() {
    if (auto sent = flush(); !sent) return sent.error();
    std::array<char, kReceiveBytes> room;
    while (true) {
        void* reply = nullptr;
        if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK)
            return fail_io({Errc::unavailable, reader_->errstr});
        if (reply) {
            heard_ = true;
            return RedisReply(static_cast<redisReply*>(reply));
        }
        const auto received = socket_->receive(room);
        if (!received) return fail_io(received.error());
        redisReaderFeed(reader_.get(), room.data(), *received);
    }
}

Result<RedisReply> RedisConnection::read() {
    if (in_flight_ == 0) return error(Errc::invalid_argument, "no command is in flight");
    --in_flight_;
    return socket_ ? receive() : Result<RedisReply>(*broken_);
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
