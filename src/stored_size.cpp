#include "stored_size.hpp"

#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "io/stored/partial_codec.hpp"
#include "model/entity_windows.hpp"

namespace freshet {

namespace {

// Of each resolution so many tiles are filled; if it keeps more, their bytes are multiplied.
constexpr TileNumber kFilledTiles = 96;
// A lifetime keeps a tile a day; this stands for a year.
constexpr TileNumber kLifetimeDays = 365;
// A key, its hash and its place in Redis's table, beside the fields' bytes.
constexpr std::uint64_t kKeyOverhead = 90;
constexpr Timestamp kNow = from_unix_ms(1'700'000'000'000);

// The definition with every `where` of a feature replaced by a field of its own that is always true, so that
// events pass without meaning anything, and features with equal conditions still share.
struct AllPassing {
    AllPassing(const Source& of, const View& from) : source(of), view(from) {
        std::vector<std::string> conditions;
        for (const Feature& feature : view.features)
            if (feature.where) conditions.push_back(feature.where->text());
        std::ranges::sort(conditions);
        conditions.erase(std::unique(conditions.begin(), conditions.end()), conditions.end());
        const std::size_t declared = source.fields.size();
        for (std::size_t i = 0; i < conditions.size(); ++i)
            source.fields.push_back({"condition_" + std::to_string(i), {}, FieldType::boolean});
        view.where.reset();
        for (Feature& feature : view.features) {
            if (!feature.where) continue;
            const auto found = std::ranges::lower_bound(conditions, feature.where->text());
            const auto index = declared + static_cast<std::size_t>(found - conditions.begin());
            feature.where = *Expression::parse(source.fields[index].name, source.fields);
        }
    }
    Source source;
    View view;
};

// Events with values of no particular meaning: some thousand different ones of each type.
class SampleEvents {
public:
    explicit SampleEvents(const Source& source, std::size_t declared) : source_(source), declared_(declared) {
        for (int i = 0; i < 2000; ++i) texts_.push_back("value-" + std::to_string(i));
    }

    std::span<const Value> next() {
        values_.clear();
        for (std::size_t i = 0; i < source_.fields.size(); ++i)
            values_.push_back(i < declared_ ? sample(source_.fields[i].type) : Value{true});
        return values_;
    }

private:
    Value sample(FieldType type) {
        switch (type) {
            case FieldType::int64:
                return static_cast<std::int64_t>(random_() % 2000);
            case FieldType::float64:
                return std::lognormal_distribution<double>(3, 1)(random_);
            case FieldType::string:
                return std::string_view(texts_[random_() % texts_.size()]);
            case FieldType::boolean:
                break;
        }
        return random_() % 2 == 0;
    }

    const Source& source_;
    std::size_t declared_;
    std::mt19937_64 random_{1};
    std::vector<std::string> texts_;
    std::vector<Value> values_;
};

// The tiles that a full entity keeps.
TileNumber tiles_of(const Resolution& resolution) {
    if (resolution.windows.back().tiles == kLifetimeTiles) return kLifetimeDays;
    return resolution.kept / resolution.hop + 2;
}

std::vector<Timestamp> times_of(const ViewPlan& plan, int events_a_tile) {
    std::vector<Timestamp> times;
    for (const Resolution& resolution : plan.resolutions()) {
        const Duration step = resolution.hop / events_a_tile;
        for (TileNumber tile = 0; tile < std::min(kFilledTiles, tiles_of(resolution)); ++tile)
            for (int i = 0; i < events_a_tile; ++i) times.push_back(kNow - tile * resolution.hop - i * step);
    }
    std::ranges::sort(times);
    return times;
}

}  // namespace

std::uint64_t StoredSize::in_redis() const {
    return head + kKeyOverhead + (sealed > 0 ? sealed + kKeyOverhead : 0);
}

StoredSize stored_size(const Source& source, const View& view, int events_a_tile) {
    const AllPassing passing(source, view);
    const ViewPlan plan(passing.source, passing.view);
    SampleEvents samples(passing.source, source.fields.size());
    EntityWindows windows(plan, PartitionId{1}, Generation{0});
    Offset offset{1'000'000};
    for (const Timestamp time : times_of(plan, events_a_tile)) {
        offset = offset.next();
        windows.add(plan, {time, offset, time, samples.next()});
    }
    HeadView head;
    std::vector<EntityWindows::ChunkId> changed;
    windows.flush(plan, kNow, head, changed);

    PartialCodec codec(passing.source, plan);
    StoredSize size;
    std::string bytes;
    codec.encode_head(head, bytes);
    size.head = bytes.size();
    for (std::size_t r = 0; r < plan.resolutions().size(); ++r) {
        std::size_t tiles = 0;
        bytes.clear();
        for (const EntityWindows::ChunkId chunk : changed) {
            if (chunk.resolution != r) continue;
            const auto sealed = windows.sealed_tiles(chunk);
            if (sealed.empty()) continue;
            tiles += sealed.size();
            codec.encode_chunk(r, sealed, bytes);
        }
        if (tiles == 0) continue;
        const auto all = static_cast<std::size_t>(tiles_of(plan.resolutions()[r])) - kOpenTiles;
        size.sealed += bytes.size() * std::max(tiles, all) / tiles;
    }
    return size;
}

}  // namespace freshet
