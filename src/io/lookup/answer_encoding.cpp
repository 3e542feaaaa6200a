#include "io/lookup/answer_encoding.hpp"

#include <span>

#include "io/lookup/answer_writers.hpp"
#include "io/lookup/lookup_request.hpp"

namespace freshet {

namespace {

// Walks over an answer that this program wrote in RESP3.
class AnswerReader {
public:
    explicit AnswerReader(std::string_view answer) : left_(answer) {}

    std::size_t array() { return number(line()); }
    AnswerValue value() {
        const char type = left_.front();
        const std::string_view text = line();
        if (type != '$') return {type, text};
        const std::string_view string = left_.substr(0, number(text));
        left_.remove_prefix(string.size() + 2);
        return {type, string};
    }

private:
    // Without its mark.
    std::string_view line() {
        const std::size_t end = left_.find('\r');
        const std::string_view text = left_.substr(1, end - 1);
        left_.remove_prefix(end + 2);
        return text;
    }
    static std::size_t number(std::string_view text) {
        return static_cast<std::size_t>(whole_number(text).value_or(0));
    }

    std::string_view left_;
};

// Puts what is read to the places of a row: of the next value, `places` says for which feature it is.
class RowFiller {
public:
    RowFiller(AnswerReader& from, std::span<const std::size_t> places, AnswerRow& row)
        : from_(from), places_(places), row_(row) {}

    void values() {
        for (std::size_t i = from_.array(); i > 0; --i) row_.values[places_[values_++]] = from_.value();
    }
    // As META gives it.
    void view() {
        from_.array();
        values();
        for (std::size_t i = from_.array(); i > 0; --i)
            row_.statuses[places_[statuses_++]] = from_.value().text;
        const AnswerValue staleness = from_.value();
        row_.freshness[views_++] = {staleness, from_.value()};
    }

private:
    AnswerReader& from_;
    std::span<const std::size_t> places_;
    AnswerRow& row_;
    std::size_t values_ = 0, statuses_ = 0, views_ = 0;
};

// `parted`: rows with META are arrays of views.
template <class Writer>
void write_rows(AnswerReader& from, std::size_t rows, bool parted, const AnswerShape& shape,
                std::span<const std::size_t> places, AnswerRow& row, Writer&& writer) {
    writer.begin(shape, rows);
    for (std::size_t i = 0; i < rows; ++i) {
        RowFiller filler(from, places, row);
        if (!shape.meta) {
            filler.values();
        } else if (!parted) {
            filler.view();
        } else {
            for (std::size_t views = from.array(); views > 0; --views) filler.view();
        }
        writer.row(shape, row);
    }
    writer.end();
}

}  // namespace

std::optional<AnswerEncoding> answer_encoding(std::string_view name) {
    if (is_word(name, "JSON")) return AnswerEncoding::json;
    if (is_word(name, "MSGPACK")) return AnswerEncoding::msgpack;
    if (is_word(name, "PROTOBUF")) return AnswerEncoding::protobuf;
    return std::nullopt;
}

void AnswerEncoder::take_shape(const LookupRequest& request) {
    shape_.features.clear();
    shape_.views.clear();
    places_.clear();
    if (request.kind != LookupRequest::Kind::vector) {
        const LookupQuery& query = request.query;
        for (const std::size_t feature : query.features)
            shape_.features.push_back(query.view->plan.features()[feature].name);
        shape_.views.push_back(query.view->name());
        shape_.meta = query.meta;
    } else {
        const ServedService& service = *request.vector.service;
        shape_.features.assign(service.names.begin(), service.names.end());
        for (const ServedService::Part& part : service.parts) shape_.views.push_back(part.view->name());
        shape_.meta = request.parts.front()->query.meta;
    }
    for (std::size_t i = 0; i < shape_.features.size(); ++i) places_.push_back(i);
    if (request.kind == LookupRequest::Kind::vector && shape_.meta) place_by_view(*request.vector.service);
}

void AnswerEncoder::place_by_view(const ServedService& service) {
    next_.assign(service.parts.size(), 0);
    for (std::size_t p = 1; p < service.parts.size(); ++p)
        next_[p] = next_[p - 1] + service.parts[p - 1].features.size();
    std::size_t feature = 0;
    for (const ServedService::Run& run : service.runs)
        for (std::size_t i = service.parts[run.part].runs[run.number]; i > 0; --i)
            places_[next_[run.part]++] = feature++;
}

void AnswerEncoder::encode(const LookupRequest& request, std::string& out) {
    take_shape(request);
    row_.values.resize(shape_.features.size());
    row_.statuses.resize(shape_.features.size());
    row_.freshness.resize(shape_.views.size());
    AnswerReader from(request.body);
    const std::size_t rows = request.kind == LookupRequest::Kind::get ? 1 : from.array();
    const auto write = [&](auto&& writer) {
        write_rows(from, rows, request.kind == LookupRequest::Kind::vector, shape_, places_, row_, writer);
    };
    switch (request.encoding()) {
        case AnswerEncoding::resp:
            break;
        case AnswerEncoding::json:
            return write(JsonAnswerWriter(out));
        case AnswerEncoding::msgpack:
            return write(MsgpackAnswerWriter(out));
        case AnswerEncoding::protobuf:
            return write(ProtobufAnswerWriter(out));
    }
}

}  // namespace freshet
