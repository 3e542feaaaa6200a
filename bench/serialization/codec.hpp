// What the study of encodings measures: ways to write samples as bytes and to read them back.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "model/result.hpp"
#include "serialization/value.hpp"

namespace freshet::bench {

// Holds the samples in the form that it writes from, and what it has read, with all numbers as native ones. Its
// memory is used again from call to call.
class Codec {
public:
    virtual ~Codec() = default;
    // The bytes stay until the next call.
    virtual std::string_view encode(std::size_t sample) = 0;
    // kPadding bytes behind `bytes` may be read. Throws on what encode() does not write.
    virtual void decode(std::string_view bytes) = 0;
    // Whether what was decoded last is all of that sample.
    virtual bool holds(std::size_t sample) const = 0;
};
constexpr std::size_t kPadding = 64;

// A codec of samples that are plain values.
template <class T>
class PlainCodec : public Codec {
public:
    explicit PlainCodec(std::span<const T> samples) : samples_(samples) {}
    bool holds(std::size_t sample) const final { return decoded_ == samples_[sample]; }

protected:
    std::span<const T> samples_;
    T decoded_;
};

template <class T>
T checked(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
}
inline void checked(Result<void> result) {
    if (!result) throw std::runtime_error(result.error().message);
}

[[noreturn]] inline void fail(const char* what) { throw std::runtime_error(what); }

using CodecPtr = std::unique_ptr<Codec>;

// The general formats. What is given outlives the codec.
CodecPtr json_codec(std::span<const StoredValue> samples);
CodecPtr json_codec(std::span<const Row> samples, const RowSchema& schema);
CodecPtr nlohmann_codec(std::span<const StoredValue> samples);
CodecPtr nlohmann_codec(std::span<const Row> samples, const RowSchema& schema);
CodecPtr msgpack_codec(std::span<const StoredValue> samples);
CodecPtr msgpack_codec(std::span<const Row> samples, const RowSchema& schema);
CodecPtr raw_codec(std::span<const StoredValue> samples);
CodecPtr raw_codec(std::span<const Row> samples, const RowSchema& schema);
// Into its own objects, and from them, already filled.
CodecPtr protobuf_codec(std::span<const Row> samples);
// A row as FS.GET answers it after HELLO 3.
CodecPtr resp_codec(std::span<const Row> samples);

}  // namespace freshet::bench
