#include "serialization/freshet_codecs.hpp"

#include <numeric>

#include "io/stored/partial_codec.hpp"
#include "io/stored/stored_heads.hpp"

namespace freshet::bench {

namespace {

bool same(const CountState& a, const CountState& b) { return a.n == b.n; }
bool same(const SumIntState& a, const SumIntState& b) {
    return a.n == b.n && a.low == b.low && a.high == b.high;
}
bool same(const SumFloatState& a, const SumFloatState& b) { return a.n == b.n && a.sum == b.sum; }
bool same(const MomentsState& a, const MomentsState& b) {
    return a.n == b.n && a.mean == b.mean && a.m2 == b.m2;
}
template <class T>
bool same(const ExtremeState<T>& a, const ExtremeState<T>& b) {
    return a.present == b.present && (!a.present || a.value == b.value);
}
bool same(const std::unique_ptr<OrderedState>& a, const std::unique_ptr<OrderedState>& b) {
    if (!a || !b) return !a && !b;
    return a->key() == b->key() && a->value == b->value;
}
bool same(const HyperLogLog&, const HyperLogLog&) { return false; }  // the study has no sketches
bool same(const std::unique_ptr<DDSketch>&, const std::unique_ptr<DDSketch>&) { return false; }

bool same_state(const AccumulatorState& a, const AccumulatorState& b) {
    const auto same_type = [&](const auto& state) {
        return same(state, std::get<std::decay_t<decltype(state)>>(b));
    };
    return a.index() == b.index() && std::visit(same_type, a);
}

bool same_tiles(const std::vector<Tile>& tiles, std::span<const ConstRow> rows, const RowLayout& layout) {
    if (tiles.size() != rows.size()) return false;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const Tile tile = unpack(layout, rows[i]);
        if (tile.number != tiles[i].number) return false;
        if (!std::ranges::equal(tile.states, tiles[i].states, same_state)) return false;
    }
    return true;
}

bool same_merge(const Merged& merged, const HeadView::Merge& from, const WindowPlan& window,
                const RowLayout& layout) {
    if (merged.complete_from != from.complete_from || merged.tiles != from.tiles) return false;
    if (from.tiles == 0) return true;
    const Tile tile = unpack(layout, from.row);
    const auto in_row = [&](const AccumulatorState& state, std::size_t a) {
        return same_state(state, tile.states[a]);
    };
    return merged.from == from.from && std::ranges::equal(merged.states, window.accumulators, in_row);
}

bool same_resolution(const ResolutionHead& head, const HeadView::Resolution& from, const Resolution& plan) {
    if (head.sealed_to != from.sealed_to || !same_tiles(head.tiles, from.tiles, plan.rows)) return false;
    for (std::size_t w = 0; w < head.merged.size(); ++w)
        if (!same_merge(head.merged[w], from.merged[w], plan.windows[w], plan.rows)) return false;
    return head.merged.size() == from.merged.size();
}

class HeadCodec : public Codec {
public:
    explicit HeadCodec(const Kind& kind) : kind_(kind), codec_(kind.plan.source, kind.view()) {}

    std::string_view encode(std::size_t sample) final {
        bytes_.clear();
        codec_.encode_head(kind_.samples[sample].head, bytes_);
        return bytes_;
    }
    void decode(std::string_view bytes) override { checked(codec_.decode_head(bytes, head_)); }
    bool holds(std::size_t sample) const override {
        const HeadView& from = kind_.samples[sample].head;
        const auto& plan = kind_.view().resolutions();
        bool all = head_.stamp == from.stamp && head_.partition == from.partition &&
                   head_.newest == from.newest && head_.resolutions.size() == plan.size();
        for (std::size_t r = 0; all && r < plan.size(); ++r)
            all = same_resolution(head_.resolutions[r], from.resolutions[r], plan[r]);
        return all;
    }

protected:
    const Kind& kind_;
    PartialCodec codec_;
    std::string bytes_;
    Head head_;
};

class ChunkCodec : public Codec {
public:
    explicit ChunkCodec(const Kind& kind) : kind_(kind), codec_(kind.plan.source, kind.view()) {}

    std::string_view encode(std::size_t sample) final {
        const Sample& s = kind_.samples[sample];
        bytes_.clear();
        codec_.encode_chunk(s.resolution, s.sealed, bytes_);
        return bytes_;
    }
    void decode(std::string_view bytes) final {
        const Sample& any = kind_.samples.front();  // all stand in the chunk of the same number
        checked(codec_.decode_chunk(any.resolution, chunk_of(any.sealed.front().number()), any.head.partition,
                                    bytes, chunk_));
    }
    bool holds(std::size_t sample) const final {
        const Sample& s = kind_.samples[sample];
        return same_tiles(chunk_.tiles, s.sealed, kind_.view().resolutions()[s.resolution].rows);
    }

private:
    const Kind& kind_;
    PartialCodec codec_;
    std::string bytes_;
    Chunk chunk_;
};

class InPlaceCodec final : public HeadCodec {
public:
    explicit InPlaceCodec(const Kind& kind)
        : HeadCodec(kind), heads_(kind.view(), codec_.layouts()), rows_(rows_of(kind)) {
        all_.resize(kind.view().features().size());
        std::iota(all_.begin(), all_.end(), 0);
    }

    void decode(std::string_view bytes) override {
        heads_.clear();
        checked(heads_.add(bytes));
        if (!heads_.serves(heads_[0].newest, all_)) fail("a head does not serve the time of its newest event");
        answer_ = checked(heads_.read(all_));
    }
    bool holds(std::size_t sample) const override {
        return std::ranges::equal(answer_->values, rows_[sample], {}, &FeatureValue::value);
    }

private:
    StoredHeads heads_;
    std::vector<Row> rows_;
    std::vector<std::size_t> all_;
    const FeatureAnswer* answer_ = nullptr;
};

}  // namespace

CodecPtr head_codec(const Kind& kind) { return std::make_unique<HeadCodec>(kind); }
CodecPtr chunk_codec(const Kind& kind) { return std::make_unique<ChunkCodec>(kind); }
CodecPtr in_place_codec(const Kind& kind) { return std::make_unique<InPlaceCodec>(kind); }

std::vector<Row> rows_of(const Kind& kind) {
    PartialCodec codec(kind.plan.source, kind.view());
    FeatureReader reader(kind.view());
    std::vector<std::size_t> all(kind.view().features().size());
    std::iota(all.begin(), all.end(), 0);
    std::vector<Row> rows;
    for (const Sample& sample : kind.samples) {
        std::string bytes;
        codec.encode_head(sample.head, bytes);
        Head head;
        checked(codec.decode_head(bytes, head));
        const Head* one[] = {&head};
        Row& row = rows.emplace_back();
        for (const FeatureValue& value : reader.read(one, head.newest, all).values) row.push_back(value.value);
    }
    return rows;
}

}  // namespace freshet::bench
