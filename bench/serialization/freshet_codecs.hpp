// The stored values' own codecs, and protobuf's generated code for the same messages.
#pragma once

#include "serialization/codec.hpp"
#include "serialization/samples.hpp"

namespace freshet::bench {

// Rows in memory to bytes, and bytes to states, as flushes and loads do.
CodecPtr head_codec(const Kind& kind);
CodecPtr chunk_codec(const Kind& kind);
// Reads as look-ups do: bytes to the values of all features.
CodecPtr in_place_codec(const Kind& kind);
// `stored`: what head_codec() or chunk_codec() writes.
CodecPtr protobuf_head_codec(std::span<const std::string> stored);
CodecPtr protobuf_chunk_codec(std::span<const std::string> stored);

// The features of each sample as of its newest event, by FeatureReader from the decoded head.
std::vector<Row> rows_of(const Kind& kind);

}  // namespace freshet::bench
