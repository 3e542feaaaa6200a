#include "io/stored/stored_layout.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>

#include "io/encoded_store.hpp"
#include "model/brute_force.hpp"
#include "model/entity_windows.hpp"
#include "model/progress.hpp"
#include "support/seeds.hpp"

using namespace freshet;
using namespace freshet::testing;
using namespace std::chrono_literals;

namespace {

struct UpgradeCounts {
    std::size_t complete = 0;
    std::size_t incomplete = 0;
    std::size_t older_heads = 0;
    std::size_t older_chunks = 0;
    std::size_t undecided = 0;  // called missing wrongly, while no feature that decides is complete
};

// One entity whose writers come and go with different features of one view, read by all of them at every stop.
class Upgrades {
public:
    Upgrades(std::uint64_t seed, UpgradeCounts& counts)
        : random_(seed), counts_(counts), made_(random_view(random_)), features_(made_.view.features.size()) {
        for (int i = 0; i < 3; ++i) configs_.push_back(config());
        for (Config& config : configs_)
            for (const Config& other : configs_) config.codec->learn(other.codec->layouts().current().text());
        stream_.emplace(random_, made_, PartitionId{0}, from_unix_ms(1'714'557'600'000));
        windows_.emplace(*writer().plan, PartitionId{0}, Generation{0});
        count_features();
    }

    void run() {
        for (std::int64_t steps = between(random_, 5, 100); steps > 0; --steps) {
            const StoredEvent& e = events_.emplace_back(stream_->next());
            (void)windows_->add(*writer().plan, e.event());
            if (windows_->stamp().offset.value < 0 || !chance(random_, 25)) continue;
            save();
            check_reads();
            if (chance(random_, 30)) take_over();
        }
    }

private:
    struct Config {
        View view;
        std::vector<std::size_t> features;  // indices into made_
        std::unique_ptr<ViewPlan> plan;
        std::unique_ptr<PartialCodec> codec;
        std::unique_ptr<StoredHeads> straight;
        std::unique_ptr<FeatureReader> reader;
    };
    struct Counted {
        bool now = false;
        std::optional<Timestamp> since;
    };

    Config config() {
        Config config;
        for (std::size_t f = 0; f < features_.size(); ++f)
            if (chance(random_, 60)) config.features.push_back(f);
        if (config.features.empty()) config.features.push_back(0);
        std::shuffle(config.features.begin(), config.features.end(), random_);
        config.view = made_.view;
        config.view.features.clear();
        for (const std::size_t f : config.features) config.view.features.push_back(made_.view.features[f]);
        config.plan = std::make_unique<ViewPlan>(made_.source, config.view);
        config.codec = std::make_unique<PartialCodec>(made_.source, *config.plan);
        config.straight = std::make_unique<StoredHeads>(*config.plan, config.codec->layouts());
        config.reader = std::make_unique<FeatureReader>(*config.plan);
        return config;
    }
    Config& writer() { return configs_[writer_]; }
    Timestamp clock() const { return events_.back().clock; }

    void count_features() {
        for (std::size_t f = 0; f < features_.size(); ++f) {
            const bool now = std::ranges::count(writer().features, f) > 0;
            if (now && !features_[f].now && !events_.empty()) features_[f].since = clock();
            features_[f].now = now;
        }
    }

    void save() {
        HeadView head;
        std::vector<EntityWindows::ChunkId> changed;
        windows_->flush(*writer().plan, clock(), head, changed);
        head_.clear();
        writer().codec->encode_head(head, head_);
        for (const auto& id : changed) {
            const Duration hop = writer().plan->resolutions()[id.resolution].hop;
            const std::string field = SealedField{{PartitionId{0}, Generation{0}}, hop, id.number}.text();
            chunks_.erase(field);
            const auto tiles = windows_->sealed_tiles(id);
            if (!tiles.empty()) writer().codec->encode_chunk(id.resolution, tiles, chunks_[field]);
        }
        head_by_ = writer_;
    }

    // Memory is not handed over, only what is stored.
    void take_over() {
        writer_ = static_cast<std::size_t>(between(random_, 0, 2));
        windows_.emplace(*writer().plan, unfolded(writer()));
        count_features();
    }

    Head unfolded(Config& config) {
        Head head;
        REQUIRE(config.codec->decode_head(head_, head));
        std::vector<Chunk> chunks;
        for (const auto& [name, bytes] : chunks_) {
            const SealedField field = *SealedField::parse(name);
            const auto& all = config.plan->resolutions();
            const auto found =
                std::ranges::find_if(all, [&](const Resolution& r) { return r.hop == field.hop; });
            if (found == all.end()) continue;
            const auto resolution = static_cast<std::size_t>(found - all.begin());
            REQUIRE(config.codec->decode_chunk(resolution, field.chunk, PartitionId{0}, bytes,
                                               chunks.emplace_back()));
            ++counts_.older_chunks;
        }
        unfold(head, std::move(chunks));
        return head;
    }

    void check_reads() {
        for (Config& config : configs_) {
            counts_.older_heads +=
                config.codec->layouts().fingerprint() != configs_[head_by_].codec->layouts().fingerprint();
            for (const Timestamp t :
                 {clock(), clock() - made_.view.retain, clock() - made_.view.retain / 3, clock() + 61s})
                check_read(config, t);
        }
    }

    void check_read(Config& config, Timestamp t) {
        std::vector<std::size_t> all(config.features.size());
        for (std::size_t f = 0; f < all.size(); ++f) all[f] = f;
        Head folded;
        REQUIRE(config.codec->decode_head(head_, folded));
        const Head whole = unfolded(config);
        const Head* one[] = {&folded};
        const Head* unfolded_one[] = {&whole};
        config.straight->clear();
        REQUIRE(config.straight->add(head_));
        const bool serves = config.straight->serves(t, all);
        REQUIRE(serves == config.reader->serves(one, t, all));
        REQUIRE(config.reader->serves(unfolded_one, t, all));
        if (serves) {
            const auto straight = config.straight->read(all);
            REQUIRE(straight);
            REQUIRE(same(**straight, config.reader->read(one, t, all)));
            check_answer(config, t, **straight);
        }
        check_answer(config, t, config.reader->read(unfolded_one, t, all));
    }

    bool complete(std::size_t made, Timestamp t) const {
        const Feature& f = made_.view.features[made];
        return features_[made].now && is_complete(features_[made].since, f.window, f.hop, t);
    }

    bool surely_decided(const Config& config, Timestamp t) const {
        for (std::size_t i = 0; i < config.features.size(); ++i) {
            const FeaturePlan& feature = config.plan->features()[i];
            if (feature.resolution == config.plan->presence_resolution() &&
                feature.window == config.plan->presence_window() && complete(config.features[i], t))
                return true;
        }
        return false;
    }

    void check_answer(const Config& config, Timestamp t, const FeatureAnswer& answer) {
        Events events;
        for (const StoredEvent& e : events_) events.push_back(&e);
        const bool missing = is_missing(config.view, events, t);
        if (surely_decided(config, t)) {
            REQUIRE(answer.missing == missing);
        } else {
            counts_.undecided += answer.missing != missing;
            REQUIRE((answer.missing || !missing));
        }
        for (std::size_t i = 0; i < config.features.size() && !answer.missing; ++i) {
            if (!complete(config.features[i], t)) {
                ++counts_.incomplete;
                continue;
            }
            ++counts_.complete;
            const Feature& f = config.view.features[i];
            const Events taken = taken_by(f, events, t);
            const FieldType type = f.field ? made_.source.fields[*f.field].type : FieldType::boolean;
            if (Expected(f, type, taken).agrees(answer.values[i])) continue;
            FAIL(f.name, " ", name_of(f.function), " over ", taken.size(), " events, window ",
                 f.window.value_or(Duration{}).count(), " hop ", f.hop.count(), " at ", unix_ms(t));
        }
    }

    Random random_;
    UpgradeCounts& counts_;
    RandomView made_;
    std::vector<Counted> features_;
    std::vector<Config> configs_;
    std::size_t writer_ = 0;
    std::size_t head_by_ = 0;
    std::optional<RandomStream> stream_;
    std::optional<EntityWindows> windows_;
    std::deque<StoredEvent> events_;
    std::string head_;
    std::map<std::string, std::string> chunks_;
};

StoredLayout layout_of(const Source& source, const char* name, const char* field, Duration window) {
    View view;
    Feature& feature = view.features.emplace_back();
    feature.name = name;
    feature.function = Function::sum;
    for (std::size_t i = 0; i < source.fields.size(); ++i)
        if (source.fields[i].name == field) feature.field = i;
    feature.window = window;
    feature.hop = 1s;
    return StoredLayout::of(source, ViewPlan(source, view));
}

}  // namespace

TEST_CASE("writers and readers of different features of a view read what the others have stored") {
    constexpr std::uint64_t kSeeds = freshet::test::seeds(3000);
    UpgradeCounts counts;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        CAPTURE(seed);
        Upgrades(seed, counts).run();
    }
    CHECK(counts.complete > 30 * kSeeds);
    CHECK(counts.incomplete > 3 * kSeeds);
    CHECK(counts.older_heads > 3 * kSeeds);
    CHECK(counts.older_chunks > kSeeds / 3);
    CHECK(counts.undecided < counts.complete / 100);
    MESSAGE(counts.complete, " complete values, ", counts.incomplete, " incomplete, ", counts.undecided,
            " undecided");
}

TEST_CASE("a layout depends on what is stored, not on names of features or the order of a source's fields") {
    const Source source = mixed_source();
    Source reordered = source;
    std::swap(reordered.fields[0], reordered.fields[1]);
    const StoredLayout usual = layout_of(source, "a", "i", 60s);
    CHECK(layout_of(source, "b", "i", 60s) == usual);
    CHECK(layout_of(reordered, "a", "i", 60s) == usual);
    for (const StoredLayout& other : {layout_of(source, "a", "f", 60s), layout_of(source, "a", "i", 61s)}) {
        CHECK(other != usual);
        CHECK(other.fingerprint() != usual.fingerprint());
    }
}

TEST_CASE("a layout comes back from its text, and one that is not a layout's does not") {
    const StoredLayout layout{{{1000ms, {0xab, 0xffff'ffff'ffff'ffff}, {{60, {0}}, {300, {0, 1}}}},
                               {60'000ms, {1}, {{1 << 30, {0}}}}}};
    CHECK(layout.text() == "1000:ab,ffffffffffffffff:60=0:300=0,1/60000:1:1073741824=0");
    CHECK(StoredLayout::parse(layout.text()) == layout);
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        Random random(seed);
        const RandomView made = random_view(random);
        const StoredLayout some = StoredLayout::of(made.source, ViewPlan(made.source, made.view));
        CHECK(StoredLayout::parse(some.text()) == some);
    }
    for (const char* text :
         {"", "/", "1000", "1000:ab", "0:ab:60=0", "-1:ab:60=0", "1000::60=0", "1000:x:60=0", "1000:ab:60",
          "1000:ab:60=", "1000:ab:0=0", "1000:ab:60=1", "1000:ab:60=0,", "1s:ab:60=0"})
        CHECK_MESSAGE(!StoredLayout::parse(text), text);
}

TEST_CASE("layouts are learnt once, and what is none is passed over") {
    const Source source = mixed_source();
    View view;
    view.features.push_back(
        {"n", Function::count, std::nullopt, 0.5, Duration{60s}, Duration{1s}, std::nullopt});
    const ViewPlan plan(source, view);
    StoredLayouts layouts(source, plan);
    const StoredLayout other = layout_of(source, "a", "i", 60s);
    CHECK_FALSE(layouts.find(other.fingerprint()));
    CHECK_FALSE(layouts.learn("rubbish  " + layouts.current().text()));
    CHECK(layouts.learn("rubbish " + other.text()));
    CHECK_FALSE(layouts.learn(other.text()));
    REQUIRE(layouts.find(other.fingerprint()));
    CHECK((*layouts.find(other.fingerprint()))->layout() == other);
}
