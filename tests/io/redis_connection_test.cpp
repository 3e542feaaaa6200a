#include "io/redis/redis_connection.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <array>

#include "support/redis_process.hpp"

using namespace freshet;
using freshet::test::RedisProcess;

namespace {

RedisProcess& shared_server() {
    static RedisProcess server;
    return server;
}

// A command that echoes `text`.
void append_echo(RedisConnection& connection, std::string_view text) {
    connection.append(std::array<std::string_view, 2>{"ECHO", text});
}

bool mentions(const std::string& message, std::string_view part) {
    return message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("replies come in the order of the commands, whatever their size") {
    RedisConnection connection(shared_server().config());
    std::vector<std::string> texts;
    for (int i = 0; i < 2'000; ++i)
        texts.push_back(std::string(static_cast<std::size_t>(i) * 7 % 3'000, 'a') + '\0');
    texts.push_back(std::string(5'000'000, 'b'));
    for (const std::string& text : texts) append_echo(connection, text);
    for (const std::string& text : texts) {
        const auto reply = connection.read();
        REQUIRE(reply);
        CHECK(reply->text() == text);
    }
}

TEST_CASE("a reply tells its type, and nothing of another") {
    RedisConnection connection(shared_server().config());
    const auto reply = connection.command({"EVAL", "return {7, 'text', false, {'nested'}}", "0"});
    REQUIRE(reply);
    REQUIRE(reply->size() == 4);
    CHECK((*reply)[0].integer() == 7);
    CHECK((*reply)[0].text().empty());
    CHECK((*reply)[1].text() == "text");
    CHECK((*reply)[1].integer() == 0);
    CHECK((*reply)[2].is_nil());
    CHECK((*reply)[3][0].text() == "nested");
}

TEST_CASE("an error reply keeps its text and leaves the connection in use") {
    RedisConnection connection(shared_server().config());
    (void)connection.command({"SET", "text", "x"});
    const auto wrong = connection.command({"HGET", "text", "f"});
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().code == Errc::corrupt);
    CHECK(mentions(wrong.error().message, ": WRONGTYPE Operation against a key"));
    CHECK(connection.command({"NOTHING"}).error().code == Errc::refused);
    for (const char* code : {"LOADING", "READONLY", "BUSY", "MASTERDOWN", "TRYAGAIN", "OOM", "CLUSTERDOWN"}) {
        const std::string script = "return redis.error_reply('" + std::string(code) + " for now')";
        CHECK(connection.command({"EVAL", script, "0"}).error().code == Errc::unavailable);
    }
    CHECK(connection.command({"PING"}));
}

TEST_CASE("what cannot be reached is unavailable, and named") {
    RedisConfig nowhere;
    nowhere.address = {"127.0.0.1", 1};
    const auto refused = RedisConnection(nowhere).command({"PING"});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    CHECK(refused.error().message == "redis 127.0.0.1:1: connection refused");
    nowhere.unix_socket = "/nowhere/redis.sock";
    const auto missing = RedisConnection(nowhere).command({"PING"});
    REQUIRE_FALSE(missing);
    CHECK(missing.error().message == "redis /nowhere/redis.sock: no such file or directory");
}

TEST_CASE("a broken connection fails what is in flight, and nothing after it") {
    RedisConnection connection(shared_server().config());
    REQUIRE(connection.command({"PING"}));
    append_echo(connection, "before");
    connection.append(std::array<std::string_view, 1>{"QUIT"});
    append_echo(connection, "after");
    CHECK(connection.read()->text() == "before");
    CHECK(connection.read()->text() == "OK");
    append_echo(connection, "in flight");
    CHECK_FALSE(connection.read());
    CHECK_FALSE(connection.read());
    append_echo(connection, "anew");
    CHECK(connection.read()->text() == "anew");
    CHECK(connection.read().error().code == Errc::invalid_argument);
}

TEST_CASE("a server that does not answer in time is unavailable") {
    RedisProcess server;
    RedisConnection connection(server.config(), {Duration(1'000), Duration(30)});
    REQUIRE(connection.command({"PING"}));
    REQUIRE(::kill(server.pid(), SIGSTOP) == 0);
    const auto reply = connection.command({"PING"});
    REQUIRE(::kill(server.pid(), SIGCONT) == 0);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == Errc::unavailable);
    CHECK(mentions(reply.error().message, "no answer within 30 ms"));
}

TEST_CASE("a password is sent on each connection, and a wrong one refused without being told") {
    RedisProcess server;
    (void)server.run({"ACL", "SETUSER", "writer", "on", ">secret", "+@all", "~*"});
    (void)server.run({"CONFIG", "SET", "requirepass", "other"});
    RedisConfig config;
    config.user = "writer";
    config.password = "secret";
    RedisConnection connection(server.config(config));
    CHECK(connection.command({"ACL", "WHOAMI"})->text() == "writer");
    connection.close();
    CHECK(connection.command({"ACL", "WHOAMI"})->text() == "writer");

    config.password = "wrong!";
    const auto refused = RedisConnection(server.config(config)).command({"PING"});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::refused);
    CHECK(mentions(refused.error().message, "WRONGPASS"));
    CHECK_FALSE(mentions(refused.error().message, "wrong!"));
    CHECK(mentions(RedisConnection(server.config()).command({"PING"}).error().message, "NOAUTH"));
    config.user.clear();
    config.password = "other";
    CHECK(RedisConnection(server.config(config)).command({"ACL", "WHOAMI"})->text() == "default");
}

TEST_CASE("a server that suits has no warning") {
    RedisConnection connection(shared_server().config());
    const auto checked = check_server(connection);
    REQUIRE(checked);
    CHECK(checked->empty());
}

TEST_CASE("a server that may evict is refused, with the mend") {
    for (const char* policy : {"allkeys-lru", "volatile-ttl"}) {
        RedisProcess server(RedisProcess::Listen::unix_socket, {"--maxmemory-policy", policy});
        RedisConnection connection(server.config());
        const auto checked = check_server(connection);
        REQUIRE_FALSE(checked);
        CHECK(checked.error().code == Errc::refused);
        CHECK(mentions(checked.error().message, policy));
        CHECK(mentions(checked.error().message, "'CONFIG SET maxmemory-policy noeviction'"));
    }
}

TEST_CASE("short listpacks are warned of, and so is what may not be asked") {
    RedisProcess server(RedisProcess::Listen::unix_socket, {"--hash-max-listpack-value", "1023"});
    RedisConnection connection(server.config());
    auto checked = check_server(connection);
    REQUIRE(checked);
    REQUIRE(checked->size() == 1);
    CHECK(mentions(checked->front(), "'CONFIG SET hash-max-listpack-value 1024'"));

    (void)server.run({"ACL", "SETUSER", "guest", "on", ">pw", "+@all", "-config", "~*"});
    RedisConfig guest;
    guest.user = "guest";
    guest.password = "pw";
    RedisConnection limited(server.config(guest));
    checked = check_server(limited);
    REQUIRE(checked);
    REQUIRE(checked->size() == 1);
    CHECK(mentions(checked->front(), "CONFIG is forbidden"));
    (void)server.run({"ACL", "SETUSER", "guest", "-info"});
    checked = check_server(limited);
    REQUIRE(checked);
    CHECK(checked->size() == 2);
    server.stop();
    CHECK(check_server(limited).error().code == Errc::unavailable);
}

TEST_CASE("a private server listens where it says, keeps nothing and is gone when it is stopped") {
    for (const auto listen : {PrivateRedis::Listen::unix_socket, PrivateRedis::Listen::loopback_port}) {
        auto server = PrivateRedis::start(listen);
        REQUIRE(server);
        const pid_t first = (*server)->pid();
        RedisConnection connection((*server)->reached_by());
        REQUIRE(connection.command({"SET", "k", "v"}));
        CHECK((*connection.command({"CONFIG", "GET", "hash-max-listpack-value"}))[1].text() == "4096");
        REQUIRE((*server)->restart());
        CHECK(::kill(first, 0) != 0);
        (void)connection.command({"PING"});  // notices that the first is gone
        CHECK(connection.command({"GET", "k"})->is_nil());
        const pid_t second = (*server)->pid();
        server->reset();
        CHECK(::kill(second, 0) != 0);
        CHECK(connection.command({"PING"}).error().code == Errc::unavailable);
    }
}

TEST_CASE("a private server that cannot start says why") {
    const auto wrong =
        PrivateRedis::start(PrivateRedis::Listen::unix_socket, {"--maxmemory-policy", "sometimes"});
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().code == Errc::unavailable);
    CHECK(mentions(wrong.error().message, "private redis-server: ended at once"));

    const std::string path = std::getenv("PATH");
    ::setenv("PATH", "/nowhere", 1);
    const auto missing = PrivateRedis::start();
    ::setenv("PATH", path.c_str(), 1);
    REQUIRE_FALSE(missing);
    CHECK(mentions(missing.error().message, "redis-server is not installed; install the package redis-server"));
}
