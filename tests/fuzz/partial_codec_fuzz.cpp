// Stored bytes from a store that anyone may have written to: decoding must refuse them or give something that
// bears use. The first byte chooses head or chunk; the layout is put in place, since no fuzzer guesses it.
#include <cstring>
#include <string>
#include <string_view>

#include "io/stored/partial_codec.hpp"
#include "io/stored/stored_fields.hpp"
#include "io/stored/stored_heads.hpp"
#include "model/entity_windows.hpp"

namespace {

using namespace freshet;
using namespace std::chrono_literals;

Source make_source() {
    Source source;
    source.fields = {
        {"f", {"f"}, FieldType::float64}, {"i", {"i"}, FieldType::int64}, {"s", {"s"}, FieldType::string}};
    return source;
}

// A feature of every function over every field that it takes, in two windows of a hop and one of another.
View make_view(const Source& source) {
    View view;
    for (int f = 0; f <= static_cast<int>(Function::quantile); ++f) {
        for (std::size_t field = 0; field < source.fields.size(); ++field) {
            const auto function = static_cast<Function>(f);
            const bool any_type = function == Function::count || function == Function::first ||
                                  function == Function::last || function == Function::count_distinct;
            if (!any_type && source.fields[field].type == FieldType::string) continue;
            Feature& feature = view.features.emplace_back();
            feature.function = function;
            feature.field = field;
            feature.hop = field == 0 ? Duration{10min} : Duration{1min};
            feature.window = f % 2 == 0 ? Duration{1h} : Duration{24h};
        }
    }
    return view;
}

std::vector<std::size_t> every_feature(const ViewPlan& plan) {
    std::vector<std::size_t> all(plan.features().size());
    for (std::size_t f = 0; f < all.size(); ++f) all[f] = f;
    return all;
}

// Of an entity with an event in each of the last hundred tiles of ten minutes.
std::string make_sealed_head(const ViewPlan& plan, PartialCodec& codec) {
    EntityWindows windows(plan, PartitionId{0}, Generation{0});
    const std::vector<Value> values{1.5, std::int64_t{2}, std::string_view("x")};
    Timestamp clock = from_unix_ms(4'464'993LL * kChunkTiles * 600'000);
    for (std::int64_t i = 0; i < 100; ++i, clock += 10min)
        (void)windows.add(plan, {clock, Offset{i}, clock, values});
    HeadView view;
    std::vector<EntityWindows::ChunkId> changed;
    windows.flush(plan, clock, view, changed);
    std::string bytes;
    codec.encode_head(view, bytes);
    return bytes;
}

struct Target {
    Source source = make_source();
    ViewPlan plan{source, make_view(source)};
    PartialCodec codec{source, plan};
    StoredHeads straight{plan, codec.layouts()};
    FeatureReader reader{plan};
    Head head;
    Chunk chunk;
    std::vector<std::size_t> all = every_feature(plan);
    std::string sealed_head = make_sealed_head(plan, codec);

    void head_of(std::string bytes) {
        place_layout(bytes, kStampBytes + 1);
        straight.clear();
        const bool indexed = static_cast<bool>(straight.add(bytes));
        if (indexed && straight.serves(straight[0].newest, all)) (void)straight.read(all);
        if (!codec.decode_head(bytes, head)) return;
        const Head* one[] = {&head};
        if (reader.serves(one, head.newest, all)) (void)reader.read(one, head.newest, all);
        unfold(head, {});
        (void)reader.read(one, head.newest, all);
        EntityWindows windows(plan, std::move(head));
        HeadView view;
        std::vector<EntityWindows::ChunkId> changed;
        windows.flush(plan, windows.newest(), view, changed);
        std::string again;
        codec.encode_head(view, again);
        if (!codec.decode_head(again, head)) __builtin_trap();
    }
    void chunk_of(std::string bytes) {
        place_layout(bytes, 1);
        for (std::size_t r = 0; r < plan.resolutions().size(); ++r) {
            read_unfolded(r, bytes);
            if (!codec.decode_chunk(r, 4'464'993, PartitionId{0}, bytes, chunk)) continue;
            EntityWindows windows(plan, all_sealed(r));
            std::string again;
            codec.encode_chunk(r, windows.sealed_tiles({r, 4'464'993}), again);
            if (!codec.decode_chunk(r, 4'464'993, PartitionId{0}, again, chunk)) __builtin_trap();
        }
    }
    // Beside a head that calls all of the chunk sealed.
    void read_unfolded(std::size_t resolution, std::string_view bytes) {
        straight.clear();
        if (!straight.add(sealed_head)) __builtin_trap();
        const Duration hop = plan.resolutions()[resolution].hop;
        (void)straight.add_sealed({{}, hop, 4'464'993}, bytes);
        straight.unfold();
        if (!straight.serves(from_unix_ms(4'464'993LL * kChunkTiles * hop.count()) + 50 * hop, all))
            __builtin_trap();
        (void)straight.read(all);
    }
    // A head whose one resolution with tiles is the chunk's.
    Head all_sealed(std::size_t resolution) {
        Head whole{{}, {}, {}, std::vector<ResolutionHead>(plan.resolutions().size())};
        whole.resolutions[resolution].stored_to = chunk.tiles.back().number;
        whole.resolutions[resolution].tiles = std::move(chunk.tiles);
        return whole;
    }
    void place_layout(std::string& bytes, std::size_t at) const {
        if (bytes.size() < at + 5) return;
        bytes[at - 1] = 1;
        bytes[at] = 0x0d;
        const std::uint32_t layout = codec.layouts().fingerprint();
        std::memcpy(bytes.data() + at + 1, &layout, sizeof layout);
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Target target;
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    (void)HeadField::parse(bytes);
    (void)SealedField::parse(bytes);
    if (data[0] % 2 == 0) {
        target.head_of(std::string(bytes));
    } else {
        target.chunk_of(std::string(bytes));
    }
    return 0;
}
