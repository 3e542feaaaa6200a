#include "io/lookup/lookup_vector.hpp"

#include <algorithm>

#include "io/lookup/lookup_request.hpp"
#include "model/nearest_name.hpp"

namespace freshet {

namespace {

std::string list_of(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

// After KEYS or ROWS: how many.
std::optional<std::size_t> take_count(Arguments& left, std::int64_t least) {
    const auto count = left.empty() ? std::nullopt : whole_number(left.front());
    if (!count || *count < least) return std::nullopt;
    left = left.subspan(1);
    return static_cast<std::size_t>(*count);
}

class VectorParser {
public:
    VectorParser(const ServedService& service, std::size_t max_entities, VectorQuery& into)
        : service_(service), max_entities_(max_entities), into_(into) {}

    std::optional<CommandError> parse(Arguments left) {
        bool has_rows = false;
        while (!left.empty()) {
            const std::string_view word = left.front();
            left = left.subspan(1);
            std::optional<CommandError> error;
            if (is_word(word, "KEYS") && keys_.empty()) {
                error = take_keys(left);
            } else if (is_word(word, "ROWS") && !keys_.empty() && !has_rows) {
                has_rows = true;
                error = take_rows(left);
            } else if (!take_option(word, left, asked_, error)) {
                error = bad_argument("'" + shown(word) + "' is out of place; " + how());
            }
            if (error) return error;
        }
        if (!has_rows) return bad_argument("no ROWS are given; " + how());
        return give_options();
    }

private:
    std::string how() const {
        return "a service is asked with [AT unix_ms] [META] [AFTER partition:offset WAIT ms] [WITH json] "
               "[ENCODING json|msgpack|protobuf] KEYS k name... ROWS n value..., and the keys of " +
               service_.name + " are " + list_of(service_.keys);
    }

    std::optional<CommandError> give_options() {
        if (asked_.own_event)
            if (auto error = of_one("WITH", "source", &Source::name)) return error;
        if (asked_.after)
            if (auto error = of_one("AFTER", "topic", &Source::topic)) return error;
        into_.own_event = asked_.own_event;
        into_.encoding = asked_.encoding;
        for (std::size_t p = 0; p < service_.parts.size(); ++p) {
            LookupQuery& part = into_.parts[p];
            part.view = service_.parts[p].view;
            part.features = service_.parts[p].features;
            part.named = true;
            part.at = asked_.at;
            part.meta = asked_.meta;
            part.own_event = asked_.own_event;
            part.after = asked_.after;
        }
        return std::nullopt;
    }

    // What is behind `word` is of one source, or topic, and so must all views be.
    std::optional<CommandError> of_one(const char* word, const std::string& what,
                                       std::string Source::*name) const {
        const ServedView& first = *service_.parts.front().view;
        for (const ServedService::Part& part : service_.parts) {
            const ServedView& view = *part.view;
            if (view.source.*name == first.source.*name) continue;
            return bad_argument(word + (": the views of service " + service_.name) + " are of several " + what +
                                "s, " + first.name() + " of " + first.source.*name + " and " + view.name() +
                                " of " + view.source.*name + "; ask for them in services of one " + what +
                                " each");
        }
        return std::nullopt;
    }

    std::optional<CommandError> take_keys(Arguments& left) {
        const auto count = take_count(left, 1);
        if (!count) return bad_argument("KEYS is followed by how many, then their names");
        if (*count > left.size())
            return bad_argument("KEYS " + std::to_string(*count) + " is followed by " +
                                std::to_string(left.size()) + " arguments only");
        keys_ = left.first(*count);
        left = left.subspan(*count);
        for (std::size_t i = 0; i < keys_.size(); ++i)
            if (auto error = check_key(i)) return error;
        return place_columns();
    }

    std::optional<CommandError> check_key(std::size_t i) const {
        const std::string key(keys_[i]);
        if (std::ranges::find(keys_.first(i), keys_[i]) != keys_.begin() + static_cast<std::ptrdiff_t>(i))
            return bad_argument("KEYS holds '" + shown(key) + "' twice");
        if (std::ranges::find(service_.keys, key) != service_.keys.end()) return std::nullopt;
        const std::string nearest = nearest_name(key, service_.keys);
        return bad_argument(
            "no view of service " + service_.name + " has the entity column '" + shown(key) + "'; " +
            (nearest.empty() ? "they have " + list_of(service_.keys) : "did you mean '" + nearest + "'?"));
    }

    // Where the entity columns of each part stand among the keys.
    std::optional<CommandError> place_columns() {
        for (const ServedService::Part& part : service_.parts) {
            for (const std::size_t column : part.view->plan.view().entity) {
                const std::string& name = part.view->source.fields[column].name;
                const auto found = std::ranges::find(keys_, name);
                if (found == keys_.end())
                    return bad_argument("KEYS lacks '" + name + "', an entity column of view " +
                                        part.view->name() + "; the keys of service " + service_.name + " are " +
                                        list_of(service_.keys));
                places_.push_back(static_cast<std::size_t>(found - keys_.begin()));
            }
        }
        return std::nullopt;
    }

    std::optional<CommandError> take_rows(Arguments& left) {
        const auto rows = take_count(left, 0);
        if (!rows) return bad_argument("ROWS is followed by how many, then a value for each key of each row");
        if (*rows > max_entities_) return limit(std::to_string(*rows) + " rows are");
        if (*rows * keys_.size() > left.size())
            return bad_argument("ROWS " + std::to_string(*rows) + " with " + std::to_string(keys_.size()) +
                                " keys is followed by " + std::to_string(*rows * keys_.size()) +
                                " values, not by " + std::to_string(left.size()));
        into_.rows = *rows;
        std::size_t first_place = 0;
        for (std::size_t p = 0; p < service_.parts.size(); ++p) {
            const std::size_t columns = service_.parts[p].view->columns();
            add_entities(into_.parts[p], left, std::span(places_).subspan(first_place, columns));
            first_place += columns;
            into_.entities += into_.parts[p].entities();
        }
        left = left.subspan(*rows * keys_.size());
        if (into_.entities > max_entities_)
            return limit(std::to_string(into_.entities) + " distinct entities are");
        return std::nullopt;
    }

    void add_entities(LookupQuery& part, Arguments values, std::span<const std::size_t> places) {
        columns_.resize(places.size());
        for (std::size_t row = 0; row < into_.rows; ++row) {
            for (std::size_t i = 0; i < places.size(); ++i)
                columns_[i] = values[row * keys_.size() + places[i]];
            into_.entity_of.push_back(part.add_distinct(columns_));
        }
    }

    CommandError limit(const std::string& what) const {
        return {"LIMIT", what + " asked for, the limit is " + std::to_string(max_entities_)};
    }

    const ServedService& service_;
    std::size_t max_entities_;
    VectorQuery& into_;
    LookupQuery asked_;  // its options alone, which all parts have
    Arguments keys_;
    std::vector<std::size_t> places_;  // of all entity columns of all parts
    std::vector<std::string_view> columns_;
};

// The end of the value, neither array nor map, that begins at `at`.
std::size_t end_of_value(std::string_view text, std::size_t at) {
    const std::size_t line_end = text.find('\n', at) + 1;
    if (text[at] != '$') return line_end;
    const auto size = whole_number(text.substr(at + 1, line_end - 2 - (at + 1)));
    return *size < 0 ? line_end : line_end + static_cast<std::size_t>(*size) + 2;
}

// The values of each row of a part, cut where the service goes on with another view: one more cut than runs.
void cut_rows(const ServedService::Part& part, const LookupRequest& answered, std::vector<std::size_t>& cuts) {
    const std::string_view text = answered.body;
    for (const LookupRequest::Row& row : answered.rows) {
        std::size_t at = text.find('\n', row.begin) + 1;
        cuts.push_back(at);
        for (std::size_t run = 0; run + 1 < part.runs.size(); ++run) {
            for (std::size_t i = 0; i < part.runs[run]; ++i) at = end_of_value(text, at);
            cuts.push_back(at);
        }
        cuts.push_back(row.end);
    }
}

}  // namespace

void VectorQuery::clear() {
    service = nullptr;
    rows = entities = 0;
    own_event.reset();
    encoding = AnswerEncoding::resp;
    for (LookupQuery& part : parts) part.clear();
    entity_of.clear();
    cuts.clear();
}

std::optional<CommandError> parse_vector(Arguments arguments, const LookupCatalogue& catalogue,
                                         std::size_t max_entities, VectorQuery& vector) {
    vector.clear();
    if (arguments.empty()) return bad_argument("which service?");
    const ServedService* service = catalogue.find_service(arguments.front());
    if (!service) return CommandError{"NOSERVICE", catalogue.no_service(arguments.front())};
    vector.service = service;
    if (vector.parts.size() < service->parts.size()) vector.parts.resize(service->parts.size());
    return VectorParser(*service, max_entities, vector).parse(arguments.subspan(1));
}

void write_vector(LookupRequest& request, RespWriter& out) {
    VectorQuery& vector = request.vector;
    const ServedService& service = *vector.service;
    const auto entity_of = [&](std::size_t part, std::size_t row) {
        return vector.entity_of[part * vector.rows + row];
    };
    out.array(vector.rows);
    if (request.parts.front()->query.meta) {
        for (std::size_t row = 0; row < vector.rows; ++row) {
            out.array(service.parts.size());
            for (std::size_t p = 0; p < service.parts.size(); ++p) {
                const LookupRequest& part = *request.parts[p];
                const LookupRequest::Row& its = part.rows[entity_of(p, row)];
                out.out().append(part.body, its.begin, its.end - its.begin);
            }
        }
        return;
    }
    std::vector<std::size_t> first_cut;
    for (std::size_t p = 0; p < service.parts.size(); ++p) {
        first_cut.push_back(vector.cuts.size());
        cut_rows(service.parts[p], *request.parts[p], vector.cuts);
    }
    for (std::size_t row = 0; row < vector.rows; ++row) {
        out.array(service.features);
        for (const ServedService::Run& run : service.runs) {
            const std::size_t cut = first_cut[run.part] +
                                    entity_of(run.part, row) * (service.parts[run.part].runs.size() + 1) +
                                    run.number;
            out.out().append(request.parts[run.part]->body, vector.cuts[cut],
                             vector.cuts[cut + 1] - vector.cuts[cut]);
        }
    }
}

}  // namespace freshet
