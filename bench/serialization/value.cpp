#include "serialization/value.hpp"

#include <stdexcept>

#include "io/stored/partial_format.hpp"
#include "partial.pb.h"

namespace freshet::bench {

namespace {

Column column_of(const store::Column& from) {
    if (from.high_size() > 0 || from.flag_size() > 0)
        throw std::runtime_error("a sample has wide sums or flags, which the study leaves out");
    Column column;
    column.integers[0].assign(from.count().begin(), from.count().end());
    column.integers[1].assign(from.integer().begin(), from.integer().end());
    column.integers[2].assign(from.time().begin(), from.time().end());
    column.integers[3].assign(from.offset().begin(), from.offset().end());
    column.reals[0].assign(from.real().begin(), from.real().end());
    column.reals[1].assign(from.spread().begin(), from.spread().end());
    column.texts.assign(from.blob().begin(), from.blob().end());
    return column;
}

Merge merge_of(const store::Merged& from) {
    Merge merge;
    if (from.has_complete_behind()) merge.complete = static_cast<std::int64_t>(from.complete_behind());
    merge.from = static_cast<std::int64_t>(from.from_behind());
    merge.tiles = from.tiles();
    for (const auto& column : from.columns()) merge.columns.push_back(column_of(column));
    return merge;
}

template <class Message>
TileList tiles_of(const Message& from) {
    TileList list;
    list.tiles.assign(from.tiles().begin(), from.tiles().end());
    for (const auto& column : from.columns()) list.columns.push_back(column_of(column));
    return list;
}

template <class Message>
Message parsed(std::string_view payload) {
    Message message;
    if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size())))
        throw std::runtime_error("protobuf does not parse a stored value");
    return message;
}

}  // namespace

StoredValue value_of_head(std::string_view bytes) {
    const Stamp stamp = *decode_stamp(bytes);
    const auto head = parsed<store::Head>(bytes.substr(kStampBytes + 1));
    StoredValue value;
    value.numbers = {stamp.generation.value, stamp.offset.value, head.layout(), head.partition(),
                     head.newest()};
    for (const auto& from : head.resolutions()) {
        TileList& list = value.resolutions.emplace_back(tiles_of(from));
        if (from.has_sealed_behind()) list.sealed = static_cast<std::int64_t>(from.sealed_behind());
        for (const auto& window : from.windows()) list.windows.push_back(merge_of(window));
    }
    return value;
}

StoredValue value_of_chunk(std::string_view bytes) {
    const auto chunk = parsed<store::Chunk>(bytes.substr(1));
    StoredValue value;
    value.numbers = {chunk.layout()};
    value.resolutions.push_back(tiles_of(chunk));
    return value;
}

}  // namespace freshet::bench
