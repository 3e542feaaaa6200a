#include "io/lookup/lookup_query.hpp"

#include <algorithm>
#include <charconv>
#include <functional>

#include "io/redis/resp_writer.hpp"

namespace freshet {

namespace {

// The year 9999; far from where arithmetic on times would overflow.
constexpr std::int64_t kFarthestMs = 253'402'300'799'999;

constexpr double kMostSeconds = 1e9;
constexpr std::int64_t kLongestWaitMs = 60'000;

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::string entity_columns(const ServedView& view) {
    std::string text;
    for (const std::size_t column : view.plan.view().entity) {
        if (!text.empty()) text += ", ";
        text += view.source.fields[column].name;
    }
    return text;
}

CommandError too_few(const ServedView& view) {
    return bad_argument("an entity of " + view.name() + " is given by " + std::to_string(view.columns()) +
                        (view.columns() == 1 ? " argument: " : " arguments: ") + entity_columns(view));
}

std::optional<CommandError> take_view(Arguments& left, const LookupCatalogue& catalogue, LookupQuery& query) {
    query.clear();
    if (left.empty()) return bad_argument("which view?");
    query.view = catalogue.find(left.front());
    if (!query.view) return CommandError{"NOVIEW", catalogue.no_view(left.front())};
    left = left.subspan(1);
    return std::nullopt;
}

std::optional<CommandError> take_entity(Arguments& left, LookupQuery& query) {
    const std::size_t columns = query.view->columns();
    if (left.size() < columns) return too_few(*query.view);
    query.add_entity(left.first(columns));
    left = left.subspan(columns);
    return std::nullopt;
}

std::optional<CommandError> take_feature(std::string_view name, const LookupCatalogue& catalogue,
                                         LookupQuery& query) {
    const auto found = query.view->features.find(name);
    if (found == query.view->features.end())
        return CommandError{"NOFEATURE", catalogue.no_feature(*query.view, name)};
    query.features.push_back(found->second);
    return std::nullopt;
}

// After the word FEATURES.
std::optional<CommandError> take_features(Arguments& left, const LookupCatalogue& catalogue,
                                          LookupQuery& query) {
    const auto count = left.empty() ? std::nullopt : whole_number(left.front());
    if (!count || *count < 1) return bad_argument("FEATURES is followed by how many, then their names");
    left = left.subspan(1);
    if (static_cast<std::uint64_t>(*count) > left.size())
        return bad_argument("FEATURES " + std::to_string(*count) + " is followed by " +
                            std::to_string(left.size()) + " arguments only");
    query.named = true;
    query.features.clear();
    for (const std::string_view name : left.first(static_cast<std::size_t>(*count)))
        if (auto error = take_feature(name, catalogue, query)) return error;
    left = left.subspan(static_cast<std::size_t>(*count));
    return std::nullopt;
}

// After the word AFTER: partition:offset WAIT ms.
std::optional<CommandError> take_after(Arguments& left, LookupQuery& query) {
    const CommandError wrong = bad_argument("AFTER is followed by partition:offset, then WAIT and at most " +
                                            std::to_string(kLongestWaitMs) + " milliseconds");
    if (left.size() < 3 || !is_word(left[1], "WAIT")) return wrong;
    const std::string_view place = left[0];
    const std::size_t colon = std::min(place.find(':'), place.size());
    const auto partition = whole_number(place.substr(0, colon));
    const auto offset = whole_number(place.substr(std::min(colon + 1, place.size())));
    const auto most = whole_number(left[2]);
    if (!partition || *partition < 0 || !offset || *offset < 0) return wrong;
    if (!most || *most < 0 || *most > kLongestWaitMs) return wrong;
    query.after = {static_cast<std::size_t>(*partition), Offset{*offset}, Duration{*most}};
    left = left.subspan(3);
    return std::nullopt;
}

// After the word WITH.
std::optional<CommandError> take_own_event(Arguments& left, LookupQuery& query) {
    if (left.empty()) return bad_argument("WITH is followed by an event as JSON");
    query.own_event = left.front();
    left = left.subspan(1);
    return std::nullopt;
}

// After the word ENCODING.
std::optional<CommandError> take_encoding(Arguments& left, LookupQuery& query) {
    const auto encoding = left.empty() ? std::nullopt : answer_encoding(left.front());
    if (!encoding)
        return bad_argument("ENCODING is followed by json, msgpack or protobuf" +
                            (left.empty() ? "" : ", not by '" + shown(left.front()) + "'"));
    query.encoding = *encoding;
    left = left.subspan(1);
    return std::nullopt;
}

std::optional<CommandError> take_options(Arguments left, const LookupCatalogue& catalogue, LookupQuery& query) {
    while (!left.empty()) {
        const std::string_view word = left.front();
        left = left.subspan(1);
        std::optional<CommandError> error;
        if (is_word(word, "FEATURES")) {
            error = take_features(left, catalogue, query);
        } else if (!take_option(word, left, query, error)) {
            error = bad_argument("'" + shown(word) +
                                 "' is none of FEATURES, AT, META, AFTER, WITH, ENCODING; an entity of " +
                                 query.view->name() + " is " + entity_columns(*query.view));
        }
        if (error) return error;
    }
    if (!query.named) query.features = query.view->all;
    query.named = query.named || query.encoding != AnswerEncoding::resp;
    return std::nullopt;
}

// A number of seconds with or without decimals.
std::optional<Duration> seconds(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (!(value >= 0 && value <= kMostSeconds)) return std::nullopt;
    return Duration{static_cast<std::int64_t>(value * 1000)};
}

}  // namespace

CommandError bad_argument(std::string message) { return {"BADARG", std::move(message)}; }

std::optional<CommandError> take_at(Arguments& left, std::optional<Timestamp>& at) {
    const auto ms = left.empty() ? std::nullopt : whole_number(left.front());
    if (!ms || *ms > kFarthestMs || *ms < -kFarthestMs)
        return bad_argument("AT is followed by a time in unix milliseconds");
    at = from_unix_ms(*ms);
    left = left.subspan(1);
    return std::nullopt;
}

bool take_option(std::string_view word, Arguments& left, LookupQuery& query,
                 std::optional<CommandError>& error) {
    if (is_word(word, "AT")) {
        error = take_at(left, query.at);
    } else if (is_word(word, "META")) {
        query.meta = true;
    } else if (is_word(word, "AFTER")) {
        error = take_after(left, query);
    } else if (is_word(word, "WITH")) {
        error = take_own_event(left, query);
    } else if (is_word(word, "ENCODING")) {
        error = take_encoding(left, query);
    } else {
        return false;
    }
    return true;
}

bool is_word(std::string_view text, std::string_view word) {
    if (text.size() != word.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (upper(text[i]) != word[i]) return false;
    return true;
}

std::optional<std::int64_t> whole_number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

void LookupQuery::clear() {
    view = nullptr;
    features.clear();
    named = false;
    at.reset();
    meta = false;
    max_staleness.reset();
    own_event.reset();
    after.reset();
    encoding = AnswerEncoding::resp;
    names_.clear();
    ends_.clear();
    slots_.clear();
}

void LookupQuery::add_entity(Arguments columns) {
    if (columns.size() == 1) {
        names_ += columns.front();
    } else {
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (i > 0) names_ += '|';
            for (const char c : columns[i]) {
                if (c == '\\' || c == '|') names_ += '\\';
                names_ += c;
            }
        }
    }
    ends_.push_back(names_.size());
}

std::uint32_t LookupQuery::add_distinct(Arguments columns) {
    if (2 * (entities() + 1) > slots_.size()) widen_slots();
    const std::size_t before = names_.size();
    add_entity(columns);
    const auto added = static_cast<std::uint32_t>(entities() - 1);
    std::uint32_t& slot = slots_[slot_of(entity(added))];
    if (slot == 0) {
        slot = added + 1;
    } else {
        ends_.pop_back();
        names_.resize(before);
    }
    return slot - 1;
}

// Where it is, or would be.
std::size_t LookupQuery::slot_of(std::string_view name) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = std::hash<std::string_view>{}(name)&mask;
    while (slots_[slot] != 0 && entity(slots_[slot] - 1) != name) slot = (slot + 1) & mask;
    return slot;
}

void LookupQuery::widen_slots() {
    slots_.assign(std::max<std::size_t>(16, 2 * slots_.size()), 0);
    for (std::uint32_t i = 0; i < entities(); ++i) slots_[slot_of(entity(i))] = i + 1;
}

std::optional<CommandError> parse_get(Arguments arguments, const LookupCatalogue& catalogue,
                                      LookupQuery& query) {
    if (auto error = take_view(arguments, catalogue, query)) return error;
    if (auto error = take_entity(arguments, query)) return error;
    return take_options(arguments, catalogue, query);
}

std::optional<CommandError> parse_mget(Arguments arguments, const LookupCatalogue& catalogue,
                                       std::size_t max_entities, LookupQuery& query) {
    if (auto error = take_view(arguments, catalogue, query)) return error;
    const auto count = arguments.empty() ? std::nullopt : whole_number(arguments.front());
    if (!count || *count < 0)
        return bad_argument("the view is followed by how many entities, then the entities");
    if (static_cast<std::uint64_t>(*count) > max_entities)
        return CommandError{"LIMIT", std::to_string(*count) + " entities are asked for, the limit is " +
                                         std::to_string(max_entities)};
    arguments = arguments.subspan(1);
    for (std::int64_t i = 0; i < *count; ++i)
        if (auto error = take_entity(arguments, query)) return error;
    return take_options(arguments, catalogue, query);
}

std::optional<CommandError> parse_explain(Arguments arguments, const LookupCatalogue& catalogue,
                                          LookupQuery& query) {
    if (auto error = take_view(arguments, catalogue, query)) return error;
    if (auto error = take_entity(arguments, query)) return error;
    if (arguments.empty()) return bad_argument("which feature of " + query.view->name() + "?");
    query.named = true;
    if (auto error = take_feature(arguments.front(), catalogue, query)) return error;
    arguments = arguments.subspan(1);
    if (arguments.empty()) return std::nullopt;
    if (!is_word(arguments.front(), "AT")) return bad_argument("'" + shown(arguments.front()) + "' is not AT");
    arguments = arguments.subspan(1);
    if (auto error = take_at(arguments, query.at)) return error;
    if (!arguments.empty()) return bad_argument("'" + shown(arguments.front()) + "' is one argument too many");
    return std::nullopt;
}

std::optional<CommandError> parse_freshness(Arguments arguments, const LookupCatalogue& catalogue,
                                            LookupQuery& query) {
    query.clear();
    if (arguments.empty()) return std::nullopt;
    query.max_staleness = seconds(arguments.back());
    if (arguments.size() == 2 && !query.max_staleness)
        return bad_argument("'" + shown(arguments.back()) + "' is no number of seconds");
    if (arguments.size() == 1 && query.max_staleness) return std::nullopt;
    const std::string_view name = arguments.front();
    const std::size_t dot = name.find('.');
    query.view = catalogue.find(name.substr(0, dot));
    if (!query.view) return CommandError{"NOVIEW", catalogue.no_view(name.substr(0, dot))};
    if (dot == std::string_view::npos) return std::nullopt;
    return take_feature(name.substr(dot + 1), catalogue, query);
}

}  // namespace freshet
