// What a node says of its partitions and of the turns of its sources, in FS.STATUS, on its status page and to
// whoever waits for it to catch up: written by the supervisor and the auditor, read by others. Thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "io/transitions.hpp"
#include "model/ids.hpp"

namespace freshet {

struct PartitionReport {
    enum class State : std::uint8_t { starting, running, failed };

    State state = State::starting;
    // While it runs, as reported once a second.
    Epoch epoch{};
    Offset next{};  // recorded
    Offset end{};   // of the log
    std::size_t entities = 0;
    std::string error = {};  // why it failed; it begins again by itself

    std::int64_t lag() const { return std::max<std::int64_t>(0, end.value - next.value); }
    // For FS.STATUS.
    std::string text() const {
        if (state == State::starting) return "starting";
        if (state == State::failed) return "failed: " + error;
        return "running epoch=" + std::to_string(epoch.value) + " next=" + std::to_string(next.value) +
               " end=" + std::to_string(end.value) + " lag=" + std::to_string(lag()) +
               " entities=" + std::to_string(entities);
    }
};

class NodeStatus {
public:
    void set(const Partition& partition, PartitionReport report) {
        const std::lock_guard lock(mutex_);
        if (report.state == PartitionReport::State::running) recorded_[partition] = report.next;
        reports_[partition] = std::move(report);
    }
    // A line of its own, behind those of the partitions.
    void note(const std::string& name, std::string line) {
        const std::lock_guard lock(mutex_);
        notes_[name] = std::move(line);
    }
    void turn_changed(Timestamp at, const std::string& what) {
        const std::lock_guard lock(mutex_);
        turns_.add(at, what);
    }
    void shed_changed(Timestamp at, const std::string& what) {
        const std::lock_guard lock(mutex_);
        sheds_.add(at, what);
    }
    // Whether this node leaves the view out, for others of its source. `view`: its id.
    void set_shed(const std::string& view, bool shed) {
        const std::lock_guard lock(mutex_);
        if (shed)
            shed_views_.insert(view);
        else
            shed_views_.erase(view);
    }
    void remove(const Partition& partition) {
        const std::lock_guard lock(mutex_);
        reports_.erase(partition);
        recorded_.erase(partition);
    }

    std::vector<std::pair<std::string, std::string>> lines() const {
        const std::lock_guard lock(mutex_);
        auto all = turns_.lines("turn");
        for (auto& line : sheds_.lines("shed")) all.push_back(std::move(line));
        for (const auto& [partition, report] : reports_)
            all.emplace_back("partition " + partition.text(), report.text());
        for (const auto& [name, line] : notes_) all.emplace_back(name, line);
        return all;
    }
    // Of the partitions that this node owns.
    std::map<Partition, PartitionReport> reports() const {
        const std::lock_guard lock(mutex_);
        return reports_;
    }
    // The ids of the views that this node leaves out.
    std::set<std::string> shed_views() const {
        const std::lock_guard lock(mutex_);
        return shed_views_;
    }
    // The offset each owned partition's record has reached, as reported once a second.
    std::map<Partition, Offset> recorded() const {
        const std::lock_guard lock(mutex_);
        return recorded_;
    }

private:
    mutable std::mutex mutex_;
    std::map<Partition, PartitionReport> reports_;
    std::map<Partition, Offset> recorded_;
    std::map<std::string, std::string> notes_;
    Transitions turns_;
    Transitions sheds_;
    std::set<std::string> shed_views_;
};

}  // namespace freshet
