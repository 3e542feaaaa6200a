// JSON as fast as we know to write and read it: by hand into a buffer with fmt's shortest doubles, and simdjson
// on demand, field by field as they come. Stored values have the columns of proto/partial.proto under their
// names, and rows are arrays.
#include <fmt/compile.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>

#include "serialization/codec.hpp"

namespace freshet::bench {

namespace {

namespace ondemand = simdjson::ondemand;

// Text that grows; nothing is cleared or filled for it.
class JsonText {
public:
    void restart() { at_ = buffer_.get(); }
    std::string_view text() const { return {buffer_.get(), size()}; }

    void put(std::string_view bytes) {
        need(bytes.size());
        std::memcpy(at_, bytes.data(), bytes.size());
        at_ += bytes.size();
    }
    void put(char c) {
        need(1);
        *at_++ = c;
    }
    template <class Number>
    void number(Number value) {
        need(32);
        at_ = fmt::format_to(at_, FMT_COMPILE("{}"), value);
    }
    void string(std::string_view text) {
        put('"');
        while (true) {
            const auto special = std::ranges::find_if_not(text, is_plain);
            put(text.substr(0, static_cast<std::size_t>(special - text.begin())));
            if (special == text.end()) break;
            escape(*special);
            text = {special + 1, text.end()};
        }
        put('"');
    }
    // Replaces the comma behind the last element.
    void close(char bracket) {
        if (at_[-1] == ',') {
            at_[-1] = bracket;
        } else {
            put(bracket);
        }
        put(',');
    }
    void end() { --at_; }

private:
    static bool is_plain(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; }
    void escape(char c) {
        need(6);
        at_ = c == '"' || c == '\\' ? fmt::format_to(at_, FMT_COMPILE("\\{}"), c)
                                    : fmt::format_to(at_, FMT_COMPILE("\\u{:04x}"), static_cast<unsigned>(c));
    }
    std::size_t size() const { return static_cast<std::size_t>(at_ - buffer_.get()); }
    void need(std::size_t room) {
        if (size() + room > capacity_) grow(room);
    }
    void grow(std::size_t room) {
        const std::size_t used = size();
        capacity_ = 2 * (used + room) + 256;
        auto larger = std::make_unique<char[]>(capacity_);
        if (used > 0) std::memcpy(larger.get(), buffer_.get(), used);
        buffer_ = std::move(larger);
        at_ = buffer_.get() + used;
    }

    std::unique_ptr<char[]> buffer_;
    std::size_t capacity_ = 0;
    char* at_ = nullptr;
};

void write(double value, JsonText& out) { out.number(value); }
void write(std::int64_t value, JsonText& out) { out.number(value); }
void write(const std::string& value, JsonText& out) { out.string(value); }

void key(const char* name, JsonText& out) {
    out.put('"');
    out.put(name);
    out.put("\":");
}

template <class T>
void write_list(const std::vector<T>& list, JsonText& out) {
    out.put('[');
    for (const T& value : list) {
        write(value, out);
        out.put(',');
    }
    out.close(']');
}

template <class T>
void write_list(const char* name, const std::vector<T>& list, JsonText& out) {
    if (list.empty()) return;
    key(name, out);
    write_list(list, out);
}

void write_columns(const std::vector<Column>& columns, JsonText& out) {
    key("columns", out);
    out.put('[');
    for (const Column& column : columns) {
        out.put('{');
        for (std::size_t i = 0; i < column.integers.size(); ++i)
            write_list(Column::kIntegerNames[i], column.integers[i], out);
        for (std::size_t i = 0; i < column.reals.size(); ++i)
            write_list(Column::kRealNames[i], column.reals[i], out);
        write_list("texts", column.texts, out);
        out.close('}');
    }
    out.close(']');
}

void write_integer(const char* name, std::int64_t value, JsonText& out) {
    key(name, out);
    out.number(value);
    out.put(',');
}

void write_resolution(const TileList& list, JsonText& out) {
    out.put('{');
    write_list("tiles", list.tiles, out);
    write_columns(list.columns, out);
    if (list.sealed) {
        write_integer("sealed", *list.sealed, out);
        key("windows", out);
        out.put('[');
        for (const Merge& merge : list.windows) {
            out.put('{');
            if (merge.complete) write_integer("complete", *merge.complete, out);
            write_integer("from", merge.from, out);
            write_integer("tiles", merge.tiles, out);
            write_columns(merge.columns, out);
            out.close('}');
        }
        out.close(']');
    }
    out.close('}');
}

template <class T>
void read_list(ondemand::value from, std::vector<T>& list) {
    for (auto value : from.get_array()) list.push_back(value.template get<T>());
}
void read_list(ondemand::value from, std::vector<std::string>& list) {
    for (auto value : from.get_array()) list.emplace_back(std::string_view(value.get_string()));
}

void read_column(ondemand::object from, Column& column) {
    column.clear();
    for (auto field : from) {
        const ondemand::raw_json_string name = field.key();
        if (name == "count") {
            read_list(field.value(), column.integers[0]);
        } else if (name == "integer") {
            read_list(field.value(), column.integers[1]);
        } else if (name == "time") {
            read_list(field.value(), column.integers[2]);
        } else if (name == "offset") {
            read_list(field.value(), column.integers[3]);
        } else if (name == "real") {
            read_list(field.value(), column.reals[0]);
        } else if (name == "spread") {
            read_list(field.value(), column.reals[1]);
        } else if (name == "texts") {
            read_list(field.value(), column.texts);
        } else {
            fail("json: an unknown list");
        }
    }
}

void read_columns(ondemand::value from, std::vector<Column>& columns) {
    std::size_t n = 0;
    for (auto column : from.get_array()) read_column(column.get_object(), element(columns, n++));
    columns.resize(n);
}

void read_merge(ondemand::object from, Merge& merge) {
    merge.complete.reset();
    for (auto field : from) {
        const ondemand::raw_json_string name = field.key();
        if (name == "complete") {
            merge.complete = std::int64_t{field.value().get_int64()};
        } else if (name == "from") {
            merge.from = field.value().get_int64();
        } else if (name == "tiles") {
            merge.tiles = field.value().get_int64();
        } else {
            read_columns(field.value(), merge.columns);
        }
    }
}

void read_resolution(ondemand::object from, TileList& list) {
    list.tiles.clear();
    list.sealed.reset();
    std::size_t windows = 0;
    for (auto field : from) {
        const ondemand::raw_json_string name = field.key();
        if (name == "tiles") {
            read_list(field.value(), list.tiles);
        } else if (name == "columns") {
            read_columns(field.value(), list.columns);
        } else if (name == "sealed") {
            list.sealed = std::int64_t{field.value().get_int64()};
        } else {
            for (auto merge : field.value().get_array())
                read_merge(merge.get_object(), element(list.windows, windows++));
        }
    }
    list.windows.resize(windows);
}

class JsonCodec final : public PlainCodec<StoredValue> {
public:
    using PlainCodec::PlainCodec;

    std::string_view encode(std::size_t sample) override {
        const StoredValue& value = samples_[sample];
        text_.restart();
        text_.put('{');
        write_list("numbers", value.numbers, text_);
        key("resolutions", text_);
        text_.put('[');
        for (const TileList& list : value.resolutions) write_resolution(list, text_);
        text_.close(']');
        text_.close('}');
        text_.end();
        return text_.text();
    }
    void decode(std::string_view bytes) override {
        ondemand::document document = parser_.iterate(bytes, bytes.size() + kPadding);
        ondemand::object object = document.get_object();
        decoded_.numbers.clear();
        read_list(object.find_field("numbers"), decoded_.numbers);
        std::size_t n = 0;
        for (auto list : object.find_field("resolutions").get_array())
            read_resolution(list.get_object(), element(decoded_.resolutions, n++));
        decoded_.resolutions.resize(n);
    }

private:
    JsonText text_;
    ondemand::parser parser_;
};

class JsonRowCodec final : public PlainCodec<Row> {
public:
    JsonRowCodec(std::span<const Row> samples, const RowSchema& schema)
        : PlainCodec(samples), schema_(schema) {}

    std::string_view encode(std::size_t sample) override {
        text_.restart();
        text_.put('[');
        for (const Scalar& value : samples_[sample]) {
            write_scalar(value);
            text_.put(',');
        }
        text_.close(']');
        text_.end();
        return text_.text();
    }
    void decode(std::string_view bytes) override {
        ondemand::document document = parser_.iterate(bytes, bytes.size() + kPadding);
        std::size_t n = 0;
        for (auto value : document.get_array()) {
            read_scalar(value.value(), schema_.types[n], element(decoded_, n));
            ++n;
        }
        decoded_.resize(n);
    }

private:
    void write_scalar(const Scalar& value) {
        if (const auto* integer = std::get_if<std::int64_t>(&value)) {
            text_.number(*integer);
        } else if (const auto* real = std::get_if<double>(&value)) {
            text_.number(*real);
        } else if (const auto* text = std::get_if<std::string>(&value)) {
            text_.string(*text);
        } else {
            text_.put("null");
        }
    }
    static void read_scalar(ondemand::value from, std::size_t type, Scalar& to) {
        if (from.is_null()) {
            to = std::monostate{};
        } else if (type == 1) {
            to = std::int64_t{from.get_int64()};
        } else if (type == 2) {
            to = double{from.get_double()};
        } else {
            set_text(to, std::string_view(from.get_string()));
        }
    }

    const RowSchema& schema_;
    JsonText text_;
    ondemand::parser parser_;
};

}  // namespace

CodecPtr json_codec(std::span<const StoredValue> samples) { return std::make_unique<JsonCodec>(samples); }
CodecPtr json_codec(std::span<const Row> samples, const RowSchema& schema) {
    return std::make_unique<JsonRowCodec>(samples, schema);
}

}  // namespace freshet::bench
