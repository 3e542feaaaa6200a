// The files of the status page, as they stand in src/io/status/page.
#pragma once

#include <span>
#include <string_view>

namespace freshet {

struct StatusFile {
    std::string_view name;  // index.html
    std::string_view content;
};
std::span<const StatusFile> status_files();

}  // namespace freshet
