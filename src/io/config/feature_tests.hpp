// A file of feature tests (docs/testing-features.md): events, and what the features of a configuration are
// then. Errors as of a configuration (config_file.hpp).
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/config/config.hpp"
#include "io/config/config_tree.hpp"
#include "model/accumulator.hpp"
#include "model/dead_letter.hpp"

namespace freshet {

struct GivenEvent {
    ConfigPlace place;
    PartitionId partition{0};
    std::optional<Timestamp> timestamp;  // Kafka's; none: the event's own time
    std::optional<std::string> value;    // none: a tombstone
};

// The events of one source, in the order in which they come.
struct GivenEvents {
    std::size_t source;  // index into Definitions::sources
    ConfigPlace place;
    std::string file;  // their path; empty: `events` holds them
    bool records = false;
    std::vector<GivenEvent> events;
};

enum class ValueStatus : std::uint8_t { ok, overflow, missing };
constexpr std::string_view name_of(ValueStatus status) {
    constexpr std::string_view names[] = {"ok", "overflow", "missing"};
    return names[static_cast<std::size_t>(status)];
}

struct ExpectedValue {
    ConfigPlace place;
    std::size_t feature;  // index into View::features
    Scalar value;         // of the feature's type, or null
};
struct ExpectedStatus {
    ConfigPlace place;
    std::size_t feature;
    ValueStatus status;
};

// What a look-up answers at a time.
struct Expectation {
    ConfigPlace place;
    std::optional<Timestamp> at;  // none: the view's clock, once all events came
    std::size_t view = 0;         // index into Definitions::views
    std::string entity;           // its name, all columns joined
    bool missing = false;
    std::vector<ExpectedValue> values;
    std::vector<ExpectedStatus> statuses;
    // Of doubles; either is enough.
    double tolerance = 1e-9;  // relative to the expected value
    double absolute_tolerance = 0;
};

// An event that is a dead letter.
struct ExpectedRefusal {
    ConfigPlace place;
    std::size_t source = 0;
    std::size_t number = 0;  // of the event among those of its source, from 1
    DeadLetterReason reason = DeadLetterReason::malformed;
};

struct FeatureTest {
    std::string name;
    ConfigPlace place;
    std::vector<GivenEvents> given;
    std::vector<Expectation> expect;
    std::vector<ExpectedRefusal> refused;
};

struct FeatureTests {
    Config config;
    std::vector<FeatureTest> tests;
};

Result<FeatureTests> load_feature_tests(const std::filesystem::path& path);
// Paths in it are relative to the folder of `file_name`.
Result<FeatureTests> parse_feature_tests(std::string_view text, const std::string& file_name);

}  // namespace freshet
