// A row as the look-up server answers it in RESP3, read by hand as a quick client would.
#include <charconv>

#include "io/lookup/lookup_row.hpp"
#include "serialization/codec.hpp"

namespace freshet::bench {

namespace {

class RespReader {
public:
    explicit RespReader(std::string_view bytes) : left_(bytes) {}

    std::string_view line() {
        const std::size_t end = left_.find('\r');
        if (end == std::string_view::npos) fail("resp: no line end");
        return taken(end, 2);
    }
    std::string_view bulk(std::size_t size) {
        if (left_.size() < size + 2) fail("resp: too short");
        return taken(size, 2);
    }

private:
    std::string_view taken(std::size_t size, std::size_t more) {
        const std::string_view out = left_.substr(0, size);
        left_.remove_prefix(size + more);
        return out;
    }

    std::string_view left_;
};

template <class T>
T number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) fail("resp: not a number");
    return value;
}

class RespCodec final : public PlainCodec<Row> {
public:
    using PlainCodec::PlainCodec;

    std::string_view encode(std::size_t sample) override {
        const Row& row = samples_[sample];
        bytes_.clear();
        RespWriter out(bytes_, Resp::v3);
        out.array(row.size());
        for (const Scalar& value : row) write_scalar(value, out);
        return bytes_;
    }
    void decode(std::string_view bytes) override {
        RespReader in(bytes);
        decoded_.resize(number<std::size_t>(in.line().substr(1)));
        for (Scalar& value : decoded_) read(in, value);
    }

private:
    static void read(RespReader& in, Scalar& value) {
        const std::string_view line = in.line();
        const std::string_view rest = line.substr(1);
        switch (line.front()) {
            case ':':
                value = number<std::int64_t>(rest);
                break;
            case ',':
                value = number<double>(rest);
                break;
            case '$':
                set_text(value, in.bulk(number<std::size_t>(rest)));
                break;
            case '_':
                value = std::monostate{};
                break;
            default:
                fail("resp: a kind of value that no row has");
        }
    }

    std::string bytes_;
};

}  // namespace

CodecPtr resp_codec(std::span<const Row> samples) { return std::make_unique<RespCodec>(samples); }

}  // namespace freshet::bench
