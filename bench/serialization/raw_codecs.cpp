// The limit: numbers of 8 bytes as they lie in memory, bits that say which are there, and memcpy.
#include <cstring>

#include "serialization/codec.hpp"

namespace freshet::bench {

namespace {

class RawWriter {
public:
    void restart() { at_ = buffer_.data(); }
    std::string_view bytes() const { return {buffer_.data(), size()}; }

    void raw(const void* from, std::size_t bytes) {
        if (size() + bytes > buffer_.size()) grow(bytes);
        if (bytes > 0) std::memcpy(at_, from, bytes);
        at_ += bytes;
    }
    template <class T>
    void number(T value) {
        raw(&value, sizeof value);
    }
    template <class T>
    void list(const std::vector<T>& list) {
        raw(list.data(), list.size() * sizeof(T));
    }
    void text(std::string_view text) {
        number(static_cast<std::uint32_t>(text.size()));
        raw(text.data(), text.size());
    }

private:
    std::size_t size() const { return static_cast<std::size_t>(at_ - buffer_.data()); }
    void grow(std::size_t bytes) {
        const std::size_t used = size();
        buffer_.resize(2 * (used + bytes));
        at_ = buffer_.data() + used;
    }

    std::vector<char> buffer_{std::vector<char>(1024)};
    char* at_ = buffer_.data();
};

class RawReader {
public:
    explicit RawReader(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

    const char* take(std::size_t bytes) {
        if (static_cast<std::size_t>(end_ - at_) < bytes) fail("raw: too short");
        return std::exchange(at_, at_ + bytes);
    }
    template <class T>
    T number() {
        T value;
        std::memcpy(&value, take(sizeof value), sizeof value);
        return value;
    }
    template <class T>
    void list(std::vector<T>& out, std::size_t size) {
        out.resize(size);
        const char* from = take(size * sizeof(T));
        if (size > 0) std::memcpy(out.data(), from, size * sizeof(T));
    }
    std::string_view text() {
        const auto size = number<std::uint32_t>();
        return {take(size), size};
    }

private:
    const char* at_;
    const char* end_;
};

// Every list that is there has an element a tile.
void write(const std::vector<Column>& columns, RawWriter& out) {
    out.number(static_cast<std::uint16_t>(columns.size()));
    for (const Column& column : columns) {
        unsigned bits = 0, bit = 1;
        for (const auto& list : column.integers) bits |= list.empty() ? 0 : bit, bit <<= 1;
        for (const auto& list : column.reals) bits |= list.empty() ? 0 : bit, bit <<= 1;
        bits |= column.texts.empty() ? 0 : bit;
        out.number(static_cast<std::uint8_t>(bits));
        for (const auto& list : column.integers) out.list(list);
        for (const auto& list : column.reals) out.list(list);
        for (const std::string& text : column.texts) out.text(text);
    }
}

void read(std::vector<Column>& columns, std::size_t tiles, RawReader& in) {
    columns.resize(in.number<std::uint16_t>());
    for (Column& column : columns) {
        unsigned bits = in.number<std::uint8_t>();
        for (auto& list : column.integers) in.list(list, bits & 1 ? tiles : 0), bits >>= 1;
        for (auto& list : column.reals) in.list(list, bits & 1 ? tiles : 0), bits >>= 1;
        column.texts.resize(bits & 1 ? tiles : 0);
        for (std::string& text : column.texts) text.assign(in.text());
    }
}

void write(const TileList& list, RawWriter& out) {
    out.number(static_cast<std::uint16_t>(list.tiles.size()));
    out.list(list.tiles);
    write(list.columns, out);
    out.number(static_cast<std::uint8_t>(list.sealed ? list.windows.size() + 1 : 0));
    if (!list.sealed) return;
    out.number(*list.sealed);
    for (const Merge& merge : list.windows) {
        out.number(static_cast<std::uint8_t>(merge.complete.has_value()));
        if (merge.complete) out.number(*merge.complete);
        out.number(merge.from);
        out.number(merge.tiles);
        write(merge.columns, out);
    }
}

void read(TileList& list, RawReader& in) {
    const std::size_t tiles = in.number<std::uint16_t>();
    in.list(list.tiles, tiles);
    read(list.columns, tiles, in);
    const std::size_t windows = in.number<std::uint8_t>();
    list.sealed.reset();
    list.windows.resize(windows == 0 ? 0 : windows - 1);
    if (windows == 0) return;
    list.sealed = in.number<std::int64_t>();
    for (Merge& merge : list.windows) {
        merge.complete.reset();
        if (in.number<std::uint8_t>() == 1) merge.complete = in.number<std::int64_t>();
        merge.from = in.number<std::int64_t>();
        merge.tiles = in.number<std::int64_t>();
        read(merge.columns, 1, in);
    }
}

class RawCodec final : public PlainCodec<StoredValue> {
public:
    using PlainCodec::PlainCodec;

    std::string_view encode(std::size_t sample) override {
        const StoredValue& value = samples_[sample];
        out_.restart();
        out_.number(static_cast<std::uint8_t>(value.numbers.size()));
        out_.list(value.numbers);
        out_.number(static_cast<std::uint8_t>(value.resolutions.size()));
        for (const TileList& list : value.resolutions) write(list, out_);
        return out_.bytes();
    }
    void decode(std::string_view bytes) override {
        RawReader in(bytes);
        in.list(decoded_.numbers, in.number<std::uint8_t>());
        decoded_.resolutions.resize(in.number<std::uint8_t>());
        for (TileList& list : decoded_.resolutions) read(list, in);
    }

private:
    RawWriter out_;
};

// Both sides know the types; a bit says what is not null.
class RawRowCodec final : public PlainCodec<Row> {
public:
    RawRowCodec(std::span<const Row> samples, const RowSchema& schema) : PlainCodec(samples), schema_(schema) {
        if (schema.types.size() > 64) fail("raw: more than 64 features");
    }

    std::string_view encode(std::size_t sample) override {
        const Row& row = samples_[sample];
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < row.size(); ++i) bits |= std::uint64_t{row[i].index() != 0} << i;
        out_.restart();
        out_.number(bits);
        for (const Scalar& value : row) {
            if (const auto* integer = std::get_if<std::int64_t>(&value)) out_.number(*integer);
            if (const auto* real = std::get_if<double>(&value)) out_.number(*real);
            if (const auto* text = std::get_if<std::string>(&value)) out_.text(*text);
        }
        return out_.bytes();
    }
    void decode(std::string_view bytes) override {
        RawReader in(bytes);
        std::uint64_t bits = in.number<std::uint64_t>();
        decoded_.resize(schema_.types.size());
        for (std::size_t i = 0; i < decoded_.size(); ++i, bits >>= 1) {
            if ((bits & 1) == 0) {
                decoded_[i] = std::monostate{};
            } else if (schema_.types[i] == 1) {
                decoded_[i] = in.number<std::int64_t>();
            } else if (schema_.types[i] == 2) {
                decoded_[i] = in.number<double>();
            } else {
                set_text(decoded_[i], in.text());
            }
        }
    }

private:
    const RowSchema& schema_;
    RawWriter out_;
};

}  // namespace

CodecPtr raw_codec(std::span<const StoredValue> samples) { return std::make_unique<RawCodec>(samples); }
CodecPtr raw_codec(std::span<const Row> samples, const RowSchema& schema) {
    return std::make_unique<RawRowCodec>(samples, schema);
}

}  // namespace freshet::bench
