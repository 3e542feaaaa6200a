// Any bytes as the value of a Kafka record: decoded or refused with a reason, never more.
#include <cstdint>
#include <cstdlib>

#include "io/events/event_decoder.hpp"

namespace {

using namespace freshet;

Source orders() {
    Source source;
    source.name = source.topic = "orders";
    source.time.format = TimeSpec::Format::iso8601;
    source.time.path = {"at"};
    source.fields = {{"store", {"store"}, FieldType::string},
                     {"items", {"items"}, FieldType::int64},
                     {"amount", {"amount"}, FieldType::float64},
                     {"express", {"express"}, FieldType::boolean},
                     {"city", {"address", "city"}, FieldType::string}};
    return source;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Source source = orders();
    static EventDecoder decoder(source);
    StringArena strings;
    std::vector<Value> values;
    Timestamp time{};
    const std::string_view payload(reinterpret_cast<const char*>(data), size);
    const auto letter = decoder.decode(payload, from_unix_ms(1'700'000'000'000), strings, values, time);
    // All fields, or none and a reason that says something.
    if (values.size() != (letter ? 0 : source.fields.size())) std::abort();
    if (letter && letter->message.empty()) std::abort();
    return 0;
}
