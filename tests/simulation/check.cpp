#include "check.hpp"

#include <algorithm>
#include <deque>

namespace freshet::simulation {

namespace {

using namespace std::chrono_literals;

// One a view: readers keep their memory from call to call.
FeatureReader& reader_of(std::size_t view) {
    static std::array<FeatureReader, kViews> readers{FeatureReader(*plan().views[0]),
                                                     FeatureReader(*plan().views[1])};
    return readers[view];
}

constexpr std::size_t kFeatures[] = {kCount, kSum};

Timestamp begin_of_tile(Timestamp t) { return std::chrono::floor<std::chrono::seconds>(t); }

// What a feature reads at t: from the begin of the tile of t - W to the end of the tile of t.
struct Window {
    Window(std::size_t view, std::size_t feature, Timestamp t)
        : from(begin_of_tile(t - *plan().views[view]->view().features[feature].window)),
          to(begin_of_tile(t) + 1s) {}
    bool contains(Timestamp time) const { return from <= time && time < to; }
    Timestamp from, to;
};

}  // namespace

void Check::fail(std::string why) {
    if (!failure_) failure_ = std::move(why);
}

Check::Numbers Check::read(std::size_t view, const StoredEntity& entity, Timestamp t) const {
    FeatureReader& reader = reader_of(view);
    std::vector<const Head*> heads;
    std::deque<Head> unfolded;
    for (const StoredPartial& origin : entity.origins) heads.push_back(origin.head.get());
    if (!reader.serves(heads, t, kFeatures)) {
        for (std::size_t i = 0; i < heads.size(); ++i)
            heads[i] = &unfolded.emplace_back(unfolded_copy(entity.origins[i]));
    }
    const auto& answer = reader.read(heads, t, kFeatures);
    if (answer.missing) return {true, 0, 0};
    return {false, std::get<std::int64_t>(answer.values[0].value),
            std::get<std::int64_t>(answer.values[1].value)};
}

// An event may be missing without a word where nobody can know of it, and in a view by event time where it was
// ahead of the clock that counting began at.
bool Check::may_be_lost(std::size_t view, std::size_t partition, const FakeEvent& event) const {
    if (event.fate == FakeEvent::Fate::vanished) return true;
    return view == 0 && event.arrived <= lost_at_[view][partition];
}

Check::Bounds Check::bounds(std::size_t view, std::size_t entity, std::size_t feature, Timestamp t) const {
    Bounds bounds;
    const Window window(view, feature, t);
    for (std::size_t p = 0; p < kMostPartitions; ++p) {
        for (const FakeEvent& event : logs_[p].history()) {
            if (event.entity[view] != entity || !window.contains(event.time) || !event.passes(view)) continue;
            ++bounds.most_count;
            bounds.most_sum += event.amount;
            if (may_be_lost(view, p, event)) continue;
            ++bounds.count;
            bounds.sum += event.amount;
        }
    }
    return bounds;
}

void Check::written(const StoreState& state, const WriteCall& call) {
    for (const PartialWrite& write : *call.writes) {
        const StoredEntity& entity = state.entities[write.view][write.entity];
        if (entity.origins.empty()) continue;
        const Timestamp t = write.head->newest;
        const Numbers numbers = read(write.view, entity, t);
        const Bounds counts = bounds(write.view, write.entity, 0, t);
        const Bounds sums = bounds(write.view, write.entity, 1, t);
        if (numbers.count > counts.most_count || numbers.sum > sums.most_sum)
            fail("after a write " + plan().names[write.entity] + " of " + plan().views[write.view]->id() +
                 " counts " + std::to_string(numbers.count) + " events of " +
                 std::to_string(counts.most_count));
    }
}

bool Check::is_stored(const StoreState& state, std::size_t view, std::size_t partition, Generation generation,
                      Offset offset) const {
    const FakeEvent& event = logs_[partition].at(offset);
    for (const StoredPartial& origin : state.entities[view][event.entity[view]].origins)
        if (origin.partition == partition && origin.generation == generation)
            return origin.head->stamp.offset >= offset;
    return false;
}

void Check::advanced(const std::optional<ProgressRecord>& before, const StoreState& state,
                     std::size_t partition, Timestamp now) {
    const auto& record = state.records[partition];
    for (std::size_t v = 0; v < kViews; ++v) {
        const auto view = record->views.find(plan().views[v]->id());
        if (view == record->views.end()) continue;
        const bool pending = view->second.since == kSincePending;
        // While the log is whole, nothing is missing but what a life left out, of which nothing is ahead of the
        // clock.
        const bool is_whole = !logs_[partition].was_ever_cut() && logs_[partition].low() == Offset{0};
        if (pending && !is_whole) lost_at_[v][partition] = now;
        // Offsets are what they were only in a log that was never cut.
        if (logs_[partition].was_ever_cut() || pending) continue;
        const auto known = before ? before->views.find(view->first) : ViewProgressMap::const_iterator{};
        Offset from = before && known != before->views.end() ? known->second.next : Offset{0};
        for (; from < view->second.next; from = from.next()) {
            const FakeEvent& event = logs_[partition].at(from);
            const bool surely_kept = event.time > event.arrived - 3s && now - event.time < 5s;
            if (event.fate != FakeEvent::Fate::in_log || !event.passes(v) || !surely_kept) continue;
            if (!is_stored(state, v, partition, record->log.generation, from))
                fail("the record of partition " + std::to_string(partition) + " says " +
                     std::to_string(view->second.next.value) + " but offset " + std::to_string(from.value) +
                     " is not stored for " + view->first);
        }
    }
}

void Check::compare_all(const StoreState& state, std::size_t partitions, Timestamp now) {
    for (std::size_t v = 0; v < kViews; ++v) {
        const View& view = plan().views[v]->view();
        std::optional<Timestamp> clock;
        Since since;
        for (std::size_t p = 0; p < partitions; ++p) {
            const ViewProgress& progress = state.records[p]->views.at(plan().views[v]->id());
            clock = std::max(clock, progress.clock);
            for (const std::size_t f : kFeatures) {
                const auto counted = progress.features.find(plan().views[v]->features()[f].name);
                const bool known = counted != progress.features.end();
                since[f] = std::max({since[f], progress.since, known ? counted->second.since : kSincePending});
            }
        }
        if (view.clock == View::Clock::wall) clock = now;
        if (!clock) continue;
        for (std::size_t e = 0; e < kEntities; ++e)
            for (const Timestamp t : {*clock - view.retain, *clock - view.retain / 2, *clock, *clock + 3s,
                                      *clock + 9s, *clock + 14s})
                compare(v, e, state, t, since);
    }
}

void Check::compare(std::size_t view, std::size_t entity, const StoreState& state, Timestamp t,
                    const Since& since) {
    const Numbers numbers = read(view, state.entities[view][entity], t);
    bool whole = true;
    for (const FakeLog& log : logs_) whole = whole && !log.was_ever_cut() && log.low() == Offset{0};
    const auto told = [&](const char* what, std::int64_t got, std::int64_t least, std::int64_t most) {
        fail(plan().names[entity] + " of " + plan().views[view]->id() + " at " + std::to_string(unix_ms(t)) +
             ": " + what + " is " + std::to_string(got) + ", not " + std::to_string(least) +
             (most > least ? " to " + std::to_string(most) : ""));
    };
    for (const std::size_t f : kFeatures) {
        const Bounds b = bounds(view, entity, f, t);
        const Duration window = *plan().views[view]->view().features[f].window;
        const bool complete = is_complete(since[f], window, 1s, t);
        if (!complete && whole && !may_be_shed_[view] && f == kCount)
            return fail("incomplete although no event is gone");
        if (complete && since[f] != since[kCount]) counts_.met(Met::added);
        if (complete && may_be_shed_[view] && since[f] && b.count > 0) counts_.met(Met::resumed);
        const std::int64_t got = f == 0 ? numbers.count : numbers.sum;
        const std::int64_t least = !complete ? 0 : f == 0 ? b.count : b.sum;
        const std::int64_t most = f == 0 ? b.most_count : b.most_sum;
        if (got > 0) counts_.met(Met::value);
        if (!complete) counts_.met(Met::incomplete);
        if (got < least || got > most) told(f == 0 ? "count" : "sum", got, least, most);
    }
}

}  // namespace freshet::simulation
