#include "io/redis/resp_writer.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>

namespace freshet {
namespace {

std::string written(auto&& write, Resp version = Resp::v2) {
    std::string out;
    RespWriter writer(out, version);
    write(writer);
    return out;
}

TEST_CASE("every kind of reply is written as RESP2 has it") {
    CHECK(written([](RespWriter& w) { w.array(2); }) == "*2\r\n");
    CHECK(written([](RespWriter& w) { w.bulk(std::string_view("a\0b", 3)); }) ==
          std::string("$3\r\na\0b\r\n", 9));
    CHECK(written([](RespWriter& w) { w.bulk(""); }) == "$0\r\n\r\n");
    CHECK(written([](RespWriter& w) { w.bulk(std::string(5000, 'x')); }) ==
          "$5000\r\n" + std::string(5000, 'x') + "\r\n");
    CHECK(written([](RespWriter& w) { w.integer(std::numeric_limits<std::int64_t>::min()); }) ==
          ":-9223372036854775808\r\n");
    CHECK(written([](RespWriter& w) { w.null(); }) == "$-1\r\n");
    CHECK(written([](RespWriter& w) { w.status("OK"); }) == "+OK\r\n");
    CHECK(written([](RespWriter& w) { w.floating(2); }) == "$3\r\n2.0\r\n");
    CHECK(written([](RespWriter& w) { w.boolean(true); }) == ":1\r\n");
    CHECK(written([](RespWriter& w) { w.pairs(2); }) == "*4\r\n");
}

TEST_CASE("RESP3 has nulls, doubles, booleans and maps of its own") {
    const auto written3 = [](auto&& write) { return written(write, Resp::v3); };
    CHECK(written3([](RespWriter& w) { w.null(); }) == "_\r\n");
    CHECK(written3([](RespWriter& w) { w.floating(-0.5); }) == ",-0.5\r\n");
    CHECK(written3([](RespWriter& w) { w.floating(1e300); }) == ",1e+300\r\n");
    CHECK(written3([](RespWriter& w) { w.boolean(true); }) == "#t\r\n");
    CHECK(written3([](RespWriter& w) { w.boolean(false); }) == "#f\r\n");
    CHECK(written3([](RespWriter& w) { w.pairs(2); }) == "%2\r\n");
    CHECK(written3([](RespWriter& w) { w.integer(5); }) == ":5\r\n");
}

TEST_CASE("an error stays one line whatever is in it") {
    CHECK(written([](RespWriter& w) { w.error("ERR", "no\r\nsuch\tthing"); }) == "-ERR no??such?thing\r\n");
}

TEST_CASE("a double always carries a point or an exponent") {
    CHECK(float_text(0.0) == "0.0");
    CHECK(float_text(-0.0) == "-0.0");
    CHECK(float_text(100) == "100.0");
    CHECK(float_text(0.1) == "0.1");
    CHECK(float_text(1e300) == "1e+300");
    CHECK(float_text(5e-324) == "5e-324");
}

TEST_CASE("a double is read back as it was") {
    std::mt19937_64 random(3);
    for (int i = 0; i < 20'000; ++i) {
        const double number = std::bit_cast<double>(random());
        if (!std::isfinite(number)) continue;
        const std::string text = float_text(number);
        double back = 0;
        std::from_chars(text.data(), text.data() + text.size(), back);
        CHECK(std::bit_cast<std::uint64_t>(back) == std::bit_cast<std::uint64_t>(number));
        CHECK(text.find_first_of(".e") != std::string::npos);
    }
}

TEST_CASE("an amount in hundredths has the digits that any shortest form has") {
    std::mt19937_64 random(4);
    for (int i = 0; i < 20'000; ++i) {
        const auto cents = static_cast<std::int64_t>(random() % 2'000'000'000'000'000) >> random() % 50;
        const double number = static_cast<double>(random() % 2 == 0 ? cents : -cents) / 100;
        char shortest[64];
        const auto end =
            std::to_chars(shortest, shortest + sizeof shortest, number, std::chars_format::fixed).ptr;
        std::string expected(shortest, end);
        if (expected.find('.') == std::string::npos) expected += ".0";
        CHECK(float_text(number) == expected);
        const std::string size = std::to_string(expected.size());
        CHECK(written([&](RespWriter& w) { w.floating(number); }) == "$" + size + "\r\n" + expected + "\r\n");
    }
}

TEST_CASE("what a client sent is shown printable and short") {
    CHECK(shown(std::string_view("a\0\n\xff", 4)) == "a???");
    CHECK(shown(std::string(100, 'x')) == std::string(64, 'x') + "...");
}

}  // namespace
}  // namespace freshet
