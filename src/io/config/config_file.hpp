// Reads a configuration file (YAML) into a Config in which every default is resolved and every name exists.
//
// An error reads `FILE:LINE:COLUMN: what is wrong; how to mend it`. Of several errors the first in the file is
// told, though syntax comes before settings and sources, these before views, and views before services. The
// result depends on the file, the files it includes, the environment variables it names and, where they are
// installed, the time zones of the machine (/usr/share/zoneinfo); on nothing else.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "io/config/config.hpp"
#include "model/result.hpp"

namespace freshet {

Result<Config> load_config(const std::filesystem::path& path);

// `file_name` stands in messages, and `include:` is relative to its folder.
Result<Config> parse_config(std::string_view text, const std::string& file_name);

// A YAML file's text. Errors give the reason alone, without the file's name.
Result<std::string> read_config_file(const std::filesystem::path& path);

}  // namespace freshet
