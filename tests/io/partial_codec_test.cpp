#include "io/stored/partial_codec.hpp"

#include <doctest/doctest.h>

#include <charconv>
#include <limits>
#include <memory>
#include <optional>

#include "io/encoded_store.hpp"
#include "model/entity_run.hpp"
#include "support/seeds.hpp"

using namespace freshet;
using namespace freshet::testing;
using namespace std::chrono_literals;

namespace {

// One feature over an hour of ten-second tiles, and an entity with events.
class Entity {
public:
    explicit Entity(Function function, std::optional<std::size_t> field = {}, Generation generation = {},
                    PartitionId partition = {}) {
        View view;
        view.name = "orders";
        Feature& feature = view.features.emplace_back();
        feature.function = function;
        feature.field = field;
        feature.window = 1h;
        feature.hop = 10s;
        plan_ = std::make_unique<ViewPlan>(source_, view);
        codec_ = std::make_unique<PartialCodec>(source_, *plan_);
        windows_ = std::make_unique<EntityWindows>(*plan_, partition, generation);
    }

    Entity& event(std::int64_t offset, Value value = {}, Duration after = 0ms) {
        std::vector<Value> values(source_.fields.size());
        values[kInt] = values[kFloat] = values[kText] = values[kFlag] = value;
        clock_ += after;
        REQUIRE(windows_->add(*plan_, {clock_, Offset{offset}, clock_, values}) ==
                EntityWindows::Outcome::counted);
        return *this;
    }
    std::string head() {
        HeadView view;
        windows_->flush(*plan_, clock_, view, changed_);
        std::string bytes;
        codec_->encode_head(view, bytes);
        check_known_to_protobuf<store::Head>(std::string_view(bytes).substr(kStampBytes + 1));
        return bytes;
    }
    std::string chunk() {
        std::string bytes;
        codec_->encode_chunk(0, windows_->sealed_tiles(changed_.front()), bytes);
        return bytes;
    }
    Result<void> decode(std::string_view bytes, Head& out) { return codec_->decode_head(bytes, out); }
    Result<void> decode_chunk(std::string_view bytes, Chunk& out) {
        return codec_->decode_chunk(0, changed_.front().number, PartitionId{0}, bytes, out);
    }
    FeatureValue value(std::string_view bytes) {
        Head head;
        REQUIRE(decode(bytes, head));
        const Head* one[] = {&head};
        const std::size_t first[] = {0};
        return FeatureReader(*plan_).read(one, clock_, first).values[0];
    }
    const ViewPlan& plan() const { return *plan_; }
    std::uint32_t layout() const { return codec_->layouts().fingerprint(); }

private:
    Source source_ = mixed_source();
    std::unique_ptr<ViewPlan> plan_;
    std::unique_ptr<PartialCodec> codec_;
    std::unique_ptr<EntityWindows> windows_;
    std::vector<EntityWindows::ChunkId> changed_;
    Timestamp clock_ = from_unix_ms(1'714'557'600'000);
};

std::string hex(std::uint32_t number) {
    char digits[8];
    return {digits, std::to_chars(digits, digits + sizeof digits, number, 16).ptr};
}

bool is_corrupt(const Result<void>& result) { return !result && result.error().code == Errc::corrupt; }

constexpr auto kMost = std::numeric_limits<std::int64_t>::max();

// A store whose every saved byte string is damaged in many ways: each is refused or decodes to something that
// can be read and gone on from.
class DamagedStore : public EncodedStore {
public:
    DamagedStore(const Source& source, const ViewPlan& plan)
        : EncodedStore(source, plan),
          plan_(plan),
          codec_(source, plan),
          heads_(plan, codec_.layouts()),
          reader_(plan) {
        for (std::size_t f = 0; f < plan.features().size(); ++f) all_.push_back(f);
    }

    void save(const EntityWindows& windows, const HeadView& head,
              const std::vector<EntityWindows::ChunkId>& changed) {
        EncodedStore::save(windows, head, changed);
        if (++saved_ % 8 != 0) return;
        for (int i = 0; i < 20; ++i) use_head(damaged(head_bytes()));
        for (const auto& [name, bytes] : chunk_bytes()) {
            use_chunk(*SealedField::parse(name), damaged(bytes));
            use_unfolded(*SealedField::parse(name), damaged(bytes));
        }
    }

private:
    std::string damaged(std::string bytes) {
        if (chance(random_, 20)) return bytes.substr(0, random_() % bytes.size());
        for (std::int64_t n = between(random_, 1, 3); n > 0; --n)
            bytes[random_() % bytes.size()] ^= static_cast<char>(1 << random_() % 8);
        return bytes;
    }
    void use_head(const std::string& bytes) {
        heads_.clear();
        if (heads_.add(bytes) && heads_.serves(heads_[0].newest, all_)) {
            const auto answer = heads_.read(all_);
            if (!answer) REQUIRE(answer.error().code == Errc::corrupt);
        }
        const auto decoded = codec_.decode_head(bytes, head_);
        if (!decoded) {
            REQUIRE(decoded.error().code == Errc::corrupt);
            return;
        }
        const Head* one[] = {&head_};
        if (reader_.serves(one, head_.newest, all_)) (void)reader_.read(one, head_.newest, all_);
        Head whole = copy_of(head_);
        unfold(whole, chunks());
        EntityWindows windows(plan_, std::move(whole));
        HeadView view;
        std::vector<EntityWindows::ChunkId> changed;
        windows.flush(plan_, windows.newest(), view, changed);
        std::string again;
        codec_.encode_head(view, again);
    }
    void use_unfolded(const SealedField& field, const std::string& bytes) {
        heads_.clear();
        REQUIRE(heads_.add(head_bytes()));
        if (const auto added = heads_.add_sealed(field, bytes); !added)
            REQUIRE(added.error().code == Errc::corrupt);
        heads_.unfold();
        REQUIRE(heads_.serves(heads_[0].newest, all_));
        const auto answer = heads_.read(all_);
        if (answer) return;
        REQUIRE(answer.error().code == Errc::corrupt);
        REQUIRE(heads_.corrupt().sealed);
    }
    void use_chunk(const SealedField& field, const std::string& bytes) {
        std::size_t r = 0;
        while (plan_.resolutions()[r].hop != field.hop) ++r;
        const auto decoded = codec_.decode_chunk(r, field.chunk, field.head.partition, bytes, chunk_);
        if (!decoded) {
            REQUIRE(decoded.error().code == Errc::corrupt);
            return;
        }
        for (std::size_t i = 0; i < chunk_.tiles.size(); ++i) {
            REQUIRE(chunk_of(chunk_.tiles[i].number) == field.chunk);
            REQUIRE((i == 0 || chunk_.tiles[i - 1].number < chunk_.tiles[i].number));
        }
    }

    const ViewPlan& plan_;
    PartialCodec codec_;
    StoredHeads heads_;
    FeatureReader reader_;
    std::vector<std::size_t> all_;
    Random random_{7};
    int saved_ = 0;
    Head head_;
    Chunk chunk_;
};

}  // namespace

TEST_CASE("what is read from stored heads and chunks is what the events alone give") {
    RunCounts counts;
    constexpr std::uint64_t kSeeds = freshet::test::seeds(3000);
    for (std::uint64_t seed = 10'000; seed < 10'000 + kSeeds; ++seed) {
        CAPTURE(seed);
        EntityRun<EncodedStore>(seed, counts).run();
    }
    CHECK(counts.from_heads > counts.reads / 2);
    CHECK(counts.sealed_heads > 3 * kSeeds);
    CHECK(counts.late > kSeeds / 3);
    CHECK(counts.loads > 3 * kSeeds);
    CHECK(counts.missing > kSeeds / 3);
}

TEST_CASE("damaged heads and chunks are corrupt, or decode to something that bears use") {
    RunCounts counts;
    for (std::uint64_t seed = 0; seed < freshet::test::seeds(300); ++seed) {
        CAPTURE(seed);
        EntityRun<DamagedStore>(seed, counts).run();
    }
}

TEST_CASE("a stored head begins with its stamp, big-endian, and its encoding") {
    Entity entity(Function::count, {}, Generation{0x01020304});
    const std::string bytes = entity.event(0x0102030405060708).head();
    CHECK(bytes.substr(0, kStampBytes) == "\x01\x02\x03\x04\x01\x02\x03\x04\x05\x06\x07\x08");
    CHECK(bytes[kStampBytes] == 1);
    CHECK(*decode_stamp(bytes) == Stamp{Generation{0x01020304}, Offset{0x0102030405060708}});
    CHECK(decode_stamp(bytes.substr(0, 11)).error().code == Errc::corrupt);
}

TEST_CASE("a head of one count takes 35 bytes, one of an event's text little more than the text") {
    CHECK(Entity(Function::count).event(1'000'000).head().size() == 35);
    CHECK(Entity(Function::last, kText).event(1'000'000, std::string_view("berlin")).head().size() == 34 + 6);
}

TEST_CASE("a column of empty states costs two bytes") {
    const std::size_t none = Entity(Function::quantile, kFloat).event(5).head().size();
    for (const Function function : {Function::sum, Function::stddev, Function::max, Function::first})
        CHECK(Entity(function, kFloat).event(5).head().size() == none);
    CHECK(Entity(Function::count, kFloat).event(5, 1.0).head().size() == none + 3);
}

TEST_CASE("sums beyond 64 bits, extremes and every type of value are stored exactly") {
    Entity sum(Function::sum, kInt);
    sum.event(1, kMost).event(2, kMost, 1min);
    CHECK(sum.value(sum.head()).overflow);
    sum.event(3, -kMost, 1min).event(4, std::int64_t{-5}, 1min);
    CHECK(sum.value(sum.head()).value == Scalar{kMost - 5});
    // In one tile: 2^63 has a low part that reads as negative and a high part of zero.
    Entity barely(Function::mean, kInt);
    barely.event(1, kMost).event(2, std::int64_t{1});
    CHECK(barely.value(barely.head()).value == Scalar{0x1p62});

    CHECK(Entity(Function::min, kInt)
              .event(1, -kMost - 1)
              .value(Entity(Function::min, kInt).event(1, -kMost - 1).head())
              .value == Scalar{-kMost - 1});
    for (const Value& value :
         {Value{std::int64_t{0}}, Value{0.0}, Value{std::string_view("")}, Value{false},
          Value{std::int64_t{-3}}, Value{2.5}, Value{std::string_view("x")}, Value{true}}) {
        Entity last(Function::last, kInt);
        last.event(1, value);
        CHECK(last.value(last.head()).value == to_scalar(value));
    }
}

TEST_CASE("decoding again into the same head reuses its memory") {
    Entity entity(Function::last, kText);
    const std::string bytes = entity.event(1, std::string_view("berlin")).head();
    Head head;
    REQUIRE(entity.decode(bytes, head));
    const Tile* tile = head.resolutions[0].tiles.data();
    const auto* state = std::get_if<std::unique_ptr<OrderedState>>(&tile->states[0]);
    const OrderedState* ordered = state->get();
    head.resolutions[0].stored_to = 7;
    REQUIRE(entity.decode(bytes, head));
    CHECK(head.resolutions[0].tiles.data() == tile);
    CHECK(state->get() == ordered);
    CHECK(head.resolutions[0].stored_to == kNoTile);
}

TEST_CASE("a head or chunk of a layout that nobody described is corrupt, and the message tells both") {
    Entity entity(Function::count), other(Function::last, kText);
    for (std::int64_t i = 0; i < 20; ++i) {
        entity.event(i, {}, 10s);
        other.event(i, std::string_view("x"), 10s);
    }
    const std::string bytes = entity.head();
    (void)other.head();
    Head head;
    Chunk chunk;
    for (const auto& result : {other.decode(bytes, head), other.decode_chunk(entity.chunk(), chunk)}) {
        REQUIRE(is_corrupt(result));
        CHECK(result.error().message == "stored layout " + hex(entity.layout()) + " is neither layout " +
                                            hex(other.layout()) +
                                            " of view orders@1 nor one that its progress records describe");
    }
}

TEST_CASE("cut short, lengthened or of an unknown encoding, a head or chunk is corrupt") {
    Entity entity(Function::mean, kFloat);
    for (std::int64_t i = 0; i < 20; ++i) entity.event(i, 1.5, 10s);
    const std::string head_bytes = entity.head();
    const std::string chunk_bytes = entity.chunk();
    Head head;
    Chunk chunk;
    REQUIRE(entity.decode(head_bytes, head));
    REQUIRE(entity.decode_chunk(chunk_bytes, chunk));
    for (std::size_t n = 0; n < head_bytes.size(); ++n)
        CHECK(is_corrupt(entity.decode(head_bytes.substr(0, n), head)));
    for (std::size_t n = 0; n < chunk_bytes.size(); ++n)
        CHECK(is_corrupt(entity.decode_chunk(chunk_bytes.substr(0, n), chunk)));
    CHECK(is_corrupt(entity.decode(head_bytes + '\0', head)));
    CHECK(is_corrupt(entity.decode_chunk(chunk_bytes + '\0', chunk)));
    std::string other = head_bytes;
    other[kStampBytes] = 2;
    CHECK(is_corrupt(entity.decode(other, head)));
}

TEST_CASE("more tiles than any head holds are refused before memory is taken for them") {
    Entity entity(Function::count);
    store::Head message;
    message.set_layout(entity.layout());
    store::Resolution& resolution = *message.add_resolutions();
    for (int i = 0; i < 5000; ++i) resolution.add_tiles(i == 0 ? 100'000 : 1);
    resolution.add_columns()->add_count(1);
    Head head;
    const std::string bytes = std::string(kStampBytes, '\0') + '\x01' + message.SerializeAsString();
    CHECK(is_corrupt(entity.decode(bytes, head)));
    CHECK(head.resolutions.empty());
}
