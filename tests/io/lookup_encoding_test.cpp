// ENCODING: answers as JSON, MessagePack and protobuf, read by the decoders of others and compared.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "answer.pb.h"
#include "io/lookup/answer_writers.hpp"
#include "io/redis/resp_writer.hpp"
#include "support/lookup_for_tests.hpp"

namespace freshet::testing {
namespace {

using nlohmann::json;

json value_of(const answer::Value& value) {
    switch (value.kind_case()) {
        case answer::Value::kInteger:
            return value.integer();
        case answer::Value::kNumber:
            return value.number();
        case answer::Value::kText:
            return value.text();
        case answer::Value::kBinary:
            return json::binary({value.binary().begin(), value.binary().end()});
        case answer::Value::kFlag:
            return value.flag();
        default:
            return nullptr;
    }
}

std::string name_of(int status) {
    std::string name = answer::Status_Name(static_cast<answer::Status>(status)).substr(7);
    for (char& c : name) c = static_cast<char>(std::tolower(c));
    return name;
}

json of_protobuf(const std::string& bytes) {
    answer::Answer answer;
    REQUIRE(answer.ParseFromString(bytes));
    json all{{"features", answer.features()}, {"views", answer.views()}, {"rows", json::array()}};
    for (const answer::Row& row : answer.rows()) {
        json& one = all["rows"].emplace_back(json{{"values", json::array()}});
        for (const answer::Value& value : row.values()) one["values"].push_back(value_of(value));
        for (const int status : row.statuses()) one["statuses"].push_back(name_of(status));
        for (const answer::Freshness& freshness : row.freshness()) {
            json& its = one["freshness"].emplace_back();
            its["staleness_ms"] = freshness.has_staleness_ms() ? json(freshness.staleness_ms()) : json();
            its["newest_event_ms"] =
                freshness.has_newest_event_ms() ? json(freshness.newest_event_ms()) : json();
        }
    }
    return all;
}

json decoded(const std::string& encoding, const std::string& bytes) {
    if (encoding == "json") return json::parse(bytes);
    if (encoding == "msgpack") return json::from_msgpack(bytes);
    return of_protobuf(bytes);
}

constexpr const char* kEncodings[] = {"json", "msgpack", "protobuf"};

class EncodingFixture : public LookupFixture {
public:
    // The reply to a command of words without blanks, decoded.
    json ask(const std::string& encoding, const std::string& line) {
        TestClient c(port());
        return ask(c, encoding, line);
    }
    static json ask(TestClient& c, const std::string& encoding, const std::string& line) {
        const std::string reply = c(line + " ENCODING " + encoding);
        REQUIRE_MESSAGE(reply.front() == '"', reply);
        return decoded(encoding, reply.substr(1, reply.size() - 2));
    }
    // Whether all encodings say so, down to what is a number with decimals and what is none.
    void check(const std::string& line, const std::string& expected) {
        TestClient c(port());
        for (const char* encoding : kEncodings) {
            CAPTURE(std::string(encoding));
            CHECK(ask(c, encoding, line).dump() == json::parse(expected).dump());
        }
    }
};

void speak_resp3(TestClient& c) {
    const std::string last = "$7\r\nmodules\r\n*0\r\n";
    c.send_raw("HELLO 3\r\n");
    for (std::string bytes; !bytes.ends_with(last);) {
        char byte = 0;
        REQUIRE(::recv(c.socket(), &byte, 1, 0) == 1);
        bytes += byte;
    }
}

TEST_CASE_FIXTURE(EncodingFixture, "an answer names its features and views once, and gives rows of values") {
    store("spend", "a", {{kNoon, -7, 2.0, "N\"L"}});
    store("spend", "b", {{kNoon, 300, 0.1, "FR", false}});
    record_all(kNoon);
    check("FS.GET spend a FEATURES 5 payments_5m spent_1h mean_price_1h last_country last_ok",
          R"({"features": ["payments_5m", "spent_1h", "mean_price_1h", "last_country", "last_ok"],
              "views": ["spend"], "rows": [{"values": [1, -7, 2.0, "N\"L", true]}]})");
    check("FS.MGET spend 3 a nobody b FEATURES 2 last_ok spent_1h",
          R"({"features": ["last_ok", "spent_1h"], "views": ["spend"],
              "rows": [{"values": [true, -7]}, {"values": [null, null]}, {"values": [false, 300]}]})");
    check("FS.GET spend a FEATURES 2 spent_1h spent_1h",
          R"({"features": ["spent_1h", "spent_1h"], "views": ["spend"], "rows": [{"values": [-7, -7]}]})");
    check("FS.MGET spend 0 FEATURES 1 spent_1h",
          R"({"features": ["spent_1h"], "views": ["spend"], "rows": []})");
    CHECK(ask("json", "FS.GET pairs a NL")["features"].dump() == R"(["payments_5m","spent_1h"])");
}

TEST_CASE_FIXTURE(EncodingFixture, "with META a row has a status a feature, and the freshness of each view") {
    store("spend", "a", {{kNoon, 7}});
    auto spend = progress("spend", kNoon, std::nullopt);
    spend.features["spent_1h"].since = kNoon;
    record(0, 1, {{"spend", spend}});
    check("FS.MGET spend 2 a nobody FEATURES 2 payments_5m spent_1h META",
          R"({"features": ["payments_5m", "spent_1h"], "views": ["spend"], "rows": [
              {"values": [1, 7], "statuses": ["stale", "incomplete"],
               "freshness": [{"staleness_ms": null, "newest_event_ms": 1700000400000}]},
              {"values": [null, null], "statuses": ["missing", "missing"],
               "freshness": [{"staleness_ms": null, "newest_event_ms": null}]}]})");
    record_all(kNoon);
    options.max_record_age = 0ms;
    for (const char* encoding : kEncodings) {
        json answer;
        REQUIRE(becomes_true([&] {
            answer = ask(encoding, "FS.GET spend a FEATURES 1 payments_5m META");
            return answer["rows"][0]["statuses"][0] == "fresh";
        }));
        CHECK(answer["rows"][0]["freshness"][0]["staleness_ms"].is_number_integer());
    }
}

TEST_CASE_FIXTURE(EncodingFixture, "a vector's values and statuses stand in the service's order") {
    store("spend", "a", {{kNoon, 7, 2.5, "DE"}});
    store("pairs", "a|NL", {{kNoon - 1s, 30}});
    record(
        0, 1,
        {{"spend", progress("spend", kNoon, std::nullopt)}, {"pairs", progress("pairs", kNoon, std::nullopt)}});
    const std::string head =
        R"({"features": ["spend.last_country", "pairs.payments_5m", "spend.spent_1h", "spend.mean_price_1h",
                         "pairs.spent_1h"], "views": ["spend", "pairs"], "rows": )";
    check("FS.VECTOR ranking KEYS 2 card country ROWS 3 a NL a DE a NL",
          head + R"([{"values": ["DE", 1, 7, 2.5, 30]}, {"values": ["DE", null, 7, 2.5, null]},
                     {"values": ["DE", 1, 7, 2.5, 30]}]})");
    check("FS.VECTOR ranking META KEYS 2 card country ROWS 1 a DE",
          head + R"([{"values": ["DE", null, 7, 2.5, null],
                      "statuses": ["stale", "missing", "stale", "stale", "missing"],
                      "freshness": [{"staleness_ms": null, "newest_event_ms": 1700000400000},
                                    {"staleness_ms": null, "newest_event_ms": null}]}]})");
    check("FS.VECTOR ranking KEYS 2 card country ROWS 0", head + "[]}");
}

TEST_CASE_FIXTURE(EncodingFixture, "rows that come out of order, of a time or with an event are encoded too") {
    std::vector<Payment> dense;
    for (int i = 0; i < 300; ++i) dense.push_back({kNoon - 300 * 30s + i * 30s, 1, 2.0});
    store("spend", "dense", dense);
    store("spend", "sparse", {{kNoon - 15min, 5, 3.0}});
    record_all(kNoon);
    const std::string rest =
        " AT " + std::to_string(unix_ms(kNoon - 10min)) +
        R"( WITH '{"card":"sparse","amount":1000,"price":5}' FEATURES 2 spent_1h mean_price_1h)";
    TestClient c(port());
    CHECK(c("FS.MGET spend 2 dense sparse" + rest) == R"([[122 "2.0"] [1005 "4.0"]])");
    CHECK(observer.second_steps > 0);
    check("FS.MGET spend 2 dense sparse" + rest,
          R"({"features": ["spent_1h", "mean_price_1h"], "views": ["spend"],
              "rows": [{"values": [122, 2.0]}, {"values": [1005, 4.0]}]})");
}

TEST_CASE_FIXTURE(EncodingFixture, "numbers are read as they were counted") {
    constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
    std::vector<std::int64_t> whole{kLeast, kLeast + 1, std::numeric_limits<std::int64_t>::max()};
    for (int bits = 0; bits < 63; ++bits)
        for (const std::int64_t more : {-1, 0, 1})
            for (const std::int64_t sign : {-1, 1}) whole.push_back(sign * ((std::int64_t{1} << bits) + more));
    std::vector<double> real{0.0, -0.0, 5e-324, 1.7976931348623157e308, 1e22, 0.1, -1.0 / 3};
    std::mt19937_64 random(1);
    while (real.size() < whole.size()) {
        const double number = std::bit_cast<double>(random());
        if (std::isfinite(number)) real.push_back(number);
    }
    record_all(kNoon);
    std::string entities;
    for (std::size_t i = 0; i < whole.size(); ++i) {
        store("spend", std::to_string(i), {{kNoon, whole[i], real[i]}});
        entities += " " + std::to_string(i);
    }
    for (const char* encoding : kEncodings) {
        const json answer = ask(encoding, "FS.MGET spend " + std::to_string(whole.size()) + entities +
                                              " FEATURES 2 spent_1h mean_price_1h");
        for (std::size_t i = 0; i < whole.size(); ++i) {
            const json& values = answer["rows"][i]["values"];
            CHECK(values[0].get<std::int64_t>() == whole[i]);
            REQUIRE(values[1].is_number_float());
            CHECK(std::bit_cast<std::uint64_t>(values[1].get<double>()) ==
                  std::bit_cast<std::uint64_t>(real[i] + 0.0));  // a mean begins with 0.0
        }
    }
}

TEST_CASE_FIXTURE(EncodingFixture, "texts of any length and any characters are read as they were") {
    std::vector<std::string> texts{"", "\"\\/\b\f\n\r\t\x01\x1f\x7f", "\u00e9\u20ac\U0001f600\U0010ffff",
                                   std::string("\0", 1)};
    for (const std::size_t size : {31, 32, 255, 256, 65535, 65536}) texts.emplace_back(size, 'x');
    record_all(kNoon);
    std::string entities;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        store("spend", std::to_string(i), {{kNoon, 1, 1, texts[i]}});
        entities += " " + std::to_string(i);
    }
    const std::string line = "FS.MGET spend " + std::to_string(texts.size()) + entities;
    for (const char* encoding : kEncodings) {
        const json rows = ask(encoding, line + " FEATURES 1 last_country")["rows"];
        REQUIRE(rows.size() == texts.size());
        for (std::size_t i = 0; i < texts.size(); ++i) CHECK(rows[i]["values"][0] == texts[i]);
    }
}

TEST_CASE_FIXTURE(EncodingFixture, "a text that is not UTF-8 is bytes, and in JSON has U+FFFD in their place") {
    const std::string text = "a\xff\xc3(\xed\xa0\x80z";
    store("spend", "a", {{kNoon, 1, 1, text}});
    record_all(kNoon);
    const std::string line = "FS.GET spend a FEATURES 1 last_country";
    const auto value = [&](const char* encoding) { return ask(encoding, line)["rows"][0]["values"][0]; };
    CHECK(value("json") == "a\uFFFD\uFFFD(\uFFFD\uFFFD\uFFFDz");
    const json bytes = json::binary({text.begin(), text.end()});
    CHECK(value("msgpack") == bytes);
    CHECK(value("protobuf") == bytes);
}

TEST_CASE("characters of UTF-8 are told from what only looks like them") {
    for (const char* good : {"a", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                             "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
        CHECK(utf8_character(good) == std::string_view(good).size());
    for (const char* bad : {"", "\x80", "\xc1\xbf", "\xc2", "\xc2z", "\xe0\x9f\xbf", "\xed\xa0\x80",
                            "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xff"})
        CHECK(utf8_character(bad) == 0);
    CHECK(is_utf8("a\u20acb"));
    CHECK(!is_utf8("a\xe2\x82"));
}

TEST_CASE("a number that is none is null in JSON, and itself in the others") {
    const AnswerShape shape{{"f"}, {"v"}, false};
    const auto written = [&]<class Writer>(const char* text, std::type_identity<Writer>) {
        std::string out;
        {
            Writer writer(out);
            writer.begin(shape, 1);
            writer.row(shape, {{{',', text}}, {}, {}});
            writer.end();
        }
        return out;
    };
    for (const char* text : {"nan", "inf", "-inf"}) {
        const auto value = [](const json& answer) { return answer["rows"][0]["values"][0]; };
        CHECK(value(decoded("json", written(text, std::type_identity<JsonAnswerWriter>()))).is_null());
        CHECK(!std::isfinite(
            value(decoded("msgpack", written(text, std::type_identity<MsgpackAnswerWriter>()))).get<double>()));
        CHECK(
            !std::isfinite(value(decoded("protobuf", written(text, std::type_identity<ProtobufAnswerWriter>())))
                               .get<double>()));
    }
}

TEST_CASE_FIXTURE(EncodingFixture, "rows that are kept are given in each encoding, and in none other") {
    options.cache_bytes = 1 << 20;
    definitions.views.front().freshness.cache_for = 1h;
    store("spend", "a", {{kNoon, 7, 2.0}});
    record_all(kNoon);
    TestClient c(port());
    const std::string line = "FS.GET spend a FEATURES 2 spent_1h mean_price_1h";
    for (int round = 0; round < 2; ++round) {
        check(line, R"({"features": ["spent_1h", "mean_price_1h"], "views": ["spend"],
                        "rows": [{"values": [7, 2.0]}]})");
        CHECK(c(line) == R"([7 "2.0"])");
        CHECK(ask("msgpack", line + " META")["rows"][0]["statuses"] == json({"fresh", "fresh"}));
        CHECK(c("FS.GET spend a").starts_with(R"(["payments_5m" 1 )"));
        CHECK(ask("json", "FS.GET spend a")["rows"][0]["values"].dump() == R"([1,7,2.0,"NL",true])");
        store("spend", "a", {{kNoon, 8, 3.0}});
    }
    // The three encodings share one kept row, which is that of RESP3.
    CHECK(observer.cache_hits == 2 + 7);
    CHECK(observer.cache_misses == 5);
    TestClient three(port());
    speak_resp3(three);
    const std::string expected = "*2\r\n:7\r\n,2.0\r\n";
    CHECK(three.bytes_of(line, expected) == expected);
    CHECK(observer.cache_hits == 2 + 7 + 1);
}

TEST_CASE_FIXTURE(EncodingFixture, "the encoded answer is one string in both versions of the protocol") {
    store("spend", "a", {{kNoon, 7}});
    record_all(kNoon);
    TestClient c(port());
    const std::string line = "FS.GET spend a ENCODING JSON FEATURES 1 spent_1h";
    const std::string expected =
        "$67\r\n{\"features\":[\"spent_1h\"],\"views\":[\"spend\"],\"rows\":[{\"values\":[7]}]}\r\n";
    CHECK(c.bytes_of(line, expected) == expected);
    TestClient three(port());
    speak_resp3(three);
    CHECK(three.bytes_of(line, expected) == expected);
    CHECK(three("PING") == "+PONG");
}

TEST_CASE_FIXTURE(EncodingFixture, "what is wrong is said in plain words, whatever the encoding") {
    record_all(kNoon);
    TestClient c(port());
    CHECK(c("FS.GET spend a ENCODING") == "-BADARG ENCODING is followed by json, msgpack or protobuf");
    CHECK(c("FS.MGET spend 1 a ENCODING xml") ==
          "-BADARG ENCODING is followed by json, msgpack or protobuf, not by 'xml'");
    CHECK(c("FS.VECTOR cards ENCODING resp") ==
          "-BADARG ENCODING is followed by json, msgpack or protobuf, not by 'resp'");
    CHECK(c("FS.GET spent a ENCODING json").starts_with("-NOVIEW "));
    CHECK(c("FS.GET spend a ENCODING json AT 5").starts_with("-RANGE "));
    CHECK(c("FS.GET spend a ENCODING json AFTER 0:0 WAIT 1").starts_with("-BUSY "));
    CHECK(c("FS.VECTOR cards ENCODING msgpack KEYS 1 card ROWS 1 a AT 5").starts_with("-RANGE "));
    redis()->stop();
    CHECK(becomes_true([&] { return c("FS.GET spend a ENCODING protobuf").starts_with("-UNAVAILABLE "); }));
}

}  // namespace
}  // namespace freshet::testing
