#include "model/repeat_limit.hpp"

namespace freshet {

namespace {
constexpr std::size_t kMostLines = 1000;  // beyond that lines differ, and are told
}

bool RepeatLimit::may_tell(const std::string& line, SteadyTime now) {
    const auto known = seconds_.find(line);
    if (known != seconds_.end()) return ++known->second.times <= a_second_;
    if (seconds_.size() < kMostLines) seconds_.emplace(line, Second{now, 1});
    return true;
}

std::vector<RepeatLimit::LeftOut> RepeatLimit::left_out(SteadyTime now) {
    std::vector<LeftOut> over;
    std::erase_if(seconds_, [&](const auto& entry) {
        const auto& [line, second] = entry;
        if (now - second.began < std::chrono::seconds{1}) return false;
        if (second.times > a_second_) over.push_back({line, second.times - a_second_});
        return true;
    });
    return over;
}

}  // namespace freshet
