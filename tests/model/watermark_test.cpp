#include "model/watermark.hpp"

#include <doctest/doctest.h>

using namespace freshet;
using namespace std::chrono_literals;

namespace {
using Steady = Watermark::SteadyTime;
const Steady kStart{100s};
constexpr Timestamp kRedis = from_unix_ms(1'000'000);
}  // namespace

TEST_CASE("there is no watermark before an asked end is reached") {
    Watermark watermark;
    watermark.redis_time(kStart, kRedis);
    watermark.log_ended(kStart + 1s, Offset{10});
    CHECK(watermark.at(Offset{9}) == std::nullopt);
    CHECK(watermark.at(Offset{10}) == kRedis + 1s);
}

TEST_CASE("the last ask whose end was reached counts, in Redis time") {
    Watermark watermark;
    watermark.redis_time(kStart, kRedis);
    watermark.log_ended(kStart + 1s, Offset{10});
    watermark.log_ended(kStart + 2s, Offset{20});
    watermark.log_ended(kStart + 3s, Offset{30});
    CHECK(watermark.at(Offset{25}) == kRedis + 2s);
}

TEST_CASE("an idle partition's watermark follows the asks") {
    Watermark watermark;
    watermark.redis_time(kStart, kRedis);
    watermark.log_ended(kStart + 1s, Offset{10});
    watermark.log_ended(kStart + 9s, Offset{10});
    CHECK(watermark.at(Offset{10}) == kRedis + 9s);
}

TEST_CASE("a slow answer of Redis makes the watermark earlier, never later") {
    Watermark watermark;
    watermark.redis_time(kStart + 5s, kRedis);  // read by Redis up to 5 s before it arrived
    watermark.log_ended(kStart + 6s, Offset{10});
    CHECK(watermark.at(Offset{10}) == kRedis + 1s);
}
