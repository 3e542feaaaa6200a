#include "io/events/event_decoder.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "io/events/event_time.hpp"
#include "io/events/path_tree.hpp"

namespace freshet {
namespace {

using Element = simdjson::dom::element;
using Json = simdjson::dom::element_type;
using Path = std::vector<std::string>;

// ---- Dead letters

std::string_view name_of(Json type) {
    switch (type) {
        case Json::ARRAY:
            return "array";
        case Json::OBJECT:
            return "object";
        case Json::INT64:
        case Json::UINT64:
            return "int";
        case Json::DOUBLE:
            return "float";
        case Json::STRING:
            return "string";
        case Json::BOOL:
            return "bool";
        case Json::NULL_VALUE:
            return "null";
    }
    return "nothing";
}

std::string_view describe(simdjson::error_code error) {
    switch (error) {
        case simdjson::UTF8_ERROR:
            return "not valid UTF-8";
        case simdjson::NUMBER_ERROR:
            return "a number is misspelt or out of range";
        case simdjson::STRING_ERROR:
            return "a string has a bad escape";
        case simdjson::UNESCAPED_CHARS:
            return "a string has a control character that is not escaped";
        case simdjson::UNCLOSED_STRING:
            return "a string has no end";
        case simdjson::DEPTH_ERROR:
            return "nested too deep";
        case simdjson::CAPACITY:
            return "too large";
        case simdjson::MEMALLOC:
            return "no memory to parse it";
        case simdjson::EMPTY:
            return "empty";
        default:
            return "not valid JSON";
    }
}

std::string joined(const Path& path) {
    std::string out;
    for (const std::string& step : path) out.append(out.empty() ? "" : ".").append(step);
    return out;
}

// The first 64 bytes of `text`, never half a character.
std::string excerpt(std::string_view text) {
    constexpr std::size_t kLongest = 64;
    if (text.size() <= kLongest) return std::string(text);
    std::size_t end = kLongest;
    while (end > 0 && (text[end] & 0xC0) == 0x80) --end;
    return std::string(text.substr(0, end)) + "...";
}

std::string_view describe(TimeSpec::Format format) {
    switch (format) {
        case TimeSpec::Format::unix_seconds:
            return "a number of unix seconds";
        case TimeSpec::Format::unix_ms:
            return "an integer of unix milliseconds";
        case TimeSpec::Format::iso8601:
            return "an RFC 3339 time with a zone designator";
        default:
            return "a time of the pattern";
    }
}

// What a message quotes of a value of type string or number; the name of its type otherwise.
std::string describe(Element element) {
    switch (element.type()) {
        case Json::STRING:
            return "'" + excerpt(element.get_string().value_unsafe()) + "'";
        case Json::INT64:
        case Json::UINT64:
        case Json::DOUBLE:
            return simdjson::minify(element);
        default:
            return std::string(name_of(element.type()));
    }
}

}  // namespace

// ---- The decoder

struct EventDecoder::Impl {
    struct Column {
        std::string name;
        FieldType type;
        std::size_t slot;
    };

    TimeSpec time;
    Result<TimePattern> pattern = Error{Errc::invalid_argument, "no pattern"};
    std::vector<Column> columns;
    PathTree tree;
    std::size_t time_slot = 0;
    simdjson::dom::parser parser;
    std::unique_ptr<char[]> padded;  // of capacity + SIMDJSON_PADDING bytes
    std::size_t capacity = 0;

    explicit Impl(const Source& source);
    simdjson::error_code parse(std::string_view payload, Element& root);
    bool read_field(const Column& column, StringArena& arena, Value& value) const;
    std::optional<Timestamp> read_time(Element element) const;
    DeadLetter bad_field(const Column& column) const;
    DeadLetter bad_time() const;
};

EventDecoder::Impl::Impl(const Source& source) : time(source.time) {
    for (const FieldDef& field : source.fields) {
        columns.push_back(
            {field.name, field.type, tree.add(field.path.empty() ? Path{field.name} : field.path)});
    }
    if (time.format == TimeSpec::Format::kafka) return;
    time_slot = tree.add(time.path);
    if (time.format == TimeSpec::Format::pattern) pattern = TimePattern::make(time.pattern, time.zone);
}

simdjson::error_code EventDecoder::Impl::parse(std::string_view payload, Element& root) {
    if (payload.empty()) return simdjson::EMPTY;
    if (payload.size() > capacity) {
        capacity = std::max<std::size_t>({payload.size(), capacity * 2, 4096});
        padded = std::make_unique<char[]>(capacity + simdjson::SIMDJSON_PADDING);
    }
    std::memcpy(padded.get(), payload.data(), payload.size());
    return parser.parse(padded.get(), payload.size(), false).get(root);
}

// False if the field has another type.
bool EventDecoder::Impl::read_field(const Column& column, StringArena& arena, Value& value) const {
    const Found& found = tree[column.slot];
    const Json type = found.present ? found.element.type() : Json::NULL_VALUE;
    if (type == Json::NULL_VALUE) return true;
    switch (column.type) {
        case FieldType::int64:
            if (type != Json::INT64) return false;
            value = found.element.get_int64().value_unsafe();
            return true;
        case FieldType::float64: {
            const auto number = found.element.get_double();
            if (number.error() != simdjson::SUCCESS) return false;
            value = number.value_unsafe();
            return true;
        }
        case FieldType::string: {
            if (type != Json::STRING) return false;
            const std::string_view text = found.element.get_string().value_unsafe();
            value = text.empty() ? std::string_view("") : arena.copy(text);
            return true;
        }
        case FieldType::boolean:
            if (type != Json::BOOL) return false;
            value = found.element.get_bool().value_unsafe();
            return true;
    }
    return false;
}

std::optional<Timestamp> EventDecoder::Impl::read_time(Element element) const {
    const Json type = element.type();
    switch (time.format) {
        case TimeSpec::Format::kafka:
            break;
        case TimeSpec::Format::unix_seconds:
            if (type == Json::INT64) return time_from_unix_seconds(element.get_int64().value_unsafe());
            if (type == Json::DOUBLE) return time_from_unix_seconds(element.get_double().value_unsafe());
            break;
        case TimeSpec::Format::unix_ms:
            if (type == Json::INT64) return time_from_unix_ms(element.get_int64().value_unsafe());
            break;
        case TimeSpec::Format::iso8601:
            if (type == Json::STRING) return time_from_rfc3339(element.get_string().value_unsafe());
            break;
        case TimeSpec::Format::pattern:
            if (type == Json::STRING && pattern) return pattern->read(element.get_string().value_unsafe());
            break;
    }
    return std::nullopt;
}

DeadLetter EventDecoder::Impl::bad_field(const Column& column) const {
    const Element element = tree[column.slot].element;
    const std::string field = "field '" + column.name + "': ";
    if (column.type == FieldType::int64 && element.type() == Json::UINT64) {
        return {DeadLetterReason::overflow,
                field + describe(element) + " does not fit an int (64 bits, signed)"};
    }
    std::string message = field + "expected " + std::string(name_of(column.type)) + ", found ";
    return {DeadLetterReason::wrong_type, message.append(name_of(element.type()))};
}

DeadLetter EventDecoder::Impl::bad_time() const {
    const Found& found = tree[time_slot];
    std::string message =
        "time field '" + joined(time.path) + "': expected " + std::string(describe(time.format));
    if (time.format == TimeSpec::Format::pattern) message += " '" + time.pattern + "'";
    message += ", found " + (found.present ? describe(found.element) : "nothing");
    if (time.format == TimeSpec::Format::pattern && !pattern) message = pattern.error().message;
    return {DeadLetterReason::no_time, message};
}

EventDecoder::EventDecoder(const Source& source) : impl_(std::make_unique<Impl>(source)) {}
EventDecoder::~EventDecoder() = default;
EventDecoder::EventDecoder(EventDecoder&&) noexcept = default;

std::optional<DeadLetter> EventDecoder::decode(std::string_view payload, Timestamp kafka_time,
                                               StringArena& arena, std::vector<Value>& values,
                                               Timestamp& time) {
    Impl& impl = *impl_;
    Element root;
    if (const auto error = impl.parse(payload, root)) {
        return DeadLetter{DeadLetterReason::malformed, std::string(describe(error))};
    }
    simdjson::dom::object object;
    if (root.get_object().get(object)) {
        return DeadLetter{DeadLetterReason::malformed,
                          "expected object, found " + std::string(name_of(root.type()))};
    }
    impl.tree.look_up(object);
    const std::size_t before = values.size();
    for (const Impl::Column& column : impl.columns) {
        if (impl.read_field(column, arena, values.emplace_back())) continue;
        values.resize(before);
        return impl.bad_field(column);
    }
    std::optional<Timestamp> read = kafka_time;
    if (impl.time.format != TimeSpec::Format::kafka) {
        const Found& found = impl.tree[impl.time_slot];
        read = found.present ? impl.read_time(found.element) : std::nullopt;
    }
    if (!read) {
        values.resize(before);
        return impl.bad_time();
    }
    time = *read;
    return std::nullopt;
}

}  // namespace freshet
