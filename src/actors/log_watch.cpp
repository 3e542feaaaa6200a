#include "actors/log_watch.hpp"

#include <algorithm>
#include <map>

#include "io/log.hpp"

namespace freshet {

namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;
constexpr Duration kTimeout{5000};
constexpr seconds kPeriod{1};
constexpr std::chrono::milliseconds kRest{100};  // at least, for other questions

class LogWatch : public LogWatchActor::base {
public:
    LogWatch(caf::actor_config& config, std::shared_ptr<EventLog> log, Watchdog& watchdog)
        : LogWatchActor::base(config), log_(std::move(log)), post_(watchdog.post("log watch")) {}

    const char* name() const override { return "log_watch"; }

protected:
    behavior_type make_behavior() override {
        delayed_send(this, kPeriod, WatchTick{});
        return {
            [this](const AskStartFacts& question) { return start_facts(question); },
            [this](const WatchEnd& watch) {
                watched_.insert_or_assign(watch.partition, watch.consumer);
                // A life that begins need not wait for the tick.
                ask_ends(watch.partition.topic, {{watch.partition, watch.consumer}});
            },
            [this](const UnwatchEnd& unwatch) {
                const auto watched = watched_.find(unwatch.partition);
                if (watched != watched_.end() && watched->second.address() == unwatch.consumer)
                    watched_.erase(watched);
            },
            [this](WatchTick) {
                const auto began = clock().now();
                ask_all_ends();
                // At a rate: the answers of many partitions, or of a busy broker, take their time.
                const auto left = kPeriod - (clock().now() - began);
                delayed_send(this, std::max<steady_clock::duration>(left, kRest), WatchTick{});
            },
        };
    }

    void on_exit() override { watched_.clear(); }

private:
    template <class Question>
    auto ask(Question&& question) {
        const auto busy = post_->busy();
        return question();
    }

    StartFacts start_facts(const AskStartFacts& question) {
        const auto failed = [](const Error& error) {
            return StartFacts{std::make_shared<Result<LogFacts>>(error), {}};
        };
        const auto range = ask([&] { return log_->range(question.partition, kTimeout); });
        if (!range) return failed(range.error());
        const auto committed = ask([&] { return log_->committed(question.partition, kTimeout); });
        if (!committed) return failed(committed.error());
        std::vector<Offset> starts;
        for (const ViewStartSpec& view : question.views) {
            const auto offset = start_offset(question.partition, view.start, *range);
            if (!offset) return failed(offset.error());
            starts.push_back(*offset);
        }
        auto facts = look_at_messages(question, {*range, *committed, {}, {}}, starts);
        return {std::make_shared<Result<LogFacts>>(std::move(facts)), std::move(starts)};
    }

    // Completes the facts: the marked messages, and those before the offsets where a view may begin. All marks
    // are read: a life that did not notice that its log had been cut may have marked a message of the new one
    // behind them.
    Result<LogFacts> look_at_messages(const AskStartFacts& question, LogFacts facts,
                                      const std::vector<Offset>& starts) {
        const Offset lowest = *std::min_element(starts.begin(), starts.end());
        std::vector<Offset> offsets = question.marks;
        for (const Offset start : {lowest, facts.range.end})
            if (start > facts.range.low) offsets.push_back(Offset{start.value - 1});
        auto found = ask([&] { return log_->marks_at(question.partition, offsets, kTimeout); });
        if (!found) return found.error();
        const auto marked_end = found->begin() + static_cast<std::ptrdiff_t>(question.marks.size());
        facts.marked.assign(found->begin(), marked_end);
        for (auto mark = marked_end; mark != found->end(); ++mark)
            if (*mark) facts.before_starts.push_back(**mark);
        return facts;
    }

    Result<Offset> start_offset(const Partition& partition, const Start& start, const LogRange& range) {
        if (std::holds_alternative<StartEarliest>(start)) return range.low;
        if (std::holds_alternative<StartLatest>(start)) return range.end;
        return ask([&] { return log_->offset_at(partition, std::get<Timestamp>(start), kTimeout); });
    }

    // One topic after the other, each with a time of its own: a source's watermark should not be older for the
    // partitions of others.
    void ask_all_ends() {
        std::map<std::string, std::map<Partition, ConsumerActor>> topics;
        for (const auto& [partition, consumer] : watched_) topics[partition.topic].emplace(partition, consumer);
        for (const auto& [topic, partitions] : topics)
            if (!ask_ends(topic, partitions)) return;
    }

    // Whether all were answered.
    bool ask_ends(const std::string& topic, const std::map<Partition, ConsumerActor>& of) {
        // The count is asked for first: a partition that appears later has an end later, too.
        const auto counted_at = steady_clock::now();
        const auto counts = ask([&] { return log_->partition_counts({topic}, kTimeout); });
        if (!counts) return unreachable(counts.error());
        const auto count = counts->find(topic);
        for (const auto& [partition, consumer] : of) {
            const auto range = ask([&, &partition = partition] { return log_->range(partition, kTimeout); });
            if (!range) return unreachable(range.error());
            if (count != counts->end()) send(consumer, EndOffset{counted_at, range->end, count->second});
        }
        if (std::exchange(unreachable_, false)) log::info("kafka answers again");
        return true;
    }

    bool unreachable(const Error& error) {
        if (!std::exchange(unreachable_, true)) log::warn(error.message + "; asking again every second");
        return false;
    }

    std::shared_ptr<EventLog> log_;
    std::shared_ptr<Watchdog::Post> post_;
    std::map<Partition, ConsumerActor> watched_;
    bool unreachable_ = false;
};

}  // namespace

LogWatchActor spawn_log_watch(caf::actor_system& system, std::shared_ptr<EventLog> log, Watchdog& watchdog,
                              Thread thread) {
    return thread == Thread::own ? system.spawn<LogWatch, caf::detached>(std::move(log), std::ref(watchdog))
                                 : system.spawn<LogWatch>(std::move(log), std::ref(watchdog));
}

}  // namespace freshet
