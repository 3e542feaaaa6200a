#include <unistd.h>

#include <cstdio>
#include <set>

#include "command_support.hpp"
#include "commands.hpp"
#include "io/config/config_file.hpp"
#include "replay.hpp"
#include "stop_signal.hpp"

namespace freshet {

namespace {

using Seconds = std::chrono::duration<double>;

// One line a second, or one that is written over where people watch.
class ProgressLine {
public:
    void show(const ReplayProgress& progress) {
        if (!tty_ && progress.elapsed - shown_ < Seconds{1}) return;
        const double seconds = (progress.elapsed - shown_).count();
        const double rate = seconds > 0 ? static_cast<double>(progress.acked - acked_) / seconds : 0;
        std::fprintf(stderr, "%s%llu events, %.0f/s%s", tty_ ? "\r\033[K" : "",
                     static_cast<unsigned long long>(progress.acked), rate, tty_ ? "" : "\n");
        shown_ = progress.elapsed;
        acked_ = progress.acked;
    }
    void clear() const {
        if (tty_) std::fprintf(stderr, "\r\033[K");
    }

private:
    const bool tty_ = isatty(STDERR_FILENO) != 0;
    Seconds shown_{};
    std::uint64_t acked_ = 0;
};

Result<ReplaySpec> spec_of(const ReplayOptions& options, const Config& config) {
    auto kafka = outside_settings(options.config, config);
    if (!kafka) return kafka.error();
    ReplaySpec spec;
    spec.kafka = *std::move(kafka);
    spec.events = options.events;
    spec.records = options.records;
    spec.record_to = options.record_to;
    spec.rate = options.rate;
    if (options.records) return spec;
    const auto source = choose_source(config.definitions, options.source);
    if (!source) return source.error();
    spec.topic = (*source)->topic;
    return spec;
}

}  // namespace

int command_replay(const ReplayOptions& options) {
    const auto config = load_config(options.config);
    if (!config) return failed(config.error(), kUsage);
    auto spec = spec_of(options, *config);
    if (!spec) return failed(spec.error(), kUsage);

    StopSignal stop;
    spec->give_up = [&stop] { return stop.requested(); };
    ProgressLine line;
    const auto summary = replay_events(*spec, [&line](const ReplayProgress& progress) { line.show(progress); });
    line.clear();
    if (!summary) return failed(summary.error(), kFailed);
    const double seconds = summary->elapsed.count();
    std::fprintf(stderr, "%llu events in %.1f s, %.0f/s, to %zu partitions\n",
                 static_cast<unsigned long long>(summary->events), seconds,
                 seconds > 0 ? static_cast<double>(summary->events) / seconds : 0, summary->next.size());
    return kDone;
}

}  // namespace freshet
