// What a look-up's row costs from the stored head to the answer, in CPU time of one thread: for profiles, and
// under callgrind for instruction counts. No Redis and no sockets.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <random>

#include "io/config/config_file.hpp"
#include "io/lookup/lookup_row.hpp"
#include "io/stored/flush_builder.hpp"
#include "one_thread.hpp"

namespace freshet::bench {
namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kEnd = 1'700'000'040'000 - 1;  // the end of a minute

struct Options {
    std::int64_t entities = 2'000;
    std::int64_t tiles = 60;           // minutes with events
    std::int64_t events_per_tile = 2;  // of an entity
    std::int64_t rounds = 200;         // over all entities
};

class ReadPath {
public:
    explicit ReadPath(const Options& options)
        : options_(options), config_(checked(parse_config(kPaymentsConfig, "bench.yaml"))) {
        for (std::int64_t entity = 0; entity < options.entities; ++entity) fill(entity);
        for (WriteCall& call : builder_.take())
            for (PartialWrite& write : call.writes) heads_.push_back(std::move(write.head));
        query_.view = &view_;
        query_.features = view_.all;
    }

    void run() {
        const double began = thread_seconds();
        for (std::int64_t round = 0; round < options_.rounds; ++round)
            for (const std::string& head : heads_) read(head);
        seconds_ = thread_seconds() - began;
    }

    void report() const {
        std::size_t bytes = 0;
        for (const std::string& head : heads_) bytes += head.size();
        const double rows = static_cast<double>(options_.rounds) * static_cast<double>(heads_.size());
        std::printf("{\"head_bytes\": %.1f, \"answer_bytes\": %.1f, \"ns_a_row\": %.1f}\n",
                    static_cast<double>(bytes) / static_cast<double>(heads_.size()),
                    static_cast<double>(answered_) / rows, seconds_ * 1e9 / rows);
    }

private:
    void fill(std::int64_t entity) {
        EntityWindows windows(plan(), PartitionId{0}, Generation{0});
        for (std::int64_t i = 0; i < options_.tiles * options_.events_per_tile; ++i) {
            const std::int64_t tile = i / options_.events_per_tile;
            const std::uint64_t random = random_();
            const std::int64_t minute = kEnd + 1 - (options_.tiles - tile) * kMinute;
            const Value fields[] = {entity, static_cast<double>(100 + (random >> 20) % 50'000) / 100,
                                    static_cast<std::int64_t>((random >> 40) % 20)};
            const Timestamp time = from_unix_ms(minute + static_cast<std::int64_t>(random % kMinute));
            const Offset offset{i * options_.entities + entity};
            (void)windows.add(plan(), Event{time, offset, from_unix_ms(kEnd), fields});
        }
        builder_.add(0, std::to_string(entity), windows, from_unix_ms(kEnd));
    }

    void read(const std::string& head) {
        RedisAnswer stored{RedisAnswer::Kind::string, 0, head, {}};
        checked(reader_.load({&stored, 1}));
        const ReadMoment moment{from_unix_ms(kEnd), from_unix_ms(kEnd), {}, from_unix_ms(kEnd)};
        if (!reader_.serves(query_, *moment.at)) throw std::runtime_error("a head does not serve");
        answer_.clear();
        RespWriter out(answer_);
        checked(reader_.write(query_, moment, out));
        answered_ += answer_.size();
    }

    const ViewPlan& plan() const { return *plans_.front(); }

    const Options options_;
    Config config_;
    const Source& source_ = config_.definitions.sources.front();
    ViewPlans plans_{std::make_shared<ViewPlan>(source_, config_.definitions.views.front())};
    FlushBuilder builder_{source_, plans_, PartitionId{0}, Generation{0}};
    std::mt19937_64 random_;
    std::vector<std::string> heads_;
    ServedView view_{source_, config_.definitions.views.front()};
    RowReader reader_{view_};
    LookupQuery query_;
    std::string answer_;
    std::size_t answered_ = 0;
    double seconds_ = 0;
};

}  // namespace
}  // namespace freshet::bench

int main(int argc, char** argv) {
    CLI::App app("What a look-up's row costs from the stored head to the answer.");
    freshet::bench::Options options;
    app.add_option("--entities", options.entities)->check(CLI::PositiveNumber);
    app.add_option("--tiles", options.tiles, "minutes with events")->check(CLI::Range(1, 60));
    app.add_option("--events-per-tile", options.events_per_tile)->check(CLI::PositiveNumber);
    app.add_option("--rounds", options.rounds, "over all entities")->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);
    try {
        freshet::bench::ReadPath path(options);
        path.run();
        path.report();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "read_path: %s\n", error.what());
        return 1;
    }
    return 0;
}
