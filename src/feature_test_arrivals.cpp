#include "feature_test_arrivals.hpp"

#include <algorithm>

#include "event_file.hpp"

namespace freshet {

namespace {

// Gives the events of one source their arrival.
class Arrivals {
public:
    Arrivals(const Source& source, const GivenEvents& given, std::vector<ArrivingEvent>& events)
        : source_(source), given_(given), own_time_(source), events_(events) {}

    Result<void> add_all() {
        if (!given_.file.empty()) return add_file();
        for (const GivenEvent& event : given_.events)
            add(event.place.text(), event.partition, event.timestamp, event.value);
        return {};
    }

private:
    Result<void> add_file() {
        auto file = EventFile::open(given_.file,
                                    given_.records ? EventFile::Format::records : EventFile::Format::plain);
        if (!file) return file.error().within(given_.place.text());
        EventRecord record;
        for (;;) {
            const auto more = (*file)->next(record);
            if (!more) return more.error();
            if (!*more) return {};
            if (given_.records && record.topic != source_.topic)
                return Error{Errc::invalid_argument, (*file)->place() + ": a record of topic " + record.topic +
                                                         ", but source " + source_.name + " reads " +
                                                         source_.topic + "; name its source in the test"};
            add((*file)->place(), record.partition,
                given_.records ? std::optional{record.timestamp} : std::nullopt, record.value);
        }
    }

    void add(std::string place, PartitionId partition, std::optional<Timestamp> timestamp,
             const std::optional<std::string>& value) {
        const Timestamp kafka = timestamp ? *timestamp : value ? own_time_.of(*value) : Timestamp{};
        Timestamp& clock = clocks_.try_emplace(partition, kafka).first->second;
        clock = std::max(clock, kafka);
        events_.push_back({clock, given_.source, ++number_, std::move(place), partition, kafka, value});
    }

    const Source& source_;
    const GivenEvents& given_;
    OwnTime own_time_;
    std::vector<ArrivingEvent>& events_;
    std::map<PartitionId, Timestamp> clocks_;
    std::size_t number_ = 0;
};

}  // namespace

Result<std::vector<ArrivingEvent>> arriving_events(const Definitions& definitions, const FeatureTest& test) {
    std::vector<ArrivingEvent> events;
    for (const GivenEvents& given : test.given) {
        auto added = Arrivals(definitions.sources[given.source], given, events).add_all();
        if (!added) return added.error();
    }
    std::ranges::stable_sort(events, {}, &ArrivingEvent::arrival);
    std::map<Partition, Offset> next;  // several sources may read one topic
    for (ArrivingEvent& event : events) {
        Offset& offset = next[{definitions.sources[event.source].topic, event.partition}];
        event.offset = offset;
        offset = offset.next();
    }
    return events;
}

std::vector<std::size_t> events_in_window(const Definitions& definitions, const View& view,
                                          const Feature& feature, const std::string& entity, Timestamp at,
                                          std::span<const ArrivingEvent> events) {
    const Source& source = definitions.source_of(view);
    EventIntake intake(source, {std::make_shared<const ViewPlan>(source, view)}, 1);
    const TileNumber last = tile_of(at, feature.hop);
    const TileNumber first =
        feature.window ? tile_of(at - *feature.window, feature.hop) : std::numeric_limits<TileNumber>::min();
    const auto counts = [&](const Event& event) {
        const TileNumber tile = tile_of(event.time, feature.hop);
        return first <= tile && tile <= last && (!feature.where || feature.where->accepts(event.fields)) &&
               (!feature.field || !is_null(event.fields[*feature.field]));
    };
    std::vector<std::size_t> found;
    std::vector<Rejection> rejected;
    for (std::size_t i = 0; i < events.size(); ++i) {
        const ArrivingEvent& event = events[i];
        if (definitions.sources[event.source].topic != source.topic || !event.value) continue;
        const auto batch = intake.new_batch();
        intake.add({event.offset, event.timestamp, {}, event.value}, *batch, rejected);
        intake.finish(*batch, event.offset.next());
        for (const Touch& touch : batch->touches[0])
            if (touch.entity == entity && counts(batch->events[touch.event])) found.push_back(i);
    }
    return found;
}

}  // namespace freshet
