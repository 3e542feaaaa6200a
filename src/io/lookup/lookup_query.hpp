// What one request about a view asks for, checked and with its names resolved.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/lookup/answer_encoding.hpp"
#include "io/lookup/lookup_catalogue.hpp"

namespace freshet {

struct CommandError {
    std::string_view code;  // first word of the reply: NOVIEW, BADARG ...
    std::string message;
};
using Arguments = std::span<const std::string_view>;

// Its memory is used again from query to query.
struct LookupQuery {
    const ServedView* view = nullptr;
    std::vector<std::size_t> features;  // indices into ViewPlan::features
    bool named = false;                 // by FEATURES or at the head of the answer: values without names
    std::optional<Timestamp> at;
    bool meta = false;
    std::optional<Duration> max_staleness;  // of FS.FRESHNESS
    std::optional<std::string> own_event;   // behind WITH
    struct After {
        std::size_t partition = 0;
        Offset offset{};
        Duration most{};  // to be waited
    };
    std::optional<After> after;
    AnswerEncoding encoding = AnswerEncoding::resp;

    std::size_t entities() const { return ends_.size(); }
    std::string_view entity(std::size_t i) const {
        const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
        return std::string_view(names_).substr(begin, ends_[i] - begin);
    }
    void clear();
    // `columns` of one entity; its name is theirs joined (docs/semantics.md, Views).
    void add_entity(Arguments columns);
    // The same, unless it is there already; returns which it is. For a query whose entities are all added so.
    std::uint32_t add_distinct(Arguments columns);

private:
    std::size_t slot_of(std::string_view name) const;
    void widen_slots();

    std::string names_;
    std::vector<std::size_t> ends_;
    std::vector<std::uint32_t> slots_;  // of add_distinct(): 1 + the entity, by the hash of its name; 0: free
};

// view entity... [FEATURES n f...] [AT unix_ms] [META] [AFTER partition:offset WAIT ms] [WITH json]
// [ENCODING json|msgpack|protobuf]; `arguments` without the command's name.
std::optional<CommandError> parse_get(Arguments arguments, const LookupCatalogue& catalogue,
                                      LookupQuery& query);
// view n entity... ... [the same]
std::optional<CommandError> parse_mget(Arguments arguments, const LookupCatalogue& catalogue,
                                       std::size_t max_entities, LookupQuery& query);
// view entity... feature [AT unix_ms]
std::optional<CommandError> parse_explain(Arguments arguments, const LookupCatalogue& catalogue,
                                          LookupQuery& query);

// [view[.feature]] [max_staleness_s]; without a name the query has no view
std::optional<CommandError> parse_freshness(Arguments arguments, const LookupCatalogue& catalogue,
                                            LookupQuery& query);

// For parsers: an error of the arguments, and the time behind the word AT.
CommandError bad_argument(std::string message);
std::optional<CommandError> take_at(Arguments& left, std::optional<Timestamp>& at);
// Takes what stands behind `word`, which is an option of all look-ups: AT, META, AFTER, WITH,
// ENCODING. False: it is
// none.
bool take_option(std::string_view word, Arguments& left, LookupQuery& query,
                 std::optional<CommandError>& error);

// Whether `text` is `word`, which is in capitals, in any case.
bool is_word(std::string_view text, std::string_view word);
// A whole decimal number.
std::optional<std::int64_t> whole_number(std::string_view text);

}  // namespace freshet
