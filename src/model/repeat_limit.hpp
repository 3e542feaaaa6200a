// Of lines that are the same, so many a second are told; how many were not is told afterwards.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace freshet {

class RepeatLimit {
public:
    using SteadyTime = std::chrono::steady_clock::time_point;

    explicit RepeatLimit(std::size_t a_second) : a_second_(a_second) {}

    // Whether this line is to be told.
    bool may_tell(const std::string& line, SteadyTime now);

    struct LeftOut {
        std::string line;
        std::size_t times;
    };
    // Of the seconds that are over, each of which began with its line. Once each.
    std::vector<LeftOut> left_out(SteadyTime now);

private:
    struct Second {
        SteadyTime began;
        std::size_t times = 0;
    };
    const std::size_t a_second_;
    std::map<std::string, Second> seconds_;  // of the lines of late, kMostLines at most
};

}  // namespace freshet
