// Judges a feature test: its events through the parts that a node is made of, at the times that it asks for.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "io/config/feature_tests.hpp"

namespace freshet {

struct FeatureFailure {
    std::string place;  // FILE:LINE:COLUMN of what is not as it should be
    // What is judged: a feature of an entity, or an event.
    std::string view, entity, feature;
    std::optional<Timestamp> at;
    std::string source;
    std::size_t event = 0;

    nlohmann::ordered_json expected;
    nlohmann::ordered_json got;
    std::string note;  // about `got`; may be empty
    // Those that the feature counts, unless they are many: PLACE VALUE.
    std::vector<std::string> events;
    std::size_t counted = 0;
};

struct FeatureVerdict {
    std::vector<FeatureFailure> failures;  // none: passed
    std::uint64_t late = 0;                // events that came when no feature kept their tile any more
};

// An error is the test file's, or that of a file of events.
Result<FeatureVerdict> judge(const Definitions& definitions, const FeatureTest& test);

}  // namespace freshet
