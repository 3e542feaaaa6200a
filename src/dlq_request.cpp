#include "dlq_request.hpp"

#include <iostream>
#include <set>

#include "command_support.hpp"
#include "io/config/config_file.hpp"

namespace freshet {

namespace {

Result<void> choose_sources(const DlqOptions& options, DlqRequest& request) {
    const Definitions& definitions = request.config.definitions;
    if (options.source.empty()) {
        for (const Source& source : definitions.sources) request.sources.push_back(&source);
        return {};
    }
    const auto source = choose_source(definitions, options.source);
    if (!source) return source.error().within("--source");
    request.sources = {*source};
    request.filter.topic = (*source)->topic;
    return {};
}

Result<void> choose_place(const DlqOptions& options, DlqRequest& request) {
    if (!options.partition) return {};
    if (*options.partition < 0 || *options.offset < 0)
        return Error{Errc::invalid_argument,
                     "--partition and --offset: write numbers from 0, as show tells them"};
    const auto boxes = request.boxes();
    if (boxes.size() > 1)
        return Error{Errc::invalid_argument,
                     "--partition: of which topic? The sources have several of dead "
                     "letters, " +
                         boxes[0] + " and " + boxes[1] + " among them; add --source"};
    request.filter.place = LetterPlace{PartitionId{*options.partition}, Offset{*options.offset}};
    return {};
}

}  // namespace

std::vector<std::string> DlqRequest::boxes() const {
    std::set<std::string> topics;
    for (const Source* source : sources) topics.insert(source->dead_letter_topic);
    return {topics.begin(), topics.end()};
}

std::string DlqRequest::source_of(const std::string& topic) const {
    for (const Source& source : config.definitions.sources)
        if (source.topic == topic) return source.name;
    return "";
}

Result<std::unique_ptr<DlqRequest>> dlq_request(const DlqOptions& options) {
    auto config = load_config(options.config);
    if (!config) return config.error();
    auto request = std::make_unique<DlqRequest>();
    request->config = *std::move(config);
    auto kafka = outside_settings(options.config, request->config);
    if (!kafka) return kafka.error();
    request->kafka = *std::move(kafka);
    if (auto known = check_reason(options.reason); !known) return known.error();
    request->filter.reason = options.reason;
    if (auto chosen = choose_sources(options, *request); !chosen) return chosen.error();
    if (auto chosen = choose_place(options, *request); !chosen) return chosen.error();
    return request;
}

int dlq_status(const Error& error) { return error.code == Errc::invalid_argument ? kUsage : kFailed; }

void warn_of_strange(const LetterBox& box) {
    if (box.strange() == 0) return;
    std::cerr << "freshet: " << box.topic() << " holds " << box.strange()
              << " records that are no dead letters; another program's?\n";
}

}  // namespace freshet
