// MessagePack by msgpack-cxx: its packer, and a visitor, which makes no objects. Structures are arrays; a
// column is a map from the number of a list to the list, so that those left out take nothing.
#include <msgpack.hpp>

#include "serialization/codec.hpp"

namespace freshet::bench {

namespace {

using Packer = msgpack::packer<msgpack::sbuffer>;

constexpr std::size_t kFirstReal = 4, kTexts = 6;  // numbers of lists: integers from 0

void pack_columns(const std::vector<Column>& columns, Packer& out) {
    out.pack_array(static_cast<std::uint32_t>(columns.size()));
    for (const Column& column : columns) {
        const auto full = [](const auto& list) { return !list.empty(); };
        out.pack_map(static_cast<std::uint32_t>(std::ranges::count_if(column.integers, full) +
                                                std::ranges::count_if(column.reals, full) +
                                                full(column.texts)));
        const auto pack = [&](std::size_t number, const auto& list) {
            if (!list.empty()) out.pack(number).pack(list);
        };
        for (std::size_t i = 0; i < column.integers.size(); ++i) pack(i, column.integers[i]);
        for (std::size_t i = 0; i < column.reals.size(); ++i) pack(kFirstReal + i, column.reals[i]);
        pack(kTexts, column.texts);
    }
}

void pack_optional(const std::optional<std::int64_t>& number, Packer& out) {
    number ? out.pack(*number) : out.pack_nil();
}

void pack_resolution(const TileList& list, Packer& out) {
    out.pack_array(4).pack(list.tiles);
    pack_columns(list.columns, out);
    pack_optional(list.sealed, out);
    out.pack_array(static_cast<std::uint32_t>(list.windows.size()));
    for (const Merge& merge : list.windows) {
        out.pack_array(4);
        pack_optional(merge.complete, out);
        out.pack(merge.from).pack(merge.tiles);
        pack_columns(merge.columns, out);
    }
}

// Follows the structure by how deep it is and which element it is in.
class StoredVisitor : public msgpack::null_visitor {
public:
    explicit StoredVisitor(StoredValue& out) : out_(out) {}

    bool start_array(std::uint32_t size) { return enter(size); }
    bool start_map(std::uint32_t size) { return enter(size); }
    bool start_array_item() {
        ++place_->element;
        return true;
    }
    bool start_map_key() {
        place_->element = -1;
        return true;
    }
    bool end_array() { return leave(); }
    bool end_map() { return leave(); }

    bool visit_positive_integer(std::uint64_t value) { return take(static_cast<std::int64_t>(value)); }
    bool visit_negative_integer(std::int64_t value) { return take(value); }
    bool visit_float64(double value) {
        if (place_->what != What::reals) return false;
        reals_->push_back(value);
        return true;
    }
    bool visit_str(const char* text, std::uint32_t size) {
        if (place_->what != What::texts) return false;
        column_->texts.emplace_back(text, size);
        return true;
    }

private:
    enum class What {
        none,
        value,
        integers,
        reals,
        texts,
        resolutions,
        resolution,
        columns,
        column,
        windows,
        merge
    };
    struct Place {
        What what;
        int element;
    };

    bool enter(std::uint32_t size) {
        const What what = next(size);
        if (what == What::none || place_ == places_.data() + places_.size() - 1) return false;
        *++place_ = {what, -1};
        return true;
    }
    bool leave() {
        --place_;
        return true;
    }

    // What begins here, with so many elements; they are made or emptied.
    What next(std::uint32_t size) {
        const int element = place_->element;
        switch (place_->what) {
            case What::none:
                return What::value;
            case What::value:
                if (element == 0) return integers(out_.numbers, size);
                out_.resolutions.resize(size);
                return What::resolutions;
            case What::resolutions:
                list_ = &out_.resolutions[static_cast<std::size_t>(element)];
                list_->sealed.reset();
                return What::resolution;
            case What::resolution:
                if (element == 0) return integers(list_->tiles, size);
                if (element == 1) return columns(list_->columns, size);
                list_->windows.resize(size);
                return What::windows;
            case What::windows:
                merge_ = &list_->windows[static_cast<std::size_t>(element)];
                merge_->complete.reset();
                return What::merge;
            case What::merge:
                return columns(merge_->columns, size);
            case What::columns:
                column_ = &(*columns_)[static_cast<std::size_t>(element)];
                column_->clear();
                return What::column;
            case What::column:
                return list(size);
            default:
                return What::none;
        }
    }
    What columns(std::vector<Column>& to, std::uint32_t size) {
        to.resize(size);
        columns_ = &to;
        return What::columns;
    }
    What integers(std::vector<std::int64_t>& to, std::uint32_t size) {
        to.clear();
        to.reserve(size);
        integers_ = &to;
        return What::integers;
    }
    What list(std::uint32_t size) {
        if (list_number_ < kFirstReal) return integers(column_->integers[list_number_], size);
        if (list_number_ == kTexts) return What::texts;
        reals_ = &column_->reals[list_number_ - kFirstReal];
        reals_->reserve(size);
        return What::reals;
    }

    bool take(std::int64_t value) {
        switch (place_->what) {
            case What::integers:
                integers_->push_back(value);
                return true;
            case What::reals:
                reals_->push_back(static_cast<double>(value));
                return true;
            case What::column:
                list_number_ = static_cast<std::size_t>(value);
                return list_number_ <= kTexts;
            case What::resolution:
                list_->sealed = value;
                return true;
            case What::merge:
                if (place_->element == 0) merge_->complete = value;
                if (place_->element == 1) merge_->from = value;
                if (place_->element == 2) merge_->tiles = value;
                return true;
            default:
                return false;
        }
    }

    StoredValue& out_;
    std::array<Place, 10> places_{{{What::none, -1}}};
    Place* place_ = places_.data();
    TileList* list_ = nullptr;
    Merge* merge_ = nullptr;
    std::vector<Column>* columns_ = nullptr;
    Column* column_ = nullptr;
    std::size_t list_number_ = 0;
    std::vector<std::int64_t>* integers_ = nullptr;
    std::vector<double>* reals_ = nullptr;
};

class MsgpackCodec final : public PlainCodec<StoredValue> {
public:
    using PlainCodec::PlainCodec;

    std::string_view encode(std::size_t sample) override {
        const StoredValue& value = samples_[sample];
        buffer_.clear();
        Packer out(buffer_);
        out.pack_array(2).pack(value.numbers).pack_array(static_cast<std::uint32_t>(value.resolutions.size()));
        for (const TileList& list : value.resolutions) pack_resolution(list, out);
        return {buffer_.data(), buffer_.size()};
    }
    void decode(std::string_view bytes) override {
        StoredVisitor visitor(decoded_);
        if (!msgpack::parse(bytes.data(), bytes.size(), visitor)) fail("msgpack: not what was written");
    }

private:
    msgpack::sbuffer buffer_;
};

class RowVisitor : public msgpack::null_visitor {
public:
    RowVisitor(const RowSchema& schema, Row& out) : schema_(schema), out_(out) {}

    bool start_array(std::uint32_t size) {
        out_.resize(size);
        next_ = 0;
        return true;
    }
    bool visit_nil() { return set(std::monostate{}); }
    bool visit_positive_integer(std::uint64_t value) { return integer(static_cast<std::int64_t>(value)); }
    bool visit_negative_integer(std::int64_t value) { return integer(value); }
    bool visit_float64(double value) { return set(value); }
    bool visit_str(const char* text, std::uint32_t size) {
        set_text(out_[next_++], {text, size});
        return true;
    }

private:
    bool integer(std::int64_t value) {
        return schema_.types[next_] == 2 ? set(static_cast<double>(value)) : set(value);
    }
    bool set(auto value) {
        out_[next_++] = value;
        return true;
    }

    const RowSchema& schema_;
    Row& out_;
    std::size_t next_ = 0;
};

class MsgpackRowCodec final : public PlainCodec<Row> {
public:
    MsgpackRowCodec(std::span<const Row> samples, const RowSchema& schema)
        : PlainCodec(samples), schema_(schema) {}

    std::string_view encode(std::size_t sample) override {
        const Row& row = samples_[sample];
        buffer_.clear();
        Packer out(buffer_);
        out.pack_array(static_cast<std::uint32_t>(row.size()));
        for (const Scalar& value : row) std::visit([&](const auto& v) { pack(v, out); }, value);
        return {buffer_.data(), buffer_.size()};
    }
    void decode(std::string_view bytes) override {
        RowVisitor visitor(schema_, decoded_);
        if (!msgpack::parse(bytes.data(), bytes.size(), visitor)) fail("msgpack: not a row");
    }

private:
    static void pack(const auto& value, Packer& out) { out.pack(value); }
    static void pack(std::monostate, Packer& out) { out.pack_nil(); }

    const RowSchema& schema_;
    msgpack::sbuffer buffer_;
};

}  // namespace

CodecPtr msgpack_codec(std::span<const StoredValue> samples) { return std::make_unique<MsgpackCodec>(samples); }
CodecPtr msgpack_codec(std::span<const Row> samples, const RowSchema& schema) {
    return std::make_unique<MsgpackRowCodec>(samples, schema);
}

}  // namespace freshet::bench
