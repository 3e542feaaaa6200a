#include "io/events/event_time.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace freshet;

namespace {

using Time = std::optional<Timestamp>;

constexpr std::int64_t kUnread = std::numeric_limits<std::int64_t>::min();

std::int64_t ms_of(Time time) { return time ? unix_ms(*time) : kUnread; }

TimePattern pattern(const std::string& text, const std::string& zone = "UTC") {
    auto made = TimePattern::make(text, zone);
    INFO((made ? "" : made.error().message));
    REQUIRE(made);
    return *made;
}

std::string refusal_of(const std::string& text, const std::string& zone = "UTC") {
    const auto made = TimePattern::make(text, zone);
    if (made) return "accepted";
    CHECK(made.error().code == Errc::invalid_argument);
    return made.error().message;
}

struct Case {
    std::string_view text;
    std::int64_t ms;
};

}  // namespace

TEST_CASE("unix seconds and milliseconds are read within the years 1 to 9999") {
    constexpr std::int64_t first = -62'135'596'800, last = 253'402'300'799;
    CHECK(ms_of(time_from_unix_seconds(std::int64_t{1'714'557'600})) == 1'714'557'600'000);
    CHECK(ms_of(time_from_unix_seconds(first)) == first * 1000);
    CHECK(ms_of(time_from_unix_seconds(last)) == last * 1000);
    CHECK_FALSE(time_from_unix_seconds(first - 1));
    CHECK_FALSE(time_from_unix_seconds(last + 1));
    CHECK_FALSE(time_from_unix_seconds(std::numeric_limits<std::int64_t>::max()));
    CHECK_FALSE(time_from_unix_seconds(std::numeric_limits<std::int64_t>::min()));
    CHECK(ms_of(time_from_unix_ms(-1)) == -1);
    CHECK(ms_of(time_from_unix_ms(last * 1000 + 999)) == last * 1000 + 999);
    CHECK_FALSE(time_from_unix_ms(last * 1000 + 1000));
    CHECK_FALSE(time_from_unix_ms(first * 1000 - 1));
}

TEST_CASE("fractions of unix seconds are rounded down to a millisecond") {
    CHECK(ms_of(time_from_unix_seconds(1714557600.25)) == 1'714'557'600'250);
    CHECK(ms_of(time_from_unix_seconds(1714557600.0019)) == 1'714'557'600'001);
    CHECK(ms_of(time_from_unix_seconds(0.9999)) == 999);
    CHECK(ms_of(time_from_unix_seconds(-0.0001)) == -1);
    CHECK(ms_of(time_from_unix_seconds(-1.5)) == -1500);
    CHECK(ms_of(time_from_unix_seconds(-1.5001)) == -1501);
    CHECK(ms_of(time_from_unix_seconds(-0.0)) == 0);
    CHECK(ms_of(time_from_unix_seconds(5e-324)) == 0);
    CHECK(ms_of(time_from_unix_seconds(-5e-324)) == -1);
    CHECK_FALSE(time_from_unix_seconds(253'402'300'800.0));
    CHECK_FALSE(time_from_unix_seconds(-62'135'596'800.001));
    CHECK_FALSE(time_from_unix_seconds(1e300));
    CHECK_FALSE(time_from_unix_seconds(std::numeric_limits<double>::infinity()));
    CHECK_FALSE(time_from_unix_seconds(std::numeric_limits<double>::quiet_NaN()));
}

TEST_CASE("a number of seconds written to the millisecond is that millisecond, whatever its double is") {
    std::mt19937_64 random(7);
    for (int i = 0; i < 20'000; ++i) {
        const std::int64_t ms = static_cast<std::int64_t>(random() % 315'000'000'000'000) - 62'000'000'000'000;
        const std::string digits = std::to_string(std::abs(ms) % 1000);
        const std::string text = (ms < 0 ? "-" : "") + std::to_string(std::abs(ms) / 1000) + "." +
                                 std::string(3 - digits.size(), '0') + digits;
        CAPTURE(text);
        REQUIRE(ms_of(time_from_unix_seconds(std::stod(text))) == ms);
    }
}

TEST_CASE("RFC 3339 times are read with their zone designator") {
    const Case cases[] = {
        {"2024-05-01T10:00:00Z", 1'714'557'600'000},
        {"2024-05-01t10:00:00z", 1'714'557'600'000},
        {"2024-05-01T10:00:00.250Z", 1'714'557'600'250},
        {"2024-05-01T10:00:00.2Z", 1'714'557'600'200},
        {"2024-05-01T10:00:00.2509999999999Z", 1'714'557'600'250},
        {"2024-05-01T12:00:00+02:00", 1'714'557'600'000},
        {"2024-05-01T00:00:00-10:00", 1'714'557'600'000},
        {"2024-05-01T15:45:00.001+05:45", 1'714'557'600'001},
        {"2024-05-01T10:00:00-00:00", 1'714'557'600'000},
        {"2024-02-29T00:00:00Z", 1'709'164'800'000},
        {"1969-12-31T23:59:59.999Z", -1},
        {"0001-01-01T00:00:00Z", -62'135'596'800'000},
        {"9999-12-31T23:59:59.999Z", 253'402'300'799'999},
    };
    for (const Case& c : cases) {
        CAPTURE(c.text);
        CHECK(ms_of(time_from_rfc3339(c.text)) == c.ms);
    }
}

TEST_CASE("what is not RFC 3339 or does not exist is not read") {
    const std::string_view texts[] = {"",
                                      "2024-05-01",
                                      "2024-05-01T10:00:00",
                                      "2024-05-01T10:00:00.Z",
                                      "2024-05-01T10:00:00,5Z",
                                      "2024-05-01 10:00:00Z",
                                      "2024-05-01T10:00:00 Z",
                                      "2024-05-01T10:00:00Z ",
                                      " 2024-05-01T10:00:00Z",
                                      "2024-05-01T10:00:00+0200",
                                      "2024-05-01T10:00:00+02",
                                      "2024-05-01T10:00:00+24:00",
                                      "2024-05-01T10:00:00+02:60",
                                      "2024-05-01T10:00:00+02:00Z",
                                      "2024-05-01T10:00Z",
                                      "2024-5-01T10:00:00ZZ",
                                      "20240501T100000Z0000",
                                      "2024-05-01T24:00:00Z",
                                      "2024-05-01T10:60:00Z",
                                      "2016-12-31T23:59:60Z",
                                      "2024-00-01T10:00:00Z",
                                      "2024-13-01T10:00:00Z",
                                      "2024-05-00T10:00:00Z",
                                      "2024-04-31T10:00:00Z",
                                      "2023-02-29T10:00:00Z",
                                      "1900-02-29T10:00:00Z",
                                      "0000-05-01T10:00:00Z",
                                      "0001-01-01T00:00:00+00:01",
                                      "9999-12-31T23:59:59-00:01",
                                      "-024-05-01T10:00:00Z",
                                      "+024-05-01T10:00:00Z",
                                      "2024-05-01T1\xD9\xA0:00:00Z"};
    for (const std::string_view text : texts) {
        CAPTURE(text);
        CHECK_FALSE(time_from_rfc3339(text));
    }
}

TEST_CASE("a pattern reads its six parts and literal characters, and nothing else") {
    const TimePattern plain = pattern("%Y-%m-%d %H:%M:%S");
    CHECK(ms_of(plain.read("2024-05-01 10:00:00")) == 1'714'557'600'000);
    CHECK(ms_of(plain.read("1969-12-31 23:59:59")) == -1000);
    CHECK(ms_of(pattern("%d.%m.%Y").read("01.05.2024")) == 1'714'521'600'000);
    CHECK(ms_of(pattern("%Y%m%dT%H").read("20240501T10")) == 1'714'557'600'000);
    CHECK(ms_of(pattern("%Y").read("1970")) == 0);
    CHECK(ms_of(pattern("at %S:%M:%H of %d/%m/%Y!").read("at 00:00:10 of 01/05/2024!")) == 1'714'557'600'000);
    CHECK(ms_of(pattern("%Y\xE5\xB9\xB4").read("1970\xE5\xB9\xB4")) == 0);
    const std::string_view unread[] = {
        "",
        "2024-05-01 10:00:0",
        "2024-05-01 10:00:000",
        "2024-05-01 10:00:00 ",
        "2024-05-01T10:00:00",
        "2024-05-01 10:00: 0",
        "2024-05-01 10:00:+0",
        "2024-13-01 10:00:00",
        "2024-02-30 10:00:00",
        "2024-05-01 24:00:00",
        "2024-05-01 10:00:60",
        "0000-05-01 10:00:00",
        std::string_view("\0\0\0\0-\0\0-\0\0 \0\0:\0\0:\0\0", 19),
    };
    for (const std::string_view text : unread) {
        CAPTURE(text);
        CHECK_FALSE(plain.read(text));
    }
}

TEST_CASE("a pattern is read in its zone, clock changes included") {
    const TimePattern berlin = pattern("%Y-%m-%d %H:%M:%S", "Europe/Berlin");
    const TimePattern new_york = pattern("%Y-%m-%d %H:%M:%S", "America/New_York");
    CHECK(ms_of(berlin.read("2024-05-01 12:00:00")) == 1'714'557'600'000);
    CHECK(ms_of(new_york.read("2024-05-01 06:00:00")) == 1'714'557'600'000);
    CHECK(ms_of(berlin.read("2024-01-01 01:00:00")) == 1'704'067'200'000);
    CHECK(ms_of(pattern("%Y", "Asia/Kathmandu").read("2024")) == 1'704'067'200'000 - 20'700'000);
    // 02:30 occurs twice: the first is summer time.
    CHECK(ms_of(berlin.read("2024-10-27 02:30:00")) == 1'729'989'000'000);
    // 02:30 is left out: read as winter time.
    CHECK(ms_of(berlin.read("2024-03-31 02:30:00")) == 1'711'848'600'000);
    CHECK_FALSE(pattern("%Y", "Europe/Berlin").read("0001"));
    CHECK_FALSE(new_york.read("9999-12-31 23:59:59"));
}

TEST_CASE("a bad pattern or zone is refused with the mend") {
    CHECK(refusal_of("%Y-%q") == "time pattern '%Y-%q' may only have %Y %m %d %H %M %S");
    CHECK(refusal_of("%Y-%") == "time pattern '%Y-%' may only have %Y %m %d %H %M %S");
    CHECK(refusal_of("%Y-%m %Y") == "time pattern '%Y-%m %Y' has %Y twice");
    CHECK(refusal_of("%H:%M") == "time pattern '%H:%M' has no year (%Y)");
    CHECK(refusal_of("") == "time pattern '' has no year (%Y)");
    for (const std::string zone : {"", "Europe/Atlantis", "localtime", "/etc/localtime", "../zoneinfo/UTC",
                                   "file:/etc/localtime", "Europe"}) {
        CAPTURE(zone);
        CHECK(refusal_of("%Y", zone) == "unknown time zone '" + zone + "': an IANA name such as Europe/Berlin");
    }
    CHECK(refusal_of("%Y", "Etc/UTC") == "accepted");
    CHECK(refusal_of("%Y", "Etc/GMT+5") == "accepted");
}

TEST_CASE("a time that was read is the time that was written") {
    const TimePattern plain = pattern("%Y-%m-%dT%H:%M:%SZ");
    std::mt19937_64 random(11);
    for (int i = 0; i < 20'000; ++i) {
        const absl::Time time =
            absl::FromUnixSeconds(static_cast<std::int64_t>(random() % 315'537'897'600) - 62'135'596'800);
        const std::string text = absl::FormatTime("%E4Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
        CAPTURE(text);
        REQUIRE(ms_of(plain.read(text)) == absl::ToUnixMillis(time));
        REQUIRE(ms_of(time_from_rfc3339(text)) == absl::ToUnixMillis(time));
    }
}

TEST_CASE("no mutation of a time reads out of bounds or outside the years") {
    const TimePattern plain = pattern("%Y-%m-%d %H:%M:%S", "Europe/Berlin");
    const std::string seeds[] = {"2024-05-01T12:00:00.250+02:00", "2024-05-01 12:00:00",
                                 "9999-12-31T23:59:59Z"};
    std::mt19937 random(3);
    for (int i = 0; i < 60'000; ++i) {
        std::string text = seeds[random() % 3];
        for (unsigned n = random() % 4; n > 0; --n)
            text[random() % text.size()] = "0123456789-+:.TZ "[random() % 17];
        text.resize(random() % 3 == 0 ? random() % text.size() : text.size());
        const std::vector<char> exact(text.begin(), text.end());
        for (const Time time :
             {plain.read({exact.data(), exact.size()}), time_from_rfc3339({exact.data(), exact.size()})}) {
            if (time) REQUIRE(time_from_unix_ms(unix_ms(*time)));
        }
    }
}
