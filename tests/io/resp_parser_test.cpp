#include "io/redis/resp_parser.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>

namespace freshet {
namespace {

using Request = std::vector<std::string>;
using Outcome = RespParser::Outcome;

// Feeds `stream` in pieces that end at `cuts`; "!" and the error end the list when the stream is refused.
std::vector<Request> read_all(std::string_view stream, const std::vector<std::size_t>& cuts,
                              RespLimits limits = {}) {
    RespParser parser(limits);
    std::vector<Request> requests;
    std::size_t from = 0;
    const auto feed = [&](std::size_t to) {
        while (from < to) {
            const auto room = parser.room();
            const std::size_t count = std::min(room.size(), to - from);
            std::memcpy(room.data(), stream.data() + from, count);
            parser.filled(count);
            from += count;
            for (;;) {
                const Outcome outcome = parser.next();
                if (outcome == Outcome::need_more) break;
                if (outcome == Outcome::broken) {
                    requests.push_back({"!", parser.error()});
                    return false;
                }
                requests.emplace_back(parser.arguments().begin(), parser.arguments().end());
            }
        }
        return true;
    };
    for (const std::size_t cut : cuts)
        if (!feed(std::min(cut, stream.size()))) return requests;
    feed(stream.size());
    return requests;
}

std::vector<Request> read(std::string_view stream, RespLimits limits = {}) {
    return read_all(stream, {}, limits);
}

std::string encoded(const Request& request) {
    std::string out = "*" + std::to_string(request.size()) + "\r\n";
    for (const std::string& argument : request)
        out += "$" + std::to_string(argument.size()) + "\r\n" + argument + "\r\n";
    return out;
}

std::string refusal(std::string_view stream, RespLimits limits = {}) {
    const auto requests = read(stream, limits);
    REQUIRE(!requests.empty());
    REQUIRE(requests.back().front() == "!");
    return requests.back()[1];
}

TEST_CASE("arrays of bulk strings are requests, and bytes of any kind are arguments") {
    const Request binary{"FS.GET", std::string("\0\r\n\"}", 5), ""};
    CHECK(read(encoded({"PING"}) + encoded(binary)) == std::vector<Request>{{"PING"}, binary});
}

TEST_CASE("empty arrays and empty lines are no requests") {
    CHECK(read("*0\r\n\r\n\n*-1\r\n" + encoded({"PING"})) == std::vector<Request>{{"PING"}});
}

TEST_CASE("inline commands are words, with quotes and escapes as redis-cli has them") {
    CHECK(read("PING\r\nfs.get  view\ta\n") == std::vector<Request>{{"PING"}, {"fs.get", "view", "a"}});
    CHECK(read("ECHO \"a b\\n\\x41\\\"\" 'it\\'s \\n'\n") ==
          std::vector<Request>{{"ECHO", "a b\nA\"", "it's \\n"}});
    CHECK(read("ECHO \"\" ''\n") == std::vector<Request>{{"ECHO", "", ""}});
    CHECK(refusal("ECHO \"a\n") == "Protocol error: unbalanced quotes in request");
    CHECK(refusal("ECHO \"a\"b\n") == "Protocol error: unbalanced quotes in request");
}

TEST_CASE("a stream cut anywhere gives the same requests") {
    std::mt19937 random(7);
    std::string stream;
    std::vector<Request> expected;
    for (int i = 0; i < 60; ++i) {
        if (random() % 4 == 0) {
            stream += "PING \"x\\x0ay\" 'z'\r\n";
            expected.push_back({"PING", "x\ny", "z"});
            continue;
        }
        Request& request = expected.emplace_back();
        for (std::size_t n = 1 + random() % 5; n > 0; --n) {
            std::string argument(random() % (i % 10 == 0 ? 40'000 : 12), '\0');
            for (char& c : argument) c = static_cast<char>(random());
            request.push_back(argument);
        }
        stream += encoded(request);
    }
    CHECK(read(stream) == expected);
    for (int round = 0; round < 200; ++round) {
        std::vector<std::size_t> cuts(random() % 200);
        for (std::size_t& cut : cuts) cut = random() % stream.size();
        std::sort(cuts.begin(), cuts.end());
        CHECK(read_all(stream, cuts) == expected);
    }
    const std::string small = encoded({"FS.GET", "view", "a\r\nb"}) + "PING 'x y'\r\n" + encoded({"PING"});
    std::vector<std::size_t> each(small.size());
    for (std::size_t i = 0; i < each.size(); ++i) each[i] = i;
    CHECK(read_all(small, each) == read(small));
}

TEST_CASE("a broken stream is refused at the same place however it is cut") {
    const std::string good = encoded({"PING"});
    for (const std::string_view bad :
         {"*x\r\n", "*1\r\n:5\r\n", "*1\r\n$-1\r\n", "*1\r\n$3\r\nabcd\r\n", "*1\n$4\nPING\n",
          "*99999999999999999999\r\n", "*1\r\n$99999999999999999999\r\n"}) {
        const std::string stream = good + std::string(bad) + good;
        const auto whole = read(stream);
        CHECK(whole.size() == 2);
        CHECK(whole.back().front() == "!");
        std::vector<std::size_t> each(stream.size());
        for (std::size_t i = 0; i < each.size(); ++i) each[i] = i;
        CHECK(read_all(stream, each) == whole);
    }
}

TEST_CASE("a length line that is a byte too long is refused however it is cut") {
    for (std::size_t digits = 28; digits < 40; ++digits) {
        const std::string stream = "*" + std::string(digits, '0') + "1\r";
        CAPTURE(digits);
        std::vector<std::size_t> every_byte;
        for (std::size_t i = 1; i < stream.size(); ++i) every_byte.push_back(i);
        CHECK(read_all(stream, {}) == read_all(stream, every_byte));
    }
}

TEST_CASE("hostile lengths are refused before memory follows them") {
    const RespLimits limits{1000, 10};
    CHECK(refusal("*11\r\n", limits) == "Protocol error: invalid multibulk length");
    CHECK(refusal("*1\r\n$1001\r\n", limits) == "Protocol error: request larger than 1000 bytes");
    CHECK(refusal("*1\r\n$2147483648\r\n", limits) == "Protocol error: request larger than 1000 bytes");
    CHECK(refusal("*3\r\n$600\r\n" + std::string(600, 'a') + "\r\n$600\r\n", limits) ==
          "Protocol error: request larger than 1000 bytes");
    CHECK(refusal("*" + std::string(100, '1'), limits) == "Protocol error: invalid multibulk length");
    CHECK(refusal("*1\r\n$" + std::string(100, '1'), limits) == "Protocol error: invalid bulk length");
    CHECK(refusal(std::string(1001, 'a'), limits) == "Protocol error: too big inline request");
    CHECK(read("*1048576\r\n").empty());
}

TEST_CASE("a refused stream stays refused") {
    RespParser parser({});
    const auto room = parser.room();
    std::memcpy(room.data(), "*x\r\n*1\r\n$4\r\nPING\r\n", 19);
    parser.filled(19);
    CHECK(parser.next() == Outcome::broken);
    CHECK(parser.next() == Outcome::broken);
}

}  // namespace
}  // namespace freshet
