#include "io/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "model/repeat_limit.hpp"

namespace freshet::log {

namespace {

using std::chrono::steady_clock;
constexpr std::size_t kEqualASecond = 10;

bool as_json = false;

class Repeats {
public:
    bool may_tell(const std::string& message) {
        const std::lock_guard lock(mutex_);
        return limit_.may_tell(message, steady_clock::now());
    }
    auto left_out() {
        const std::lock_guard lock(mutex_);
        return limit_.left_out(steady_clock::now());
    }

private:
    std::mutex mutex_;
    RepeatLimit limit_{kEqualASecond};
};

Repeats repeats;

void write_line(spdlog::level::level_enum level, const std::string& message, const About& about) {
    spdlog::log(level, "{}", as_json ? json_members(message, about) : one_line(message));
}

void write(spdlog::level::level_enum level, const std::string& message, const About& about) {
    if (!spdlog::should_log(level)) return;
    for (const auto& [line, times] : repeats.left_out())
        write_line(spdlog::level::warn, "written " + std::to_string(times) + " times more: " + line, {});
    if (repeats.may_tell(message)) write_line(level, message, about);
}

}  // namespace

void start(const LogConfig& config) {
    auto logger =
        std::make_shared<spdlog::logger>("freshet", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    spdlog::set_default_logger(logger);
    as_json = config.format == LogConfig::Format::json;
    spdlog::set_pattern(
        as_json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v)" : "%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v",
        spdlog::pattern_time_type::utc);
    spdlog::set_level(static_cast<spdlog::level::level_enum>(config.level));
    spdlog::flush_on(spdlog::level::warn);
}

void debug(const std::string& message, const About& about) { write(spdlog::level::debug, message, about); }
void info(const std::string& message, const About& about) { write(spdlog::level::info, message, about); }
void warn(const std::string& message, const About& about) { write(spdlog::level::warn, message, about); }
void error(const std::string& message, const About& about) { write(spdlog::level::err, message, about); }

std::string one_line(const std::string& message) {
    std::string line;
    for (const char c : message) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n') {
            line += "\\n";
        } else if (c == '\t') {
            line += "\\t";
        } else if (byte < 0x20 || byte == 0x7f) {
            line += fmt::format("\\x{:02x}", byte);
        } else {
            line += c;
        }
    }
    return line;
}

std::string json_members(const std::string& message, const About& about) {
    nlohmann::ordered_json line{{"message", message}};
    if (about.partition) {
        line["topic"] = about.partition->topic;
        line["partition"] = about.partition->id.value;
    }
    if (about.offset) line["offset"] = about.offset->value;
    if (about.epoch) line["epoch"] = about.epoch->value;
    if (!about.view.empty()) line["view"] = about.view;
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(1);
}

}  // namespace freshet::log
