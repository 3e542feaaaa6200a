// Tables of wrong configurations and of what load_config says of them: every message with its exact place.
#pragma once

#include <doctest/doctest.h>

#include <sstream>
#include <string>

#include "io/config/config_file.hpp"

namespace freshet::test::config_errors {

inline const std::string kSource =
    "sources: {s: {topic: t, fields: {n: int, x: float, name: string, ok: bool}}}\n";
inline const std::string kView =
    "views: {v: {source: s, entity: name, features: {c: {count: \"*\", window: 1h}}}}\n";

inline std::string error_of(const std::string& text) {
    const auto config = parse_config(text, "c.yaml");
    return config ? "no error" : config.error().message;
}

// Every input of a table stands on a line, below it its error without the file's name; the first line is empty.
inline void check_table(const std::string& table, const std::string& before, const std::string& after = "") {
    std::istringstream lines{table.substr(1)};
    std::string input;
    std::string expected;
    int rows = 0;
    for (; std::getline(lines, input) && std::getline(lines, expected); ++rows) {
        CAPTURE(input);
        CHECK(error_of(before + input + after) == "c.yaml:" + expected.substr(expected.find_first_not_of(' ')));
    }
    CHECK(rows > 0);
}

}  // namespace freshet::test::config_errors
