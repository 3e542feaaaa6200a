#include "io/redis/redis_replies.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

namespace freshet {
namespace {

std::string text_of(const RedisAnswer& answer) {
    switch (answer.kind) {
        case RedisAnswer::Kind::nil:
            return "nil";
        case RedisAnswer::Kind::string:
            return "\"" + std::string(answer.text) + "\"";
        case RedisAnswer::Kind::status:
            return "+" + std::string(answer.text);
        case RedisAnswer::Kind::error:
            return "-" + std::string(answer.text);
        case RedisAnswer::Kind::integer:
            return std::to_string(answer.integer);
        case RedisAnswer::Kind::array:
            break;
    }
    std::string text = "[";
    for (const RedisAnswer& element : answer.elements) text += text_of(element) + ",";
    return text + "]";
}

template <class Handle>
Result<void> take(RedisReplies& replies, std::string_view bytes, Handle handle) {
    while (!bytes.empty()) {
        const std::span<char> room = replies.room();
        REQUIRE(!room.empty());
        const std::size_t size = std::min(room.size(), bytes.size());
        bytes.copy(room.data(), size);
        bytes.remove_prefix(size);
        if (auto taken = replies.received(size, handle); !taken) return taken;
    }
    return {};
}

const std::string kStream =
    "+PONG\r\n*3\r\n$2\r\nab\r\n*2\r\n:5\r\n$-1\r\n*0\r\n-ERR no\r\n$0\r\n\r\n*-1\r\n:-7\r\n";
const std::string kReplies = "+PONG[\"ab\",[5,nil,],[],]-ERR no\"\"nil-7";

TEST_CASE("replies of every kind are read") {
    RedisReplies replies;
    std::string seen;
    CHECK(take(replies, kStream, [&](const RedisAnswer& answer) {
        seen += text_of(answer);
        return true;
    }));
    CHECK(seen == kReplies);
}

TEST_CASE("replies cut anywhere are the same replies") {
    for (std::size_t cut = 0; cut <= kStream.size(); ++cut) {
        RedisReplies replies;
        std::string seen;
        const auto see = [&](const RedisAnswer& answer) {
            seen += text_of(answer);
            return true;
        };
        CHECK(take(replies, std::string_view(kStream).substr(0, cut), see));
        CHECK(take(replies, std::string_view(kStream).substr(cut), see));
        CHECK(seen == kReplies);
    }
}

TEST_CASE("large replies and many replies pass through the same memory") {
    std::mt19937 random(5);
    RedisReplies replies;
    for (int round = 0; round < 30; ++round) {
        std::string stream, expected, seen;
        for (int i = 0; i < 50; ++i) {
            const std::string value(random() % (i == 7 ? 300'000 : 200), static_cast<char>('a' + i % 26));
            stream += "*2\r\n$" + std::to_string(value.size()) + "\r\n" + value + "\r\n:1\r\n";
            expected += "[\"" + value + "\",1,]";
        }
        CHECK(take(replies, stream, [&](const RedisAnswer& answer) {
            seen += text_of(answer);
            return true;
        }));
        CHECK(seen == expected);
    }
}

TEST_CASE("a reply byte by byte is the same reply") {
    RedisReplies replies;
    std::string seen;
    for (const char byte : kStream) {
        CHECK(take(replies, {&byte, 1}, [&](const RedisAnswer& answer) {
            seen += text_of(answer);
            return true;
        }));
    }
    CHECK(seen == kReplies);
}

TEST_CASE("bytes that are no reply are an error, and reset() begins anew") {
    const auto see = [](const RedisAnswer&) { return true; };
    for (const std::string_view bytes :
         {"HTTP/1.1 200 OK\r\n", "$x\r\n", "$-2\r\n", "$3\r\nabcde", "*-2\r\n", ":12a\r\n", ":\r\n", "+OK\n",
          "$536870913\r\n", "$99999999999999999999\r\n", "$1 \r\n",
          "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"}) {
        CAPTURE(bytes);
        RedisReplies replies;
        CHECK(!take(replies, bytes, see));
        replies.reset();
        CHECK(take(replies, "+OK\r\n", see));
    }
}

TEST_CASE("an array that claims more elements than have arrived takes no memory for them") {
    RedisReplies replies;
    CHECK(take(replies, "*500000000\r\n", [](const RedisAnswer&) { return true; }));
}

TEST_CASE("a handler may stop the reading") {
    RedisReplies replies;
    int seen = 0;
    CHECK(take(replies, kStream, [&](const RedisAnswer&) { return ++seen < 2; }));
    CHECK(seen == 2);
}

}  // namespace
}  // namespace freshet
