#include "io/redis/sentinel_watch.hpp"

#include <doctest/doctest.h>

namespace freshet {
namespace {

SentinelWord word(std::uint16_t port, std::uint64_t epoch) { return {{"a", port}, epoch}; }

std::uint16_t counted(const std::vector<SentinelWord>& words, std::uint64_t heard) {
    const SentinelWord* const counts = word_that_counts(words, 3, heard);
    return counts ? counts->primary.port : 0;
}

TEST_CASE("of what sentinels say the latest fail-over counts") {
    CHECK(counted({word(1, 4)}, 0) == 1);
    CHECK(counted({word(1, 4), word(2, 5), word(1, 4)}, 4) == 2);
    CHECK(counted({word(2, 5)}, 4) == 2);
    CHECK(counted({word(1, 0), word(1, 0)}, 0) == 1);
}

TEST_CASE("a sentinel that was cut off does not lead back") {
    CHECK(counted({word(1, 4)}, 5) == 0);
    CHECK(counted({word(1, 4), word(2, 5)}, 5) == 2);
    CHECK(counted({}, 0) == 0);
}

TEST_CASE("sentinels that begin anew are believed when most of them say so") {
    CHECK(counted({word(1, 0), word(1, 0)}, 5) == 1);
}

TEST_CASE("a sentinel that does not answer is unavailable, and named") {
    RedisConfig config;
    config.sentinel = {{{"127.0.0.1", 1}}, "m", "", ""};
    const auto none = SentinelWatch::open(config);
    REQUIRE_FALSE(none);
    CHECK(none.error().code == Errc::unavailable);
    CHECK(none.error().message == "redis 127.0.0.1:1: connection refused");
}

}  // namespace
}  // namespace freshet
