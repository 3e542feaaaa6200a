#include "io/stored/partial_format.hpp"
#include "partial.pb.h"
#include "row.pb.h"
#include "serialization/freshet_codecs.hpp"

namespace freshet::bench {

namespace {

// `prefix` bytes stand before the message, as they are: what is stored holds a stamp and the encoding there.
template <class Message>
class MessageCodec : public Codec {
public:
    MessageCodec(std::vector<std::string> prefixes, std::vector<Message> messages)
        : prefixes_(std::move(prefixes)), messages_(std::move(messages)) {}

    std::string_view encode(std::size_t sample) final {
        bytes_ = prefixes_[sample];
        if (!messages_[sample].AppendToString(&bytes_)) fail("protobuf does not serialize a message");
        return bytes_;
    }
    void decode(std::string_view bytes) final {
        const std::size_t prefix = prefixes_.front().size();
        decoded_prefix_ = bytes.substr(0, prefix);
        if (!decoded_.ParseFromArray(bytes.data() + prefix, static_cast<int>(bytes.size() - prefix)))
            fail("protobuf does not parse its own bytes");
    }
    bool holds(std::size_t sample) const final {
        return decoded_prefix_ == prefixes_[sample] &&
               decoded_.SerializeAsString() == messages_[sample].SerializeAsString();
    }

private:
    std::vector<std::string> prefixes_;
    std::vector<Message> messages_;
    std::string bytes_;
    std::string_view decoded_prefix_;
    Message decoded_;
};

template <class Message>
CodecPtr stored_codec(std::span<const std::string> stored, std::size_t prefix) {
    std::vector<std::string> prefixes;
    std::vector<Message> messages;
    for (const std::string& bytes : stored) {
        prefixes.push_back(bytes.substr(0, prefix));
        if (!messages.emplace_back().ParseFromString(bytes.substr(prefix)))
            fail("protobuf does not parse a value");
        if (prefixes.back() + messages.back().SerializeAsString() != bytes)
            fail("protobuf writes other bytes than the hand-written codec");
    }
    return std::make_unique<MessageCodec<Message>>(std::move(prefixes), std::move(messages));
}

void set(message::Value& value, const Scalar& scalar) {
    if (const auto* integer = std::get_if<std::int64_t>(&scalar)) value.set_integer(*integer);
    if (const auto* real = std::get_if<double>(&scalar)) value.set_real(*real);
    if (const auto* text = std::get_if<std::string>(&scalar)) value.set_text(*text);
    if (const auto* flag = std::get_if<bool>(&scalar)) value.set_flag(*flag);
}

}  // namespace

CodecPtr protobuf_head_codec(std::span<const std::string> stored) {
    return stored_codec<store::Head>(stored, kStampBytes + 1);
}
CodecPtr protobuf_chunk_codec(std::span<const std::string> stored) {
    return stored_codec<store::Chunk>(stored, 1);
}

CodecPtr protobuf_codec(std::span<const Row> samples) {
    std::vector<message::Row> rows;
    for (const Row& sample : samples) {
        message::Row& row = rows.emplace_back();
        for (const Scalar& value : sample) set(*row.add_values(), value);
    }
    return std::make_unique<MessageCodec<message::Row>>(std::vector<std::string>(rows.size()), std::move(rows));
}

}  // namespace freshet::bench
