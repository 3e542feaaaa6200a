// What a node says of its partitions and of the turns of its sources, in FS.STATUS and to whoever waits for it
// to catch up: written by the supervisor, read by others. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "io/transitions.hpp"
#include "model/ids.hpp"

namespace freshet {

class NodeStatus {
public:
    void set(const Partition& partition, std::string line) {
        const std::lock_guard lock(mutex_);
        lines_[partition] = std::move(line);
    }
    void recorded(const Partition& partition, Offset next) {
        const std::lock_guard lock(mutex_);
        recorded_[partition] = next;
    }
    void turn_changed(Timestamp at, const std::string& what) {
        const std::lock_guard lock(mutex_);
        turns_.add(at, what);
    }
    void remove(const Partition& partition) {
        const std::lock_guard lock(mutex_);
        lines_.erase(partition);
        recorded_.erase(partition);
    }

    std::vector<std::pair<std::string, std::string>> lines() const {
        const std::lock_guard lock(mutex_);
        auto all = turns_.lines("turn");
        for (const auto& [partition, line] : lines_) all.emplace_back("partition " + partition.text(), line);
        return all;
    }
    // The offset each owned partition's record has reached, as reported once a second.
    std::map<Partition, Offset> recorded() const {
        const std::lock_guard lock(mutex_);
        return recorded_;
    }

private:
    mutable std::mutex mutex_;
    std::map<Partition, std::string> lines_;
    std::map<Partition, Offset> recorded_;
    Transitions turns_;
};

}  // namespace freshet
