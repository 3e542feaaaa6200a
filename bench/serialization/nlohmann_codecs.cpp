// JSON as most would write it: nlohmann's documents, an object a tile with a named number for each list, rows
// as objects.
#include <nlohmann/json.hpp>

#include "serialization/codec.hpp"

namespace freshet::bench {

namespace {

using nlohmann::json;

// Element i of each list of the column.
json state_of(const Column& column, std::size_t i) {
    json state = json::object();
    for (std::size_t list = 0; list < column.integers.size(); ++list)
        if (!column.integers[list].empty()) state[Column::kIntegerNames[list]] = column.integers[list][i];
    for (std::size_t list = 0; list < column.reals.size(); ++list)
        if (!column.reals[list].empty()) state[Column::kRealNames[list]] = column.reals[list][i];
    if (!column.texts.empty()) state["text"] = column.texts[i];
    return state;
}

json states_of(const std::vector<Column>& columns, std::size_t i) {
    json states = json::array();
    for (const Column& column : columns) states.push_back(state_of(column, i));
    return states;
}

json resolution_of(const TileList& list) {
    json tiles = json::array();
    for (std::size_t i = 0; i < list.tiles.size(); ++i)
        tiles.push_back({{"tile", list.tiles[i]}, {"states", states_of(list.columns, i)}});
    json resolution = {{"tiles", std::move(tiles)}};
    if (!list.sealed) return resolution;
    resolution["sealed"] = *list.sealed;
    json& windows = resolution["windows"] = json::array();
    for (const Merge& merge : list.windows) {
        json& window = windows.emplace_back(json{{"from", merge.from}, {"tiles", merge.tiles}});
        if (merge.complete) window["complete"] = *merge.complete;
        window["states"] = states_of(merge.columns, 0);
    }
    return resolution;
}

void add_state(const json& state, Column& column) {
    for (const auto& [name, value] : state.items()) {
        for (std::size_t list = 0; list < column.integers.size(); ++list)
            if (name == Column::kIntegerNames[list]) column.integers[list].push_back(value.get<std::int64_t>());
        for (std::size_t list = 0; list < column.reals.size(); ++list)
            if (name == Column::kRealNames[list]) column.reals[list].push_back(value.get<double>());
        if (name == "text") column.texts.push_back(value.get<std::string>());
    }
}

void add_states(const json& states, std::vector<Column>& columns) {
    columns.resize(states.size());
    for (std::size_t i = 0; i < columns.size(); ++i) add_state(states[i], columns[i]);
}

void read_resolution(const json& from, TileList& list) {
    for (const json& tile : from.at("tiles")) {
        list.tiles.push_back(tile.at("tile").get<std::int64_t>());
        add_states(tile.at("states"), list.columns);
    }
    if (!from.contains("sealed")) return;
    list.sealed = from.at("sealed").get<std::int64_t>();
    for (const json& window : from.at("windows")) {
        Merge& merge = list.windows.emplace_back();
        if (window.contains("complete")) merge.complete = window.at("complete").get<std::int64_t>();
        merge.from = window.at("from").get<std::int64_t>();
        merge.tiles = window.at("tiles").get<std::int64_t>();
        add_states(window.at("states"), merge.columns);
    }
}

class NlohmannCodec final : public PlainCodec<StoredValue> {
public:
    using PlainCodec::PlainCodec;

    std::string_view encode(std::size_t sample) override {
        const StoredValue& value = samples_[sample];
        json document = {{"numbers", value.numbers}};
        json& resolutions = document["resolutions"] = json::array();
        for (const TileList& list : value.resolutions) resolutions.push_back(resolution_of(list));
        return text_ = document.dump();
    }
    void decode(std::string_view bytes) override {
        const json document = json::parse(bytes);
        decoded_.numbers = document.at("numbers").get<std::vector<std::int64_t>>();
        decoded_.resolutions.clear();
        for (const json& from : document.at("resolutions"))
            read_resolution(from, decoded_.resolutions.emplace_back());
    }

private:
    std::string text_;
};

class NlohmannRowCodec final : public PlainCodec<Row> {
public:
    NlohmannRowCodec(std::span<const Row> samples, const RowSchema& schema)
        : PlainCodec(samples), schema_(schema) {}

    std::string_view encode(std::size_t sample) override {
        json row;
        for (std::size_t i = 0; i < schema_.names.size(); ++i)
            std::visit([&](const auto& value) { set(row[schema_.names[i]], value); }, samples_[sample][i]);
        return text_ = row.dump();
    }
    void decode(std::string_view bytes) override {
        const json row = json::parse(bytes);
        decoded_.resize(schema_.names.size());
        for (std::size_t i = 0; i < decoded_.size(); ++i)
            read(row.at(schema_.names[i]), schema_.types[i], decoded_[i]);
    }

private:
    static void set(json& to, const auto& value) { to = value; }
    static void set(json& to, std::monostate) { to = nullptr; }
    static void read(const json& from, std::size_t type, Scalar& to) {
        if (from.is_null()) {
            to = std::monostate{};
        } else if (type == 1) {
            to = from.get<std::int64_t>();
        } else if (type == 2) {
            to = from.get<double>();
        } else {
            set_text(to, from.get_ref<const std::string&>());
        }
    }

    const RowSchema& schema_;
    std::string text_;
};

}  // namespace

CodecPtr nlohmann_codec(std::span<const StoredValue> samples) {
    return std::make_unique<NlohmannCodec>(samples);
}
CodecPtr nlohmann_codec(std::span<const Row> samples, const RowSchema& schema) {
    return std::make_unique<NlohmannRowCodec>(samples, schema);
}

}  // namespace freshet::bench
