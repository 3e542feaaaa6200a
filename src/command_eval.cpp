#include <algorithm>
#include <charconv>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "command_support.hpp"
#include "commands.hpp"
#include "evaluation.hpp"
#include "event_file.hpp"
#include "io/config/config_file.hpp"

namespace freshet {

namespace {

using Json = nlohmann::ordered_json;
using Instants = std::vector<std::optional<Timestamp>>;  // none: the view's clock

// Counts by what and why, each with the first of its kind.
class RefusalSummary {
public:
    void add(const Evaluation::Refused& refused, const std::string& place) {
        const Rejection& rejection = refused.rejection;
        const std::string where =
            rejection.view.empty() ? "source " + refused.source->name : "view " + rejection.view;
        auto& kind = kinds_[where + ": " + std::string(name_of(rejection.letter.reason))];
        if (kind.count++ == 0) kind.first = place + ": " + rejection.letter.message;
    }

    void print() const {
        for (const auto& [what, kind] : kinds_)
            std::cerr << "dead letters of " << what << ": " << kind.count << ", the first at " << kind.first
                      << "\n";
    }

private:
    struct Kind {
        std::uint64_t count = 0;
        std::string first;
    };
    std::map<std::string, Kind> kinds_;
};

Result<Instants> parse_instants(const std::vector<std::string>& texts) {
    Instants instants;
    for (const std::string& text : texts) {
        if (text == "clock") {
            instants.emplace_back();
            continue;
        }
        std::int64_t ms = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
        if (error != std::errc{} || end != text.data() + text.size())
            return Error{Errc::invalid_argument, "--at '" + text + "' is neither unix milliseconds nor clock"};
        instants.emplace_back(from_unix_ms(ms));
    }
    if (instants.empty()) return Error{Errc::invalid_argument, "--at is missing: unix milliseconds, or clock"};
    return instants;
}

Result<void> check_views(const Definitions& definitions, const EvalOptions& options, const Instants& instants) {
    for (const std::string& name : options.views)
        if (!definitions.find_view(name)) return unknown_view(definitions, name);
    if (std::ranges::all_of(instants, [](const auto& instant) { return instant.has_value(); })) return {};
    for (const View& view : definitions.views) {
        const bool asked =
            options.views.empty() || std::ranges::find(options.views, view.name) != options.views.end();
        if (asked && view.clock == View::Clock::wall)
            return Error{Errc::invalid_argument, "--at clock: view " + view.name +
                                                     " has clock: wall, so its time must be given in unix "
                                                     "milliseconds (or choose other views with --view)"};
    }
    return {};
}

// Feeds a file to an evaluation.
Result<void> feed(const EvalOptions& options, const Definitions& definitions, Evaluation& evaluation,
                  RefusalSummary& summary) {
    const Source* source = nullptr;
    std::optional<OwnTime> own_time;
    if (!options.records) {
        const auto chosen = choose_source(definitions, options.source);
        if (!chosen) return chosen.error();
        source = *chosen;
        if (source->time.format == TimeSpec::Format::kafka)
            return Error{Errc::invalid_argument,
                         "source " + source->name +
                             " takes Kafka's timestamp, which a plain file does not hold; "
                             "give it records (--records)"};
        own_time.emplace(*source);
    }
    auto file = EventFile::open(options.events,
                                options.records ? EventFile::Format::records : EventFile::Format::plain);
    if (!file) return Error{Errc::unavailable, file.error().message};

    EventRecord record;
    std::vector<Evaluation::Refused> refused;
    for (;;) {
        const auto more = (*file)->next(record);
        if (!more) return Error{Errc::unavailable, more.error().message};
        if (!*more) break;
        if (source) {
            record.topic = source->topic;
            record.timestamp = own_time->of(*record.value);
        }
        const LogRecord log_record{record.offset, record.timestamp, {}, record.value};
        if (!evaluation.add(record.topic, record.partition, log_record, refused))
            return Error{Errc::unavailable,
                         (*file)->place() + ": offset " + std::to_string(record.offset.value) + " of " +
                             Partition{record.topic, record.partition}.text() +
                             " comes after a higher or equal one; sort the file by partition and offset"};
        for (const auto& one : refused) summary.add(one, (*file)->place());
        refused.clear();
    }
    evaluation.finish();
    return {};
}

void print_row(const View& view, const std::string& entity, const std::optional<Timestamp>& at,
               const FeatureAnswer& answer) {
    Json row;
    row["view"] = view.name;
    row["entity"] = entity;
    row["at"] = at ? Json(unix_ms(*at)) : Json(nullptr);
    Json values = Json::object();
    Json statuses = Json::object();
    for (std::size_t f = 0; f < view.features.size(); ++f) {
        const FeatureValue& value = answer.values[f];
        values[view.features[f].name] = value.overflow ? Json(nullptr) : json_of(value.value);
        statuses[view.features[f].name] = answer.missing ? "missing" : value.overflow ? "overflow" : "ok";
    }
    row["values"] = std::move(values);
    row["statuses"] = std::move(statuses);
    std::cout << row.dump() << "\n";
}

Result<void> print_all(const Evaluation& evaluation, const Instants& instants) {
    for (const auto& instant : instants) {
        for (std::size_t v = 0; v < evaluation.views(); ++v) {
            const auto earliest = evaluation.earliest(v);
            if (instant && earliest && *instant < *earliest)
                return Error{Errc::unavailable,
                             "--at " + std::to_string(unix_ms(*instant)) + ": the earliest time that view " +
                                 evaluation.view(v).name + " can be asked for is " +
                                 std::to_string(unix_ms(*earliest)) + ", its retain before the newest event"};
            const auto at = instant ? instant : evaluation.clock(v);
            evaluation.read(v, at, [&](const std::string& entity, const FeatureAnswer& answer) {
                print_row(evaluation.view(v), entity, at, answer);
            });
        }
    }
    return {};
}

}  // namespace

int command_eval(const EvalOptions& options) {
    const auto config = load_config(options.config);
    if (!config) return failed(config.error(), kUsage);
    const auto instants = parse_instants(options.at);
    if (!instants) return failed(instants.error(), kUsage);
    if (auto checked = check_views(config->definitions, options, *instants); !checked)
        return failed(checked.error(), kUsage);

    std::ios::sync_with_stdio(false);
    Evaluation evaluation(config->definitions, options.views);
    RefusalSummary summary;
    if (auto fed = feed(options, config->definitions, evaluation, summary); !fed)
        return failed(fed.error(), fed.error().code == Errc::invalid_argument ? kUsage : kFailed);
    summary.print();
    if (evaluation.late() > 0)
        std::cerr << "late: " << evaluation.late() << " events came when no feature kept their tile any more\n";
    if (auto printed = print_all(evaluation, *instants); !printed) return failed(printed.error(), kFailed);
    std::cout.flush();
    if (!std::cout) return failed({Errc::unavailable, "the output cannot be written"}, kFailed);
    return kDone;
}

}  // namespace freshet
