// The look-up server as its clients meet it: commands, order, limits, a Redis that fails, the end.
#include <doctest/doctest.h>
#include <signal.h>

#include <list>

#include "support/lookup_for_tests.hpp"

namespace freshet::testing {
namespace {

TEST_CASE_FIXTURE(LookupFixture, "what clients ask of any Redis is answered") {
    TestClient c(port());
    CHECK(c("PING") == "+PONG");
    CHECK(c("ping hello") == "\"hello\"");
    CHECK(c("ECHO \"a b\"") == "\"a b\"");
    CHECK(c("SELECT 0") == "+OK");
    CHECK(c("SELECT 1") == "-ERR DB index is out of range");
    CHECK(c("AUTH secret").starts_with("-ERR no users are configured"));
    CHECK(c("HELLO").starts_with("[\"server\" \"freshet\" \"version\" "));
    CHECK(c("HELLO 2 SETNAME me").find("\"proto\" 2") != std::string::npos);
    CHECK(c("HELLO 4") == "-NOPROTO unsupported protocol version");
    CHECK(c("HELLO three") == "-NOPROTO unsupported protocol version");
    CHECK(c("CLIENT GETNAME") == "\"me\"");
    CHECK(c("CLIENT SETNAME you") == "+OK");
    CHECK(c("CLIENT SETINFO lib-name x") == "+OK");
    CHECK(c("CLIENT ID") == "1");
    CHECK(c("CLIENT LIST").find("name=you") != std::string::npos);
    CHECK(c("CLIENT KILL x") == "-ERR unknown subcommand 'KILL'");
    CHECK(c("COMMAND") == "[]");
    CHECK(c("COMMAND DOCS") == "[]");
    CHECK(c("COMMAND COUNT") == "0");
    CHECK(c("CONFIG GET save") == "[]");
    CHECK(c("INFO").find("connected_clients:1\r\n") != std::string::npos);
    CHECK(c("QUIT") == "+OK");
    CHECK(c.receive() == "closed");
}

TEST_CASE_FIXTURE(LookupFixture, "what is wrong with a command is said, and the connection goes on") {
    TestClient c(port());
    CHECK(c("FS.GETT x") == "-ERR unknown command 'FS.GETT'; did you mean FS.GET?");
    CHECK(c("ECHO") == "-ERR wrong number of arguments for 'echo' command");
    CHECK(c("FS.GET spent a") == "-NOVIEW no view 'spent'; did you mean 'spend'?");
    CHECK(c("FS.VIEWS spent") == "-NOVIEW no view 'spent'; did you mean 'spend'?");
    CHECK(c("FS.MGET spend 10001").starts_with("-LIMIT 10001 entities are asked for"));
    CHECK(c("PING") == "+PONG");
    CHECK(observer.errors == 5);
}

TEST_CASE_FIXTURE(LookupFixture,
                  "a request that breaks the protocol or the limit is refused and its connection closed") {
    options.max_request_bytes = 1000;
    TestClient c(port());
    c.send_raw("PING\r\n*1\r\n:5\r\n*1\r\n$4\r\nPING\r\n");
    CHECK(c.receive() == "+PONG");
    CHECK(c.receive() == "-ERR Protocol error: expected '$', got ':'");
    CHECK(c.receive() == "closed");
    TestClient large(port());
    large.send_raw("*2\r\n$4\r\nECHO\r\n$1000\r\n" + std::string(1000, 'x'));
    CHECK(large.receive() == "-ERR Protocol error: request larger than 1000 bytes");
    CHECK(large.receive() == "closed");
}

TEST_CASE_FIXTURE(LookupFixture, "what announces more than a request may have is refused before it comes") {
    options.max_request_bytes = 1000;
    for (const std::string request :
         {"*2\r\n$4\r\nECHO\r\n$1000000000\r\n", "*1000000000\r\n", "*1\r\n$99999999999999999999\r\n"}) {
        CAPTURE(request);
        TestClient c(port());
        c.send_raw(request);
        CHECK(c.receive().starts_with("-ERR Protocol error: "));
        CHECK(c.receive() == "closed");
    }
    TestClient endless(port());
    endless.send_raw(std::string(1001, 'x'));
    CHECK(endless.receive() == "-ERR Protocol error: too big inline request");
    CHECK(endless.receive() == "closed");
}

TEST_CASE_FIXTURE(LookupFixture, "half a request waits for its other half") {
    store("spend", "a", {{kNoon, 5}});
    record_all(kNoon);
    TestClient c(port());
    TestClient other(port());
    const std::string request =
        "*6\r\n$6\r\nFS.GET\r\n$5\r\nspend\r\n$1\r\na\r\n$8\r\nFEATURES\r\n$1\r\n1\r\n$8\r\nspent_1h\r\n";
    for (const char byte : request) {
        c.send_raw({&byte, 1});
        if (byte == '\n') CHECK(other("PING") == "+PONG");
    }
    CHECK(c.receive() == "[5]");
}

TEST_CASE_FIXTURE(LookupFixture, "a client that ends its sending is answered first") {
    store("spend", "a", {{kNoon, 5}});
    record_all(kNoon);
    TestClient c(port());
    c.send_raw("FS.GET spend a FEATURES 1 spent_1h\r\nPING\r\n");
    shutdown(c.socket(), SHUT_WR);
    CHECK(c.receive() == "[5]");
    CHECK(c.receive() == "+PONG");
    CHECK(c.receive() == "closed");
}

TEST_CASE_FIXTURE(LookupFixture, "answers come in the order of the requests, whatever they need") {
    for (int i = 0; i < 20; ++i) {
        std::vector<Payment> payments;
        for (int p = 0; p < 300; ++p) payments.push_back({kNoon - 300 * 30s + p * 30s, i});
        store("spend", "e" + std::to_string(i), payments);
    }
    record_all(kNoon);
    TestClient c(port());
    // The oldest time lies outside what a head serves, so every second of these takes two steps.
    const auto look_up = [](int i) -> std::vector<std::string> {
        const Timestamp at = i % 2 == 0 ? kNoon - 10min : kNoon - 30s;
        return {"FS.GET", "spend", "e" + std::to_string(i), "FEATURES", "1", "spent_1h", "AT", ms(at)};
    };
    std::vector<std::string> answers;
    for (int i = 0; i < 20; ++i) answers.push_back(c.ask(look_up(i)));

    std::vector<std::string> expected;
    for (int i = 0; i < 2000; ++i) {
        switch (i % 5) {
            case 0:
                c.send({"PING", std::to_string(i)});
                expected.push_back('"' + std::to_string(i) + '"');
                break;
            case 1:
                c.send({"FS.GET", "nope", "a"});
                expected.push_back("-NOVIEW no view 'nope'");
                break;
            case 2:
                c.send({"FS.MGET", "spend", "0"});
                expected.push_back("[]");
                break;
            default:
                c.send(look_up(i % 20));
                expected.push_back(answers[static_cast<std::size_t>(i % 20)]);
        }
    }
    for (const std::string& reply : expected) CHECK(c.receive() == reply);
    CHECK(observer.second_steps > 0);
}

TEST_CASE_FIXTURE(LookupFixture, "many clients of several readers are each answered what they asked") {
    options.readers = 2;
    for (int i = 0; i < 100; ++i) store("spend", "e" + std::to_string(i), {{kNoon, i}});
    record_all(kNoon);
    std::list<TestClient> clients;
    for (int i = 0; i < 100; ++i) clients.emplace_back(port());
    int number = 0;
    for (TestClient& client : clients) {
        for (int i = 0; i < 20; ++i)
            client.send_raw("FS.GET spend e" + std::to_string((number + i) % 100) + " FEATURES 1 spent_1h\r\n");
        ++number;
    }
    number = 0;
    for (TestClient& client : clients) {
        for (int i = 0; i < 20; ++i) CHECK(client.receive() == "[" + std::to_string((number + i) % 100) + "]");
        ++number;
    }
}

TEST_CASE_FIXTURE(LookupFixture, "more requests than may be pending are answered all the same") {
    options.max_pending_requests = 3;
    options.max_pending_entities = 5;
    options.max_commands = 10;
    options.max_unsent_bytes = 200;
    store("spend", "a", {{kNoon, 5}});
    record_all(kNoon);
    TestClient c(port());
    for (int i = 0; i < 500; ++i)
        c.send_raw("FS.MGET spend 4 a a a a FEATURES 1 spent_1h\r\nPING\r\nFS.VIEWS\r\n");
    for (int i = 0; i < 500; ++i) {
        CHECK(c.receive() == "[[5] [5] [5] [5]]");
        CHECK(c.receive() == "+PONG");
        CHECK(c.receive().starts_with("[\"spend\""));
    }
}

TEST_CASE_FIXTURE(LookupFixture, "of a long pipeline no more is taken at once than may be pending") {
    options.max_pending_requests = 3;
    options.redis_silence = 20s;
    store("spend", "a", {{kNoon, 5}});
    record_all(kNoon);
    TestClient other(port());
    TestClient c(port());
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h") == "[5]");
    kill(redis()->pid(), SIGSTOP);
    for (int i = 0; i < 10; ++i) c.send_raw("FS.GET spend a FEATURES 1 spent_1h\r\n");
    int asked = 0;
    const auto taken = [&] {
        const std::string info = other("INFO");
        const std::string name = "total_commands_processed:";
        return std::stoi(info.substr(info.find(name) + name.size())) - ++asked - 1;
    };
    const bool were_taken = becomes_true([&] { return taken() == 3; });
    for (int i = 0; i < 50; ++i) CHECK(taken() == 3);
    kill(redis()->pid(), SIGCONT);
    CHECK(were_taken);
    for (int i = 0; i < 10; ++i) CHECK(c.receive() == "[5]");
}

TEST_CASE_FIXTURE(LookupFixture, "a client that does not read is not read from, and gets all once it does") {
    options.max_unsent_bytes = 200'000;
    options.most_unsent_bytes = 1'000'000;  // what would close it if its answers were kept
    TestClient c(port());
    constexpr int kRequests = 500;
    const std::string argument(100'000, 'x');
    const std::string request = "*2\r\n$4\r\nECHO\r\n$100000\r\n" + argument + "\r\n";
    std::string_view left;
    int begun = 0;
    pollfd writable{c.socket(), POLLOUT, 0};
    while (::poll(&writable, 1, 50) == 1 && begun < kRequests) {
        if (left.empty()) left = request, ++begun;
        const ssize_t sent = ::send(c.socket(), left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) left.remove_prefix(static_cast<std::size_t>(sent));
    }
    CHECK(begun < kRequests);
    std::thread sending([&] { c.send_raw(left); });
    for (int i = 0; i < begun; ++i) CHECK(c.receive() == '"' + argument + '"');
    sending.join();
    CHECK(c("PING") == "+PONG");
}

TEST_CASE_FIXTURE(LookupFixture, "connections beyond the limit are refused") {
    options.max_connections = 2;
    TestClient first(port());
    CHECK(first("PING") == "+PONG");
    {
        TestClient second(port());
        CHECK(second("PING") == "+PONG");
        TestClient third(port());
        CHECK(third.receive() == "-ERR max number of clients reached");
        CHECK(third.receive() == "closed");
    }
    CHECK(becomes_true([&] { return TestClient(port())("PING") == "+PONG"; }));
}

// Asks for more than it ever reads; true when the server closes the connection.
bool is_closed_when_it_never_reads(TestClient& client) {
    const std::string argument(100'000, 'x');
    const std::string request = "*2\r\n$4\r\nECHO\r\n$100000\r\n" + argument + "\r\n";
    return becomes_true([&] {
        const ssize_t sent =
            ::send(client.socket(), request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        return sent < 0 && errno != EAGAIN;
    });
}

TEST_CASE_FIXTURE(LookupFixture, "a client that takes no answers for long is closed, others are not") {
    options.most_unsent_time = 100ms;
    TestClient other(port());
    TestClient client(port());
    CHECK(is_closed_when_it_never_reads(client));
    CHECK(other("PING") == "+PONG");
}

TEST_CASE_FIXTURE(LookupFixture, "a client that leaves too much unread is closed") {
    options.most_unsent_bytes = 150'000;
    TestClient client(port());
    CHECK(is_closed_when_it_never_reads(client));
}

TEST_CASE_FIXTURE(LookupFixture, "without Redis look-ups are unavailable, and come back with it") {
    store("spend", "a", {{kNoon, 5}});
    record_all(kNoon);
    TestClient c(port());
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h") == "[5]");
    redis()->stop();
    CHECK(becomes_true([&] { return c("FS.GET spend a").starts_with("-UNAVAILABLE redis "); }));
    CHECK(c("FS.MGET spend 2 a a").starts_with("-UNAVAILABLE redis "));
    CHECK(c("FS.EXPLAIN spend a spent_1h").starts_with("-UNAVAILABLE redis "));
    CHECK(c("PING") == "+PONG");
    CHECK(c("FS.STATUS").find("\"redis\" \"redis ") != std::string::npos);
    REQUIRE(redis()->restart());
    store("spend", "a", {{kNoon, 6}});
    record_all(kNoon);
    CHECK(becomes_true([&] { return c("FS.GET spend a FEATURES 1 spent_1h") == "[6]"; }));
    CHECK(c("FS.STATUS").find("connected to redis ") != std::string::npos);
}

TEST_CASE_FIXTURE(LookupFixture, "a Redis that hangs makes look-ups unavailable within the deadline") {
    options.redis_silence = 50ms;
    store("spend", "a", {{kNoon, 5}});
    record_all(kNoon);
    TestClient c(port());
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h") == "[5]");
    kill(redis()->pid(), SIGSTOP);
    const auto asked = std::chrono::steady_clock::now();
    const std::string reply = c("FS.GET spend a");
    const auto waited = std::chrono::steady_clock::now() - asked;
    kill(redis()->pid(), SIGCONT);
    CHECK(reply.ends_with(" did not answer within 50 ms"));
    CHECK(waited >= 50ms);
    CHECK(becomes_true([&] { return c("FS.GET spend a FEATURES 1 spent_1h") == "[5]"; }));
}

TEST_CASE_FIXTURE(LookupFixture, "a reader in which something fails closes its connections and goes on") {
    TestClient c(port());
    TestClient other(port());
    const std::string answer = c("FS.GET spend a");
    CHECK(other("FS.GET spend a") == answer);
    observer.fail_next = true;
    c.send_raw("FS.GET spend a\r\n");
    CHECK(c.receive() == "closed");
    CHECK(other.receive() == "closed");
    CHECK(observer.errors == 1);
    TestClient again(port());
    CHECK(becomes_true([&] { return again("FS.GET spend a") == answer; }));
    CHECK(again("FS.STATUS").find("\"clients\" \"1\"") != std::string::npos);
}

TEST_CASE_FIXTURE(LookupFixture, "FS.VIEWS lists the views and describes one") {
    TestClient c(port());
    CHECK(c("FS.VIEWS") == "[\"spend\" \"pairs\" \"now\" \"strict\" \"hiding\"]");
    const std::string view = c("FS.VIEWS pairs");
    CHECK(view.starts_with(
        "[\"name\" \"pairs\" \"version\" 1 \"id\" \"pairs@1\" \"source\" \"payments\" \"topic\" \"payments\" "
        "\"entity\" [\"card\" \"country\"] \"clock\" \"event\" \"retain_ms\" 600000 "));
    CHECK(view.find("[\"name\" \"spent_1h\" \"function\" \"sum\" \"field\" \"amount\" \"window_ms\" 3600000 "
                    "\"hop_ms\" 60000]") != std::string::npos);
    CHECK(view.find("owner") == std::string::npos);
    CHECK(c("FS.VIEWS strict").find("\"on_breach\" \"error\" \"owner\" \"risk\" \"features\"") !=
          std::string::npos);
}

TEST_CASE_FIXTURE(LookupFixture, "stop answers what is pending and then closes") {
    store("spend", "a", {{kNoon, 5}});
    record_all(kNoon);
    TestClient idle(port());
    TestClient c(port());
    CHECK(c("PING") == "+PONG");
    kill(redis()->pid(), SIGSTOP);
    c.send_raw("FS.GET spend a FEATURES 1 spent_1h\r\n");
    int asked = 0;
    CHECK(becomes_true([&] {
        ++asked;  // counted as well, like the PING; one more is the look-up
        return idle("INFO").find("total_commands_processed:" + std::to_string(asked + 2)) != std::string::npos;
    }));
    std::thread stopping([&] { server().stop(); });
    CHECK(idle.receive() == "closed");
    kill(redis()->pid(), SIGCONT);
    CHECK(c.receive() == "[5]");
    CHECK(c.receive() == "closed");
    stopping.join();
}

TEST_CASE_FIXTURE(LookupFixture, "stop does not wait for a client that never reads") {
    options.closing = 50ms;
    TestClient c(port());
    const std::string request = "*2\r\n$4\r\nECHO\r\n$100000\r\n" + std::string(100'000, 'x') + "\r\n";
    for (int i = 0; i < 100; ++i)
        (void)::send(c.socket(), request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    server().stop();
}

TEST_CASE_FIXTURE(LookupFixture, "an address in use is refused, for several readers too") {
    options.readers = 2;
    start();
    LookupOptions same = options;
    same.listen = {{"127.0.0.1", port()}};
    for (const int readers : {1, 2}) {
        same.readers = readers;
        LookupServer second(same, definitions, redis()->reached_by(), observer);
        const auto started = second.start();
        REQUIRE(!started);
        CHECK(started.error().message.find("(lookup.listen): Address already in use") != std::string::npos);
    }
}

}  // namespace
}  // namespace freshet::testing
