#include "model/frontier.hpp"

#include <doctest/doctest.h>

using namespace freshet;

namespace {
constexpr Offset off(std::int64_t n) { return Offset{n}; }
Timestamp at_ms(std::int64_t ms) { return from_unix_ms(ms); }
}  // namespace

TEST_CASE("nothing is safe before every aggregator has flushed") {
    Frontier frontier(off(0), 2);
    frontier.shipped(off(10), at_ms(100));
    frontier.flushed(0, off(10));
    CHECK(frontier.safe().next == off(0));
    frontier.flushed(1, off(10));
    CHECK(frontier.safe().next == off(10));
    CHECK(frontier.safe().clock == at_ms(100));
}

TEST_CASE("only the end of a batch is safe, since the clock is known there") {
    Frontier frontier(off(0), 1);
    frontier.shipped(off(10), at_ms(100));
    frontier.shipped(off(20), at_ms(200));
    frontier.flushed(0, off(15));
    CHECK(frontier.safe().next == off(10));
    CHECK(frontier.safe().clock == at_ms(100));
}

TEST_CASE("an unacked dead letter holds the frontier back") {
    Frontier frontier(off(0), 1);
    frontier.dead_letter_sent(off(3));
    frontier.dead_letter_sent(off(3));
    frontier.shipped(off(10), at_ms(100));
    frontier.flushed(0, off(10));
    CHECK(frontier.safe().next == off(0));
    frontier.dead_letter_acked(off(3));
    CHECK(frontier.safe().next == off(0));
    frontier.dead_letter_acked(off(3));
    CHECK(frontier.safe().next == off(10));
}

TEST_CASE("a late report of an aggregator does not move the frontier back") {
    Frontier frontier(off(0), 1);
    frontier.shipped(off(10), at_ms(100));
    frontier.flushed(0, off(10));
    frontier.flushed(0, off(5));
    frontier.shipped(off(12), at_ms(100));
    CHECK(frontier.safe().next == off(10));
}
