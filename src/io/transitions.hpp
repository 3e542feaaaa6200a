// What changed last, for FS.STATUS.
#pragma once

#include <ctime>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "model/ids.hpp"

namespace freshet {

inline std::string utc_seconds(Timestamp t) {
    const std::time_t seconds = unix_ms(t) / 1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

class Transitions {
public:
    static constexpr std::size_t kMost = 16;

    void add(Timestamp at, const std::string& what) {
        texts_.push_front(utc_seconds(at) + " " + what);
        if (texts_.size() > kMost) texts_.pop_back();
    }

    // Named `kind` and a number; 1 is the newest.
    std::vector<std::pair<std::string, std::string>> lines(const std::string& kind) const {
        std::vector<std::pair<std::string, std::string>> lines;
        for (const std::string& text : texts_)
            lines.emplace_back(kind + " " + std::to_string(lines.size() + 1), text);
        return lines;
    }

private:
    std::deque<std::string> texts_;
};

}  // namespace freshet
