// The node's log: one line an event, with the place it is about. Thread-safe.
#pragma once

#include <string>

#include "io/config/config.hpp"

namespace freshet::log {

// Once, before threads are started. Lines go to standard error.
void start(const LogConfig& config);

void debug(const std::string& message);
void info(const std::string& message);
void warn(const std::string& message);
void error(const std::string& message);

}  // namespace freshet::log
