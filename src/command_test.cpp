#include <algorithm>
#include <iostream>

#include "command_support.hpp"
#include "commands.hpp"
#include "feature_test_run.hpp"
#include "io/config/config_reader.hpp"

namespace freshet {

namespace {

using Json = nlohmann::ordered_json;

struct TestFile {
    std::string path;
    FeatureTests content;
};

Result<std::vector<TestFile>> load_all(const std::vector<std::string>& paths) {
    std::vector<TestFile> files;
    for (const std::string& path : paths) {
        auto tests = load_feature_tests(path);
        if (!tests) return tests.error();
        files.push_back({path, *std::move(tests)});
    }
    return files;
}

// Each name that is asked for is that of a test.
Result<void> check_names(const std::vector<TestFile>& files, const std::vector<std::string>& only) {
    KnownNames known;
    for (const TestFile& file : files)
        for (const FeatureTest& test : file.content.tests) known.names.push_back(test.name);
    for (const std::string& name : only)
        if (!known.holds(name)) return Error{Errc::invalid_argument, "--only: " + known.explain("test", name)};
    return {};
}

// What was judged.
std::string subject(const FeatureFailure& failure) {
    if (!failure.source.empty()) return "event " + std::to_string(failure.event) + " of " + failure.source;
    return failure.view + " " + text_of(failure.entity) +
           (failure.at ? " at " + utc_text(*failure.at) : " without an event");
}

void print_failure(const FeatureFailure& failure) {
    std::cout << "  " << failure.place << ": " << subject(failure) << "\n    "
              << (failure.feature.empty() ? "" : failure.feature + ": ") << "expected "
              << text_of(failure.expected) << ", got " << text_of(failure.got)
              << (failure.note.empty() ? "" : " (" + failure.note + ")") << "\n";
    if (failure.feature.empty() || !failure.at) return;
    if (failure.events.size() < failure.counted) {
        std::cout << "    it counts " << failure.counted << " events\n";
    } else if (failure.events.empty()) {
        std::cout << "    it counts no event\n";
    } else {
        std::cout << "    it counts:\n";
        for (const std::string& event : failure.events) std::cout << "      " << printable(event) << "\n";
    }
}

void print_text(const TestFile& file, const FeatureTest& test, const FeatureVerdict& verdict) {
    std::cout << (verdict.failures.empty() ? "ok    " : "FAIL  ") << file.path << ": " << test.name << "\n";
    if (verdict.failures.empty()) return;
    for (const FeatureFailure& failure : verdict.failures) print_failure(failure);
    if (verdict.late > 0) std::cout << "  " << verdict.late << " events came too late and were dropped\n";
}

Json json_of_failure(const FeatureFailure& failure) {
    Json out{{"place", failure.place}};
    if (failure.source.empty()) {
        out["view"] = failure.view;
        out["entity"] = failure.entity;
        out["at"] = failure.at ? Json(unix_ms(*failure.at)) : Json(nullptr);
        if (!failure.feature.empty()) out["feature"] = failure.feature;
    } else {
        out["source"] = failure.source;
        out["event"] = failure.event;
    }
    out["expected"] = failure.expected;
    out["got"] = failure.got;
    if (!failure.note.empty()) out["note"] = failure.note;
    if (!failure.feature.empty()) {
        out["events"] = failure.events;
        out["events_counted"] = failure.counted;
    }
    return out;
}

void print_json(const TestFile& file, const FeatureTest& test, const FeatureVerdict& verdict) {
    Json failures = Json::array();
    for (const FeatureFailure& failure : verdict.failures) failures.push_back(json_of_failure(failure));
    const Json line{{"file", file.path},    {"line", test.place.line},
                    {"test", test.name},    {"passed", verdict.failures.empty()},
                    {"late", verdict.late}, {"failures", std::move(failures)}};
    std::cout << text_of(line) << "\n";
}

}  // namespace

int command_test(const TestOptions& options) {
    const auto files = load_all(options.files);
    if (!files) return failed(files.error(), kUsage);
    if (auto known = check_names(*files, options.only); !known) return failed(known.error(), kUsage);

    std::size_t passed = 0;
    std::size_t judged = 0;
    for (const TestFile& file : *files) {
        for (const FeatureTest& test : file.content.tests) {
            if (!options.only.empty() && std::ranges::find(options.only, test.name) == options.only.end())
                continue;
            const auto verdict = judge(file.content.config.definitions, test);
            if (!verdict) return failed(verdict.error(), kUsage);
            (options.json ? print_json : print_text)(file, test, *verdict);
            ++judged;
            if (verdict->failures.empty()) ++passed;
        }
    }
    if (!options.json) std::cout << passed << " passed, " << judged - passed << " failed\n";
    std::cout.flush();
    if (!std::cout) return failed({Errc::unavailable, "the output cannot be written"}, kFailed);
    return passed == judged ? kDone : kFailed;
}

}  // namespace freshet
