// The node's log: one line an event, with the place it is about. Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "io/config/config.hpp"
#include "model/ids.hpp"

namespace freshet::log {

// What a line is about, as fields of their own for those who search the log. In text the message says it.
struct About {
    std::optional<Partition> partition = std::nullopt;
    std::optional<Offset> offset = std::nullopt;
    std::optional<Epoch> epoch = std::nullopt;
    std::string view = {};
};

// Once, before threads are started. Lines go to standard error.
void start(const LogConfig& config);

// Of equal messages ten a second are written, and how many more there were with the next line after that
// second.
void debug(const std::string& message, const About& about = {});
void info(const std::string& message, const About& about = {});
void warn(const std::string& message, const About& about = {});
void error(const std::string& message, const About& about = {});

// A message as a line of text holds it: what would end the line, or change a terminal, is spelled out.
std::string one_line(const std::string& message);
// The members of a line's JSON object behind its time and level, with the closing brace.
std::string json_members(const std::string& message, const About& about);

}  // namespace freshet::log
