#include "io/audit/auditor.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <numeric>

#include "io/log.hpp"

namespace freshet {

namespace {

using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr int kNice = 10;
constexpr std::size_t kMostLines = 10;  // about mismatches, of one partition in one round
constexpr std::size_t kQueuedMessages = 20'000;

// A queue that lasts for two seconds: librdkafka looks at a full one once a second.
KafkaSettings reader_settings(KafkaSettings settings, std::int64_t rate) {
    settings.instance.clear();
    settings.client_id += "-audit";
    settings.queued_bytes = 0;
    settings.properties["queued.min.messages"] = std::to_string(kQueuedMessages);
    settings.properties["queued.max.messages.kbytes"] =
        std::to_string(std::clamp<std::int64_t>(2 * rate / 1024, 1024, 32'768));
    return settings;
}

std::string count_of(std::size_t n, const std::string& what) {
    return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

}  // namespace

Auditor::Auditor(Parts parts)
    : parts_(std::move(parts)),
      pace_(parts_.config.rate),
      reports_([](const Error& error) { log::debug("audit: " + error.message); }),
      store_(parts_.redis, parts_.cluster, parts_.sentinels),
      thread_([this] { run(); }) {}

Auditor::~Auditor() {
    stop();
    thread_.join();
}

Result<void> Auditor::open() {
    const KafkaSettings settings = reader_settings(parts_.kafka, parts_.config.rate);
    auto queries = KafkaQueries::open(settings, reports_);
    if (!queries) return queries.error();
    auto reader = KafkaTopicReader::open(settings, reports_);
    if (!reader) return reader.error();
    queries_ = *std::move(queries);
    reader_ = *std::move(reader);
    return {};
}

void Auditor::run() {
    // Of this thread alone.
    (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
    parts_.status->note("audit", "on, no round yet");
    if (const auto opened = open(); !opened) {
        log::error("audit: " + opened.error().message + "; nothing is audited");
        parts_.status->note("audit", "off: " + opened.error().message);
        return;
    }
    while (!pace_.stopped()) {
        const auto began = steady_clock::now();
        const Round round = run_round();
        if (pace_.stopped()) break;
        const auto took = std::chrono::floor<Duration>(steady_clock::now() - began);
        tell(round, took);
        pace_.wait(std::max(Duration{0}, parts_.config.every - took));
    }
    reader_.reset();
    queries_.reset();
}

Auditor::Round Auditor::run_round() {
    Round round;
    const std::uint64_t seed = ++rounds_;
    for (const auto& [partition, next] : parts_.status->recorded()) {
        const auto source = parts_.sources.find(partition.topic);
        if (source == parts_.sources.end()) continue;
        const AuditOutcome outcome =
            AuditRound({store_, *queries_, *reader_, pace_, history_, parts_.config, parts_.embedded_log},
                       partition, source->second)
                .run(seed);
        if (pace_.stopped()) break;
        take(*source->second, outcome, round);
    }
    return round;
}

void Auditor::take(const SourcePlan& source, const AuditOutcome& outcome, Round& round) {
    // Told before it is counted: whom the counter alarms finds what it is about.
    for (std::size_t i = 0; i < std::min(kMostLines, outcome.mismatches.size()); ++i)
        log::error("audit mismatch: " + outcome.mismatches[i].text);
    if (outcome.mismatches.size() > kMostLines)
        log::error("audit mismatch: " + std::to_string(outcome.mismatches.size() - kMostLines) +
                   " more in the same partition");
    if (!outcome.mismatches.empty())
        parts_.status->note("audit last mismatch", outcome.mismatches.front().text);
    std::vector<std::uint64_t> mismatches(source.views.size());
    for (const AuditMismatch& mismatch : outcome.mismatches) ++mismatches[mismatch.view];
    for (std::size_t v = 0; v < source.views.size(); ++v) {
        parts_.metrics->audited(source.views[v]->view().name, outcome.compared[v], mismatches[v]);
        round.found.partials += outcome.compared[v];
    }
    for (std::size_t i = 0; i < kAuditSkips; ++i) {
        if (outcome.skipped[i] > 0)
            parts_.metrics->audit_skipped(name_of(static_cast<AuditSkip>(i)), outcome.skipped[i]);
        round.skipped[i] += outcome.skipped[i];
    }
    for (const std::string& reason : outcome.reasons) round.reason = reason;
    round.found.values += outcome.values;
    round.found.mismatches += outcome.mismatches.size();
    round.one_in = std::max(round.one_in, outcome.one_in);
    ++round.partitions;
}

void Auditor::Figures::add(const Figures& others) {
    partials += others.partials;
    values += others.values;
    mismatches += others.mismatches;
}

std::string Auditor::Figures::text() const {
    return count_of(partials, "partial") + " and " + count_of(values, "value") + " compared, " +
           std::to_string(mismatches) + " wrong";
}

void Auditor::tell(const Round& round, Duration took) {
    const auto now = std::chrono::floor<Duration>(system_clock::now());
    parts_.metrics->audit_round(now, took);
    all_.add(round.found);
    std::string line = "round " + std::to_string(rounds_) + " ended at " + std::to_string(unix_ms(now)) +
                       " after " + std::to_string(took.count()) +
                       " ms: " + count_of(round.partitions, "partition") +
                       (round.one_in > 1 ? ", one entity in " + std::to_string(round.one_in) : "") + ", " +
                       round.found.text() + "; since the start " + all_.text();
    std::string passed_over;
    for (std::size_t i = 0; i < kAuditSkips; ++i)
        if (round.skipped[i] > 0)
            passed_over += (passed_over.empty() ? "" : ", ") + std::to_string(round.skipped[i]) + " " +
                           std::string(name_of(static_cast<AuditSkip>(i)));
    if (!passed_over.empty()) line += "; features passed over: " + passed_over;
    if (!round.reason.empty()) line += " (" + round.reason + ")";
    parts_.status->note("audit", line);
    log::debug("audit: " + line);
}

}  // namespace freshet
