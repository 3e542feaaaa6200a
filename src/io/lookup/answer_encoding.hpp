// Answers as one string in an encoding of the client's choice (ENCODING): JSON, MessagePack or protobuf.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

struct LookupRequest;
struct ServedService;

enum class AnswerEncoding : std::uint8_t { resp, json, msgpack, protobuf };

// By its name, in any case. None: there is no such encoding of answers as one string.
std::optional<AnswerEncoding> answer_encoding(std::string_view name);

// A value of an answer, as RESP3 has it.
struct AnswerValue {
    char type = '_';        // ':' integer, ',' double, '$' string, '#' boolean, '_' null
    std::string_view text;  // of all but null
};

// What all rows of an answer have in common.
struct AnswerShape {
    std::vector<std::string_view> features;  // in the order of the values of a row
    std::vector<std::string_view> views;
    bool meta = false;
};

struct AnswerRow {
    std::vector<AnswerValue> values;
    // With META:
    std::vector<std::string_view> statuses;
    struct Freshness {
        AnswerValue staleness, newest_event;  // in milliseconds; either may be null
    };
    std::vector<Freshness> freshness;  // one a view
};

// Rewrites answers of RESP3 in one pass, so that rows are written, kept and put together in one way only,
// whatever the client asks for. Its memory is used again.
class AnswerEncoder {
public:
    // Appends the answer of a request that is done, did not fail and has an encoding. Its body is the answer in
    // RESP3, with values that stand without names.
    void encode(const LookupRequest& request, std::string& out);

private:
    void take_shape(const LookupRequest& request);
    void place_by_view(const ServedService& service);

    AnswerShape shape_;
    AnswerRow row_;
    std::vector<std::size_t> places_;  // of the features, among those of the views one behind the other
    std::vector<std::size_t> next_;    // scratch: by view
};

}  // namespace freshet
