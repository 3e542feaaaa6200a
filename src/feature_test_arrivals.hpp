// The events of a feature test in the order in which they come, with a virtual clock.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "evaluation.hpp"
#include "io/config/feature_tests.hpp"

namespace freshet {

struct ArrivingEvent {
    // In its partition, events come in the order given; each at its Kafka timestamp, or that of an event before
    // it if that is later.
    Timestamp arrival;
    std::size_t source;  // index into Definitions::sources
    std::size_t number;  // among those of its source, from 1
    std::string place;   // FILE:LINE, or FILE:LINE:COLUMN
    PartitionId partition;
    Timestamp timestamp;  // Kafka's
    std::optional<std::string> value;
    Offset offset{};  // in its topic's partition
};

// By arrival. Reads the files that the test names.
Result<std::vector<ArrivingEvent>> arriving_events(const Definitions& definitions, const FeatureTest& test);

// Which events a feature of an entity counts at `at`: indices into `events`.
std::vector<std::size_t> events_in_window(const Definitions& definitions, const View& view,
                                          const Feature& feature, const std::string& entity, Timestamp at,
                                          std::span<const ArrivingEvent> events);

}  // namespace freshet
