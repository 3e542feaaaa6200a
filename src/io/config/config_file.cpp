#include "io/config/config_file.hpp"

#include <glob.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <system_error>

#include "io/config/config_reader.hpp"
#include "io/config/config_sections.hpp"
#include "io/config/config_sources.hpp"
#include "io/config/config_text.hpp"
#include "io/config/config_tree.hpp"
#include "io/config/config_users.hpp"
#include "io/config/config_views.hpp"

namespace freshet {
namespace {

namespace fs = std::filesystem;
using Kind = ConfigNode::Kind;

constexpr std::uintmax_t kLargestFile = 16 << 20;

// The files of an `include:` pattern in the order of their names.
std::vector<std::string> expand(const std::string& pattern) {
    glob_t found{};
    std::vector<std::string> files;
    if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
        files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    }
    globfree(&found);
    return files;
}

// Reads the main file and those it includes, then sections, sources, views and services over all of them. A
// later step only runs if the earlier ones found no error, so that one mistake is not told twice.
class ConfigLoader {
public:
    Result<Config> load(std::string_view text, const std::string& file_name) {
        auto main = parse_tree(text, file_name, 0);
        if (!main) return main.error();
        if (main->kind == Kind::null) {
            return refuse(main->place,
                          "the file is empty; write at least `sources:` and `views:`, as in "
                          "examples/flights.yaml");
        }
        if (main->kind != Kind::map) {
            return refuse(main->place,
                          "a configuration is a map; begin with `sources:` and `views:` "
                          "(examples/complete.yaml shows every option)");
        }
        documents_.push_back(*std::move(main));
        if (auto included = read_includes(file_name); !included) return included.error();

        for (std::size_t i = 0; i < documents_.size(); ++i) check_keys(documents_[i], i == 0);
        read_sections(documents_.front(), config_, errors_);
        each("sources", [&](const ConfigEntry& entry) {
            read_source(entry, config_.kafka, config_.definitions, errors_);
        });
        check_dead_letters();
        if (errors_.any()) return errors_.first();
        each("views", [&](const ConfigEntry& entry) { read_view(entry, config_.definitions, errors_); });
        if (!errors_.any() && config_.definitions.views.empty()) {
            errors_.add(documents_.front().place, "no view is declared; add one under `views:`");
        }
        if (errors_.any()) return errors_.first();
        each("services", [&](const ConfigEntry& entry) { read_service(entry, config_.definitions, errors_); });
        if (const ConfigNode* lookup = documents_.front().find("lookup")) read_users(*lookup, config_, errors_);
        if (const ConfigNode* metrics = documents_.front().find("metrics"))
            check_metrics_access(*metrics, config_, errors_);
        if (errors_.any()) return errors_.first();
        warn_of_unused_sources();
        warn_of_idle_priorities();
        config_.warnings = errors_.warnings();
        return std::move(config_);
    }

private:
    Result<void> read_includes(const std::string& file_name) {
        const ConfigNode* include = documents_.front().find("include");
        if (include == nullptr) return {};
        const fs::path folder = fs::path{file_name}.parent_path();
        std::error_code ignored;
        std::set<fs::path> seen{fs::weakly_canonical(file_name, ignored)};
        std::vector<std::pair<ConfigPlace, std::string>> patterns;
        for (const ConfigNode* item : read_list(*include, "include", errors_)) {
            if (auto text = read_text(*item, "include", errors_))
                patterns.emplace_back(item->place, *std::move(text));
        }
        if (errors_.any()) return errors_.first();
        for (const auto& [place, pattern] : patterns) {
            const auto files = expand((folder / pattern).string());
            if (files.empty() && pattern.find_first_of("*?[") == std::string::npos) {
                return refuse(place, "include: there is no file " + in_quotes(pattern) +
                                         "; the path is relative to this file");
            }
            if (files.empty()) errors_.warn(place, "include: no file matches " + in_quotes(pattern));
            for (const std::string& file : files) {
                if (!seen.insert(fs::weakly_canonical(file, ignored)).second) continue;
                if (auto added = add_document(file, place); !added) return added;
            }
        }
        return {};
    }

    Result<void> add_document(const std::string& file, const ConfigPlace& included_at) {
        const auto text = read_config_file(file);
        if (!text) return text.error().within(included_at.text() + ": include: " + file);
        auto tree = parse_tree(*text, file, static_cast<int>(documents_.size()));
        if (!tree) return tree.error();
        if (tree->kind != Kind::map && tree->kind != Kind::null) {
            return refuse(tree->place,
                          "an included file is a map; begin with `sources:`, `views:` or `services:`");
        }
        tree->place.file = file;
        documents_.push_back(*std::move(tree));
        return {};
    }

    void check_keys(const ConfigNode& document, bool main) {
        KnownNames declarations{{"sources", "views", "services"}, {}, {}};
        KnownNames all = declarations;
        all.names.insert(all.names.end(), section_names().begin(), section_names().end());
        all.names.emplace_back("include");
        for (const ConfigEntry& entry : document.entries) {
            const bool declares = declarations.holds(entry.key);
            if (!main && !declares && all.holds(entry.key)) {
                errors_.add(entry.place,
                            in_quotes(entry.key) + " may only stand in the main file; move it there");
            } else if (!declares && !(main && all.holds(entry.key))) {
                errors_.add(entry.place, (main ? all : declarations).explain("key", entry.key));
            } else if (declares && entry.value.kind != Kind::map && entry.value.kind != Kind::null) {
                errors_.add(entry.value.place,
                            entry.key + " is not a map; write a name and a colon before each, and no dashes");
            }
        }
    }

    // Calls `read` with each entry of a key of all files, and complains of a name that an earlier file has.
    template <class Read>
    void each(std::string_view key, Read read) {
        std::map<std::string, ConfigPlace> first;
        for (const ConfigNode& document : documents_) {
            const ConfigNode* map = document.find(key);
            if (map == nullptr) continue;
            for (const ConfigEntry& entry : map->entries) {
                const auto [earlier, fresh] = first.emplace(entry.key, entry.place);
                if (fresh) {
                    read(entry);
                } else {
                    errors_.add(entry.place, in_quotes(entry.key) + " is already declared at " +
                                                 earlier->second.text() + "; remove or rename one of the two");
                }
            }
        }
        if (key == "sources") sources_ = std::move(first);
        if (key == "views") views_ = std::move(first);
    }

    void check_dead_letters() {
        for (const Source& letters : config_.definitions.sources) {
            for (const Source& source : config_.definitions.sources) {
                if (&letters == &source || letters.dead_letter_topic != source.topic) continue;
                errors_.add(sources_.at(letters.name),
                            "source " + letters.name + " writes its dead letters to " +
                                in_quotes(source.topic) + ", which source " + source.name +
                                " reads; set another dead_letter_topic");
            }
        }
    }

    void warn_of_unused_sources() {
        for (const Source& source : config_.definitions.sources) {
            const bool used = std::ranges::find(config_.definitions.views, source.name, &View::source) !=
                              config_.definitions.views.end();
            if (!used) errors_.warn(sources_.at(source.name), "source " + source.name + " is used by no view");
        }
    }

    void warn_of_idle_priorities() {
        const auto& views = config_.definitions.views;
        for (const View& view : views) {
            const auto is_worth_it = [&](const View& other) {
                return other.source == view.source && other.priority != Priority::low &&
                       tightest_staleness(other);
            };
            if (view.priority != Priority::low || std::ranges::any_of(views, is_worth_it)) continue;
            errors_.warn(views_.at(view.name), "view " + view.name +
                                                   ": `priority: low` does nothing, since no view "
                                                   "of source " +
                                                   view.source +
                                                   " but those of low priority has a "
                                                   "max_staleness to keep");
        }
    }

    std::vector<ConfigNode> documents_;  // the main file first
    std::map<std::string, ConfigPlace> sources_, views_;
    ConfigErrors errors_;
    Config config_;
};

}  // namespace

Result<std::string> read_config_file(const fs::path& path) {
    std::error_code failure;
    const auto status = fs::status(path, failure);
    if (!fs::exists(status)) return Error{Errc::not_found, "there is no such file"};
    if (fs::is_directory(status)) return Error{Errc::invalid_argument, "this is a directory; name a file"};
    const auto size = fs::is_regular_file(status) ? fs::file_size(path, failure) : 0;
    if (size > kLargestFile)
        return Error{Errc::invalid_argument, "the file is larger than 16 MiB; split it by include:"};
    std::ifstream file{path, std::ios::binary};
    std::ostringstream text;
    if (!file || !(text << file.rdbuf() || size == 0)) {
        return Error{Errc::unavailable, "the file cannot be read; check its permissions"};
    }
    return text.str();
}

Result<Config> load_config(const fs::path& path) {
    const auto text = read_config_file(path);
    if (!text) return text.error().within(path.string());
    return parse_config(*text, path.string());
}

Result<Config> parse_config(std::string_view text, const std::string& file_name) {
    return ConfigLoader{}.load(text, file_name);
}

}  // namespace freshet
