#include "serialization/samples.hpp"

#include <cmath>
#include <functional>
#include <random>

#include "io/config/config_file.hpp"
#include "serialization/codec.hpp"

namespace freshet::bench {

namespace {

using Random = std::mt19937_64;

constexpr const char* kSource = R"(
kafka: {brokers: embedded}
redis: {address: embedded}
sources:
  payments:
    topic: payments
    time: {field: ts, format: unix_ms}
    fields: {user: int, amount: float, items: int, text: string}
views:
  payments:
    source: payments
    entity: user
    clock: event
    features:
)";
// As in docs/stored-value.md, "How large".
constexpr const char* kTen = R"(
      count_1h:    {count: "*", window: 1h}
      sum_1h:      {sum: amount, window: 1h}
      min_1h:      {min: amount, window: 1h}
      max_1h:      {max: amount, window: 1h}
      last_1h:     {last: text, window: 1h}
      count_1d:    {count: "*", window: 1d}
      mean_1d:     {mean: amount, window: 1d}
      stddev_1d:   {stddev: amount, window: 1d}
      items_1d:    {sum: items, window: 1d}
      max_1d:      {max: amount, window: 1d}
)";
constexpr const char* kCounters = R"(
      payments:    {count: "*", window: lifetime}
      spent:       {sum: amount, window: lifetime}
      items:       {sum: items, window: lifetime}
)";
constexpr const char* kTexts = R"(
      last_1h:     {last: text, window: 1h}
      last_1d:     {last: text, window: 1d}
)";

struct Fields {
    double amount;
    std::int64_t items;
    std::string text;
};

double uniform(Random& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

// Around 30, up to some thousands; told in cents.
double money(Random& random) {
    return std::round(std::exp(3.4 + 1.2 * (uniform(random) + uniform(random) + uniform(random) - 1.5) * 2) *
                      100) /
           100;
}

std::string letters(Random& random, std::size_t count) {
    std::string text;
    while (text.size() < count) text += static_cast<char>('a' + random() % 26);
    return text;
}

// Prose, with a quote or a line end now and then.
std::string prose(Random& random) {
    std::string text;
    while (text.size() < 2000) {
        text += letters(random, 2 + random() % 9);
        const std::uint64_t end = random() % 40;
        text += end == 0 ? "\n" : end == 1 ? "\" " : end == 2 ? " \xc3\xa4 " : " ";
    }
    return text;
}

Fields paid(Random& random) {
    return {money(random), static_cast<std::int64_t>(1 + random() % 20), letters(random, 10)};
}
Fields measured(Random& random) {
    Fields fields = paid(random);
    fields.amount *= 1 + uniform(random);  // all 53 bits
    return fields;
}
Fields mostly_nothing(Random& random) {
    if (random() % 50 == 0) return paid(random);
    return {0, 0, letters(random, 10)};
}
Fields told(Random& random) { return {0, 0, prose(random)}; }

struct Recipe {
    const char* name;
    const char* features;
    int events;
    Duration apart;  // of the events
    Fields (*fields)(Random&);
};

constexpr Duration kThird{20'000};  // three events a tile of the hour

constexpr Recipe kRecipes[] = {
    {"dense", kTen, 185, kThird, paid},          {"dense, 53 bits", kTen, 185, kThird, measured},
    {"sparse", kTen, 1, kThird, paid},           {"zeros", kTen, 185, kThird, mostly_nothing},
    {"lifetime", kCounters, 1000, kThird, paid}, {"texts", kTexts, 8, Duration{60'000}, told},
};

// The first millisecond of a chunk of tiles of a minute, so that 60 of them stand in one.
constexpr std::int64_t kBegin = 1'700'000'000'000 / (64 * 60'000) * (64 * 60'000);

Sample make_sample(const ViewPlan& plan, const Recipe& recipe, std::size_t number) {
    Random random(number);
    Sample sample;
    sample.windows = std::make_unique<EntityWindows>(plan, PartitionId{3}, Generation{0});
    auto offset = static_cast<std::int64_t>(1'000'000 + number * 100'000);
    Timestamp time = from_unix_ms(kBegin);
    for (int i = 0; i < recipe.events; ++i) {
        const Fields fields = recipe.fields(random);
        const Value values[] = {static_cast<std::int64_t>(number), fields.amount, fields.items, fields.text};
        time += i == 0 ? Duration{static_cast<std::int64_t>(random() % 1000)} : recipe.apart;
        offset += static_cast<std::int64_t>(1 + random() % 500);
        sample.windows->add(plan, {time, Offset{offset}, time, values});
    }
    std::vector<EntityWindows::ChunkId> changed;
    sample.windows->flush(plan, time, sample.head, changed);
    for (const EntityWindows::ChunkId& id : changed) {
        auto tiles = sample.windows->sealed_tiles(id);
        if (tiles.size() <= sample.sealed.size()) continue;
        sample.resolution = id.resolution;
        sample.sealed = std::move(tiles);
    }
    return sample;
}

}  // namespace

std::vector<std::string> kind_names() {
    std::vector<std::string> names;
    for (const Recipe& recipe : kRecipes) names.emplace_back(recipe.name);
    return names;
}

Kind make_kind(const std::string& name) {
    for (const Recipe& recipe : kRecipes) {
        if (name != recipe.name) continue;
        const Config config = checked(parse_config(std::string(kSource) + recipe.features, "bench.yaml"));
        Kind kind{name, {config.definitions.sources[0], {}}, {}};
        kind.plan.views.push_back(std::make_shared<ViewPlan>(kind.plan.source, config.definitions.views[0]));
        for (std::size_t i = 0; i < kSamples; ++i) kind.samples.push_back(make_sample(kind.view(), recipe, i));
        return kind;
    }
    throw std::runtime_error("no such kind of value: " + name);
}

}  // namespace freshet::bench
