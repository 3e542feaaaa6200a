#include "io/stored/progress_codec.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

using namespace freshet;

namespace {

std::vector<std::string_view> flat(const RecordFields& fields) {
    std::vector<std::string_view> texts;
    for (const auto& [name, value] : fields) {
        texts.push_back(name);
        texts.push_back(value);
    }
    return texts;
}

ViewProgress full_progress() {
    ViewProgress progress;
    progress.next = Offset{1L << 52};
    progress.clock = from_unix_ms(-1);
    progress.watermark = from_unix_ms(1'790'000'000'000);
    progress.fingerprint = std::numeric_limits<std::uint64_t>::max();
    progress.since = from_unix_ms(0);
    progress.generation = Generation{7};
    progress.retain = Duration{60'000};
    progress.features["mean_1h"] = {0xab, std::nullopt};
    progress.features["p95"] = {std::numeric_limits<std::uint64_t>::max(), from_unix_ms(-3)};
    progress.features["x"] = {1, kSincePending};
    return progress;
}

ProgressRecord full_record() {
    ProgressRecord record{Epoch{1'790'000'000'000}, "node a", {}, 123, 12, "cluster", "group", {}};
    record.log = {
        Generation{7}, Offset{3}, Offset{2}, {{Offset{3}, from_unix_ms(-5), 0}, {Offset{40}, {}, 0xabc}}};
    record.views["a@1"] = full_progress();
    record.views["b@2"] = {};
    record.views["b@2"].since = kSincePending;
    record.layouts["a@1"] = "1000:ab:60=0 1000:ab,cd:60=0,1";
    record.slots = {5460, 13'907};
    record.covers = {{0, 5460}, {5462, 5462}, {16'000, 16'383}};
    record.advance = 1UL << 52;
    record.rebuilds = true;
    return record;
}

}  // namespace

TEST_CASE("a record comes back from its fields") {
    const ProgressRecord record = full_record();
    const auto decoded = decode_record(flat(encode_record(record)));
    REQUIRE(decoded);
    CHECK(*decoded == record);
}

TEST_CASE("the fields of a view are as documented") {
    CHECK(record_field::position("a@1") == "v:a@1");
    CHECK(record_field::definition("a@1") == "d:a@1");
    CHECK(encode_position(full_progress()) == "4503599627370496 -1 1790000000000 7");
    CHECK(encode_definition(full_progress()) ==
          "ffffffffffffffff 0 60000 mean_1h:ab,p95:ffffffffffffffff:-3,x:1:pending");
    CHECK(record_field::layouts("a@1") == "l:a@1");
    CHECK(encode_position({}) == "0 - - 0");
    CHECK(encode_definition({}) == "0 - 0 -");
    ViewProgress pending;
    pending.since = kSincePending;
    CHECK(encode_definition(pending) == "0 pending 0 -");
    CHECK(encode_slots(full_record().slots) == "5460 13907");
    CHECK(encode_covers(full_record().covers) == "0-5460 5462-5462 16000-16383");
    CHECK(encode_marks(full_record().log.marks) == "3:-5:0 40:0:abc");
}

TEST_CASE("fields of a later version are passed over") {
    RecordFields fields = encode_record(full_record());
    fields.emplace_back("colour", "1 2 3");
    for (auto& [name, value] : fields)
        if (name.starts_with("v:") || name.starts_with("d:")) value += " more";
    const auto decoded = decode_record(flat(fields));
    REQUIRE(decoded);
    CHECK(*decoded == full_record());
}

TEST_CASE("what does not decode is corrupt and quoted") {
    const std::vector<std::pair<std::string, std::string>> wrong = {
        {"epoch", ""},
        {"epoch", "-1"},
        {"epoch", "1x"},
        {"calls", " 1"},
        {"generation", "x"},
        {"begins", "x"},
        {"begins", "1"},
        {"begins", "1 x"},
        {"marks", "1"},
        {"marks", "1:2"},
        {"marks", "1:2:x"},
        {"marks", "-1:2:3"},
        {"marks", "1:2:3  4:5:6"},
        {"marks", "5:2:3 4:5:6"},
        {"partitions", "1.5"},
        {"slots", "16384"},
        {"covers", "1"},
        {"covers", "5-4"},
        {"covers", "1-16384"},
        {"covers", "1-2  3-4"},
        {"advance", "x"},
        {"rebuilds", "yes"},
        {"v:a@1", ""},
        {"v:a@1", "1"},
        {"v:a@1", "1 -"},
        {"v:a@1", "1 - -"},
        {"v:a@1", "1 - - x"},
        {"v:a@1", "- - - 0"},
        {"v:a@1", "1 x - 0"},
        {"v:a@1", "1  - - 0"},
        {"d:a@1", ""},
        {"d:a@1", "-"},
        {"d:a@1", "12"},
        {"d:a@1", "g - 0 -"},
        {"d:a@1", "1 later 0 -"},
        {"d:a@1", "1 -"},
        {"d:a@1", "1 - 0"},
        {"d:a@1", "1 - 1s -"},
        {"d:a@1", "1 - 0 x"},
        {"d:a@1", "1 - 0 x:"},
        {"d:a@1", "1 - 0 :1"},
        {"d:a@1", "1 - 0 x:g"},
        {"d:a@1", "1 - 0 x:1:later"},
        {"d:a@1", "1 - 0 x:1:2:3"},
        {"d:a@1", "1 - 0 x:1,x:1"},
        {"d:a@1", "1 - 0 x:1,,y:1"},
        {"epoch", "99999999999999999999"},
        {"v:a@1", "9223372036854775808 - - 0"},
    };
    for (const auto& pair : wrong) {
        CAPTURE(pair.first);
        CAPTURE(pair.second);
        RecordFields fields = encode_record(full_record());
        for (auto& field : fields)
            if (field.first == pair.first) field.second = pair.second;
        const auto decoded = decode_record(flat(fields));
        REQUIRE_FALSE(decoded);
        CHECK(decoded.error().code == Errc::corrupt);
        CHECK(decoded.error().message.find("\"" + pair.second + "\"") != std::string::npos);
    }
}

TEST_CASE("what was read last is marked too, unless a newer message is") {
    RecordFields fields = encode_record(full_record());
    fields.emplace_back("read", "5:0:1 41:7:1f");
    auto decoded = decode_record(flat(fields));
    REQUIRE(decoded);
    CHECK(decoded->log.marks.size() == 3);
    CHECK(decoded->log.marks.back() == LogMark{Offset{41}, from_unix_ms(7), 0x1f});
    fields.back().second = "5:0:1 39:7:1f";
    decoded = decode_record(flat(fields));
    REQUIRE(decoded);
    CHECK(*decoded == full_record());
    fields.back().second = "39";
    CHECK_FALSE(decode_record(flat(fields)));
}

TEST_CASE("a record without an epoch, or a view without its definition, is corrupt") {
    for (const std::string missing : {"epoch", "d:a@1"}) {
        RecordFields fields = encode_record(full_record());
        std::erase_if(fields, [&](const auto& field) { return field.first == missing; });
        CHECK_FALSE(decode_record(flat(fields)));
    }
    CHECK_FALSE(decode_record({}));
}
