// A configuration applied to events in memory, by the same parts that a node is made of, without any service.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/events/event_intake.hpp"
#include "model/entity_table.hpp"

namespace freshet {

// The Kafka timestamp of a plain payload: the event's own time, or 1970 where it has none.
class OwnTime {
public:
    explicit OwnTime(const Source& source);
    Timestamp of(std::string_view payload);

private:
    EventDecoder decoder_;
    std::vector<Value> values_;
};

class Evaluation {
public:
    // Of `views` by name; empty: all. `definitions` outlives it.
    Evaluation(const Definitions& definitions, const std::vector<std::string>& views);

    struct Refused {
        const Source* source;
        Rejection rejection;
    };
    // Appends to `refused`. The offsets of a partition must rise: false if this one does not.
    bool add(const std::string& topic, PartitionId partition, const LogRecord& record,
             std::vector<Refused>& refused);
    // After the last event so far, before anything below. More may be added then.
    void finish();

    std::size_t views() const { return views_.size(); }
    const View& view(std::size_t index) const { return views_[index]->plan->view(); }
    // The highest clock of the view's source; none before the first good event.
    std::optional<Timestamp> clock(std::size_t view) const;
    // The lowest time that may be asked for.
    std::optional<Timestamp> earliest(std::size_t view) const;
    // Every entity that occurs, by name. `at`: none when the view has no clock.
    using Sink = std::function<void(const std::string& entity, const FeatureAnswer& answer)>;
    void read(std::size_t view, std::optional<Timestamp> at, const Sink& sink) const;
    // One entity, which need not occur.
    FeatureAnswer read(std::size_t view, const std::string& entity, std::optional<Timestamp> at) const;
    // Events for entities that came when no feature kept their tile any more.
    std::uint64_t late() const;

private:
    struct Part {
        Part(const Source& source, const ViewPlans& plans, PartitionId partition);
        EventIntake intake;
        EntityTable table;
        std::unique_ptr<EventBatch> batch;
        Offset next{0};
        std::size_t since_flush = 0;  // records
    };
    struct Feed {
        const Source* source;
        ViewPlans plans;
        std::vector<std::size_t> views;  // of the plans, in views_
        std::map<PartitionId, Part> parts;
    };
    struct Evaluated {
        std::shared_ptr<const ViewPlan> plan;
        const Feed* feed;
        // What each partition has of an entity; nothing where all its events were late.
        std::map<std::string, std::vector<EntityWindows*>, std::less<>> entities;
    };

    // Empty where the entity has nothing.
    using Parts = std::vector<EntityWindows*>;
    static FeatureAnswer answer(FeatureReader& reader, const ViewPlan& plan, const Parts& parts,
                                std::optional<Timestamp> at);
    void apply(Feed& feed, Part& part);
    void note_entities(const Feed& feed, const EventBatch& batch);
    void flush(const Feed& feed, Part& part);

    std::vector<std::unique_ptr<Feed>> feeds_;
    std::vector<std::unique_ptr<Evaluated>> views_;
    HeadView head_;                                // scratch
    std::vector<EntityWindows::ChunkId> changed_;  // scratch
};

}  // namespace freshet
