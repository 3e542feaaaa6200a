#include "io/events/event_decoder.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <variant>
#include <vector>

using namespace freshet;
using namespace std::string_literals;

namespace {

using Format = TimeSpec::Format;

constexpr Timestamp kKafkaTime = from_unix_ms(1'714'557'600'000);

Source source_of(std::vector<FieldDef> fields, TimeSpec time = {}) {
    Source source;
    source.fields = std::move(fields);
    source.time = std::move(time);
    return source;
}

// One int, one float, one string, one bool and a nested string, all at Kafka's time.
Source plain_source() {
    return source_of({{"delay", {"delay"}, FieldType::int64},
                      {"fare", {"fare"}, FieldType::float64},
                      {"carrier", {"carrier"}, FieldType::string},
                      {"late", {"late"}, FieldType::boolean},
                      {"city", {"to", "city"}, FieldType::string}});
}

// A decoder with what it writes to.
struct Fixture {
    explicit Fixture(const Source& source) : decoder(source) {}

    std::optional<DeadLetter> decode(std::string_view payload) {
        values.clear();
        // A copy of exactly this size, so that a read past the end is seen by the sanitizer.
        const std::vector<char> exact(payload.begin(), payload.end());
        return decoder.decode({exact.data(), exact.size()}, kKafkaTime, arena, values, time);
    }

    std::vector<Value> values_of(std::string_view payload) {
        const auto letter = decode(payload);
        INFO(payload);
        INFO((letter ? letter->message : ""));
        REQUIRE_FALSE(letter);
        return values;
    }

    // "reason: message"
    std::string letter_of(std::string_view payload) {
        const auto letter = decode(payload);
        CHECK(values.empty() == letter.has_value());
        return letter ? std::string(name_of(letter->reason)) + ": " + letter->message : "accepted";
    }

    EventDecoder decoder;
    StringArena arena;
    std::vector<Value> values;
    Timestamp time{};
};

std::string text_of(const Value& value) {
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
    if (const auto* text = std::get_if<std::string_view>(&value)) return "'" + std::string(*text) + "'";
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    if (const auto* number = std::get_if<double>(&value)) return "~" + std::to_string(*number);
    return "null";
}

std::string text_of(const std::vector<Value>& values) {
    std::string out;
    for (const Value& value : values) out += (out.empty() ? "" : " ") + text_of(value);
    return out;
}

}  // namespace

TEST_CASE("declared fields are read in the order of their declaration and missing ones are null") {
    struct Case {
        std::string payload;
        std::string values;
    };
    const Case cases[] = {
        {R"({"delay":7,"fare":2.5,"carrier":"LH","late":true,"to":{"city":"Rome"}})",
         "7 ~2.500000 'LH' true 'Rome'"},
        {R"({"to":{"city":"Rome"},"late":false,"carrier":"","fare":3,"delay":-7})",
         "-7 ~3.000000 '' false 'Rome'"},
        {"{}", "null null null null null"},
        {" \n\t{ \"delay\" : 1 } \r\n", "1 null null null null"},
        {R"({"delay":null,"fare":null,"carrier":null,"late":null,"to":null})", "null null null null null"},
        {R"({"other":1,"dela":2,"delays":3,"Delay":4,"":5})", "null null null null null"},
        {R"({"x":{"delay":1,"city":"no"},"city":"no","to":{"x":{"city":"no"}}})", "null null null null null"},
        {R"({"to":[{"city":"no"}]})", "null null null null null"},
        {R"({"to":"Rome","late":true})", "null null null true null"},
        {R"({"to.city":"no"})", "null null null null null"},
        {R"({"carrier":"a\"\\\n\u00e9\ud83d\ude00\u0000z"})",
         "null null 'a\"\\\n\xC3\xA9\xF0\x9F\x98\x80\0z' null null"s},
        {R"({"d\u0065lay":5})", "5 null null null null"},
        {R"({"delay":9223372036854775807,"fare":18446744073709551615})",
         "9223372036854775807 ~18446744073709551616.000000 null null null"},
        {R"({"delay":-9223372036854775808,"fare":-0.0})", "-9223372036854775808 ~-0.000000 null null null"},
        {R"({"delay":-0,"fare":1e2})", "0 ~100.000000 null null null"},
    };
    Fixture fixture(plain_source());
    for (const Case& c : cases) CHECK(text_of(fixture.values_of(c.payload)) == c.values);
}

TEST_CASE("the last of duplicate keys counts, whatever the others are") {
    struct Case {
        std::string payload;
        std::string values;
    };
    const Case cases[] = {
        {R"({"delay":1,"delay":2})", "2 null null null null"},
        {R"({"delay":"x","delay":2})", "2 null null null null"},
        {R"({"delay":1,"delay":null})", "null null null null null"},
        {R"({"to":{"city":"a","city":"b"}})", "null null null null 'b'"},
        {R"({"to":{"city":"a"},"to":{"city":"b"}})", "null null null null 'b'"},
        {R"({"to":{"city":"a"},"to":{}})", "null null null null null"},
        {R"({"to":{"city":"a"},"to":3})", "null null null null null"},
        {R"({"to":{"city":7},"to":{"city":"b"}})", "null null null null 'b'"},
    };
    Fixture fixture(plain_source());
    for (const Case& c : cases) CHECK(text_of(fixture.values_of(c.payload)) == c.values);
    CHECK(fixture.letter_of(R"({"delay":1,"delay":"x"})") ==
          "wrong_type: field 'delay': expected int, found string");
}

TEST_CASE("paths may share steps, end inside each other and be declared twice") {
    Fixture fixture(source_of({{"deep", {"a", "b", "c"}, FieldType::int64},
                               {"flag", {"a", "ok"}, FieldType::boolean},
                               {"again", {"a", "b", "c"}, FieldType::float64},
                               {"other", {"b", "c"}, FieldType::int64},
                               {"dotted", {"a.b"}, FieldType::int64},
                               {"whole", {"a"}, FieldType::string}}));
    CHECK(
        text_of(fixture.values_of(
            R"({"a":{"b":{"c":1},"ok":true,"c":9},"b":{"c":2},"c":3,"a.b":4,"a":{"b":{"c":5}},"a":{"b":{"c":1},"ok":true},"a":"x"})")) ==
        "null null null 2 4 'x'");
    CHECK(fixture.letter_of(R"({"a":{"b":{"c":1}}})") ==
          "wrong_type: field 'whole': expected string, found object");
    CHECK(text_of(fixture.values_of(R"({"b":{"c":2,"b":{"c":3}}})")) == "null null null 2 null null");
}

TEST_CASE("many fields are told apart by their whole names") {
    std::vector<FieldDef> fields;
    std::string payload = "{";
    for (int i = 0; i < 300; ++i) {
        // Alike in length, in the first eight and in the last eight bytes.
        const std::string name = "a_common_start_" + std::to_string(1000 + i) + "_and_a_common_end";
        fields.push_back({name, {name}, FieldType::int64});
        payload += "\"" + name + "\":" + std::to_string(i) + ",\"x" + name + "\":-1,";
    }
    payload.back() = '}';
    Fixture fixture(source_of(fields));
    const std::vector<Value> values = fixture.values_of(payload);
    REQUIRE(values.size() == 300);
    for (int i = 0; i < 300; ++i) CHECK(values[static_cast<std::size_t>(i)] == Value(std::int64_t{i}));
}

TEST_CASE("a value of another type is a dead letter that names the field") {
    struct Case {
        std::string payload;
        std::string letter;
    };
    const Case cases[] = {
        {R"({"delay":"7"})", "wrong_type: field 'delay': expected int, found string"},
        {R"({"delay":1.0})", "wrong_type: field 'delay': expected int, found float"},
        {R"({"delay":1e2})", "wrong_type: field 'delay': expected int, found float"},
        {R"({"delay":true})", "wrong_type: field 'delay': expected int, found bool"},
        {R"({"delay":{}})", "wrong_type: field 'delay': expected int, found object"},
        {R"({"delay":[7]})", "wrong_type: field 'delay': expected int, found array"},
        {R"({"fare":"2.5"})", "wrong_type: field 'fare': expected float, found string"},
        {R"({"fare":false})", "wrong_type: field 'fare': expected float, found bool"},
        {R"({"fare":[]})", "wrong_type: field 'fare': expected float, found array"},
        {R"({"carrier":7})", "wrong_type: field 'carrier': expected string, found int"},
        {R"({"carrier":18446744073709551615})", "wrong_type: field 'carrier': expected string, found int"},
        {R"({"carrier":{}})", "wrong_type: field 'carrier': expected string, found object"},
        {R"({"late":0})", "wrong_type: field 'late': expected bool, found int"},
        {R"({"late":"true"})", "wrong_type: field 'late': expected bool, found string"},
        {R"({"delay":1,"to":{"city":1.5}})", "wrong_type: field 'city': expected string, found float"},
        {R"({"delay":9223372036854775808})",
         "overflow: field 'delay': 9223372036854775808 does not fit an int (64 bits, signed)"},
        {R"({"delay":18446744073709551615})",
         "overflow: field 'delay': 18446744073709551615 does not fit an int (64 bits, signed)"},
    };
    Fixture fixture(plain_source());
    for (const Case& c : cases) CHECK(fixture.letter_of(c.payload) == c.letter);
}

TEST_CASE("what is not one JSON object to its last byte is malformed") {
    struct Case {
        std::string payload;
        std::string message;
    };
    const std::string deep = "{\"x\":" + std::string(5000, '[') + std::string(5000, ']') + "}";
    const Case cases[] = {
        {"", "empty"},
        {" \n", "empty"},
        {"[]", "expected object, found array"},
        {"7", "expected object, found int"},
        {"null", "expected object, found null"},
        {"\"x\"", "expected object, found string"},
        {"{", ""},
        {"{}}", ""},
        {"{}{}", ""},
        {"{} x", ""},
        {"{}\0"s, ""},
        {"{\"delay\":1,}", ""},
        {"{\"delay\" 1}", ""},
        {"{delay:1}", ""},
        {"{'delay':1}", ""},
        {"{\"x\":tru}", ""},
        {"{\"x\":[1,,2]}", ""},
        {"{\"x\":nan}", ""},
        {"{\"x\":NaN}", ""},
        {"{\"x\":Infinity}", ""},
        {"{\"x\":-}", ""},
        {"{\"x\":01}", "a number is misspelt or out of range"},
        {"{\"x\":1.}", "a number is misspelt or out of range"},
        {"{\"x\":.5}", ""},
        {"{\"x\":+1}", ""},
        {"{\"x\":0x10}", ""},
        {"{\"x\":18446744073709551616}", "a number is misspelt or out of range"},
        {"{\"x\":-9223372036854775809}", "a number is misspelt or out of range"},
        {"{\"x\":1e400}", "a number is misspelt or out of range"},
        {"{\"x\":\"\xFF\"}", "not valid UTF-8"},
        {"{\"x\":\"\xC0\x80\"}", "not valid UTF-8"},
        {"{\"x\":\"\xED\xA0\x80\"}", "not valid UTF-8"},
        {"{\"\xC3\":1}", "not valid UTF-8"},
        {"{\"x\":\"\\q\"}", "a string has a bad escape"},
        {"{\"x\":\"\\ud800\"}", "a string has a bad escape"},
        {"{\"x\":\"a\nb\"}", "a string has a control character that is not escaped"},
        {"{\"x\":\"", "a string has no end"},
        {"\xEF\xBB\xBF{}", ""},
        {deep, "nested too deep"},
    };
    Fixture fixture(plain_source());
    for (const Case& c : cases) {
        CAPTURE(c.payload.substr(0, 40));
        const std::string letter = fixture.letter_of(c.payload);
        CHECK(letter.starts_with("malformed: "));
        if (!c.message.empty()) CHECK(letter == "malformed: " + c.message);
    }
    CHECK(text_of(fixture.values_of("{\"x\":1e-400}")) == "null null null null null");  // a finite double: 0
}

TEST_CASE("a time field is read in its format") {
    struct Case {
        TimeSpec spec;
        std::string payload;
        std::int64_t ms;
    };
    const TimeSpec unix_seconds{Format::unix_seconds, {"ts"}, "", "UTC"};
    const TimeSpec unix_ms_spec{Format::unix_ms, {"ts"}, "", "UTC"};
    const TimeSpec iso{Format::iso8601, {"meta", "at"}, "", "UTC"};
    const TimeSpec pattern{Format::pattern, {"ts"}, "%d.%m.%Y %H:%M", "Europe/Berlin"};
    const Case cases[] = {
        {{}, "{}", 1'714'557'600'000},
        {unix_seconds, R"({"ts":1700000000})", 1'700'000'000'000},
        {unix_seconds, R"({"ts":1700000000.0019})", 1'700'000'000'001},
        {unix_seconds, R"({"ts":1.7e9})", 1'700'000'000'000},
        {unix_seconds, R"({"ts":"x","ts":-0.0001})", -1},
        {unix_ms_spec, R"({"ts":1700000000001})", 1'700'000'000'001},
        {iso, R"({"meta":{"at":"2024-05-01T12:00:00.25+02:00"}})", 1'714'557'600'250},
        {pattern, R"({"ts":"01.05.2024 12:00"})", 1'714'557'600'000},
    };
    for (const Case& c : cases) {
        Fixture fixture(source_of({{"delay", {"delay"}, FieldType::int64}}, c.spec));
        CHECK(text_of(fixture.values_of(c.payload)) == "null");
        CHECK(unix_ms(fixture.time) == c.ms);
    }
}

TEST_CASE("an event without a readable time is a dead letter that says what was expected") {
    struct Case {
        Format format;
        std::string payload;
        std::string message;
    };
    const std::string seconds = "time field 'm.ts': expected a number of unix seconds, found ";
    const std::string iso = "time field 'm.ts': expected an RFC 3339 time with a zone designator, found ";
    const std::string long_text(100, 'x');
    const Case cases[] = {
        {Format::unix_seconds, "{}", seconds + "nothing"},
        {Format::unix_seconds, R"({"m":7})", seconds + "nothing"},
        {Format::unix_seconds, R"({"m":{"ts":null}})", seconds + "null"},
        {Format::unix_seconds, R"({"m":{"ts":"1"}})", seconds + "'1'"},
        {Format::unix_seconds, R"({"m":{"ts":1e300}})", seconds + "1e+300"},
        {Format::unix_seconds, R"({"m":{"ts":253402300800}})", seconds + "253402300800"},
        {Format::unix_seconds, R"({"m":{"ts":18446744073709551615}})", seconds + "18446744073709551615"},
        {Format::unix_seconds, R"({"m":{"ts":{}}})", seconds + "object"},
        {Format::unix_ms, R"({"m":{"ts":1.5}})",
         "time field 'm.ts': expected an integer of unix milliseconds, found 1.5"},
        {Format::iso8601, R"({"m":{"ts":"2024-05-01T10:00:00"}})", iso + "'2024-05-01T10:00:00'"},
        {Format::iso8601, R"({"m":{"ts":7}})", iso + "7"},
        {Format::iso8601, R"({"m":{"ts":")" + long_text + R"("}})",
         iso + "'" + long_text.substr(0, 64) + "...'"},
        {Format::iso8601, R"({"m":{"ts":"x)" + long_text.substr(0, 62) + "\xC3\xA9" + R"("}})",
         iso + "'x" + long_text.substr(0, 62) + "...'"},
        {Format::pattern, R"({"m":{"ts":"2024-05"}})",
         "time field 'm.ts': expected a time of the pattern '%Y/%m', found '2024-05'"},
    };
    for (const Case& c : cases) {
        Fixture fixture(source_of({}, {c.format, {"m", "ts"}, "%Y/%m", "UTC"}));
        const auto letter = fixture.decode(c.payload);
        REQUIRE(letter);
        CHECK(letter->reason == DeadLetterReason::no_time);
        CHECK(letter->message == c.message);
    }
}

TEST_CASE("the time field may be a declared field too, whose type is looked at first") {
    const TimeSpec time{Format::unix_ms, {"ts"}, "", "UTC"};
    Fixture fixture(source_of({{"ts", {"ts"}, FieldType::int64}}, time));
    CHECK(text_of(fixture.values_of(R"({"ts":5})")) == "5");
    CHECK(unix_ms(fixture.time) == 5);
    CHECK(fixture.letter_of(R"({"ts":"5"})") == "wrong_type: field 'ts': expected int, found string");
    CHECK(fixture.decode("{}")->reason == DeadLetterReason::no_time);
}

TEST_CASE("a dead letter leaves the values of the events before it as they were") {
    Fixture fixture(plain_source());
    std::vector<Value> values;
    Timestamp time{};
    const auto decode = [&](std::string_view payload) {
        return fixture.decoder.decode(payload, kKafkaTime, fixture.arena, values, time).has_value();
    };
    CHECK_FALSE(decode(R"({"delay":1,"carrier":"LH"})"));
    CHECK(decode(R"({"delay":2,"carrier":"AF","late":3})"));
    CHECK(decode("{"));
    CHECK_FALSE(decode(R"({"delay":4,"carrier":"BA"})"));
    CHECK(text_of(values) == "1 null 'LH' null null 4 null 'BA' null null");
}

TEST_CASE("a decoder reads payloads of any size after one another and may be moved") {
    Fixture fixture(plain_source());
    for (const std::size_t size : {1u, 100'000u, 5u, 4'095u, 4'096u, 4'097u, 1'000'000u, 0u}) {
        const std::string carrier(size, 'x');
        CHECK(text_of(fixture.values_of("{\"carrier\":\"" + carrier + "\"}")) ==
              "null null '" + carrier + "' null null");
    }
    EventDecoder moved = std::move(fixture.decoder);
    fixture.values.clear();
    CHECK_FALSE(moved.decode(R"({"delay":1})", kKafkaTime, fixture.arena, fixture.values, fixture.time));
    CHECK(text_of(fixture.values) == "1 null null null null");
}

TEST_CASE("no bytes make a decoder crash, and what it refuses leaves no values") {
    Fixture fixture(source_of(plain_source().fields, {Format::iso8601, {"ts"}, "", "UTC"}));
    const std::string seeds[] = {
        R"({"delay":7,"fare":2.5,"carrier":"L\u00e9","late":true,"to":{"city":"Rome"},"ts":"2024-05-01T10:00:00Z"})",
        R"({"ts":"2024-05-01T10:00:00Z","to":{"city":"a","to":{"city":1}},"to":{"city":null},"x":[1,[2,{"a":-1e-5}]]})"};
    const std::string_view alphabet = "{}[]:,\"\\/ 0123456789-+.eEtruefalsn\x01\x7F\x80\xC3\xED\xFF";
    std::mt19937 random(5);
    int good = 0;
    for (int i = 0; i < 30'000; ++i) {
        std::string payload = seeds[random() % 2];
        if (i % 10 == 0) {
            payload.resize(random() % 200);
            for (char& c : payload) c = static_cast<char>(random());
        }
        for (unsigned n = random() % 4; n > 0 && !payload.empty(); --n) {
            const std::size_t at = random() % payload.size();
            switch (random() % 3) {
                case 0:
                    payload[at] = alphabet[random() % alphabet.size()];
                    break;
                case 1:
                    payload.erase(at, 1 + random() % 5);
                    break;
                case 2:
                    payload.insert(at, payload.substr(random() % payload.size(), random() % 20));
                    break;
            }
        }
        const auto letter = fixture.decode(payload);
        REQUIRE(fixture.values.size() == (letter ? 0u : 5u));
        if (letter) REQUIRE_FALSE(letter->message.empty());
        good += !letter;
    }
    CHECK(good > 5'000);
    CHECK(good < 25'000);
}
