#include "io/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

namespace freshet::log {

namespace {

bool as_json = false;

void write(spdlog::level::level_enum level, const std::string& message) {
    if (!spdlog::should_log(level)) return;
    spdlog::log(level, "{}",
                as_json ? nlohmann::json(message).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
                        : message);
}

}  // namespace

void start(const LogConfig& config) {
    auto logger =
        std::make_shared<spdlog::logger>("freshet", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    spdlog::set_default_logger(logger);
    as_json = config.format == LogConfig::Format::json;
    spdlog::set_pattern(as_json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":%v})"
                                : "%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v",
                        spdlog::pattern_time_type::utc);
    spdlog::set_level(static_cast<spdlog::level::level_enum>(config.level));
    spdlog::flush_on(spdlog::level::warn);
}

void debug(const std::string& message) { write(spdlog::level::debug, message); }
void info(const std::string& message) { write(spdlog::level::info, message); }
void warn(const std::string& message) { write(spdlog::level::warn, message); }
void error(const std::string& message) { write(spdlog::level::err, message); }

}  // namespace freshet::log
