// One look at one partition: some entities are counted again from its log, and compared with what look-ups read
// of them (docs/audit.md).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/audit/audit_history.hpp"
#include "io/audit/audit_pace.hpp"
#include "io/audit/audit_store.hpp"
#include "io/config/config.hpp"
#include "io/events/event_intake.hpp"
#include "io/kafka/kafka_queries.hpp"
#include "io/kafka/kafka_topic_reader.hpp"
#include "model/audit_compare.hpp"
#include "model/audit_scope.hpp"
#include "model/entity_table.hpp"

namespace freshet {

struct AuditMismatch {
    std::size_t view;  // index into the source's
    std::string text;  // names everything
};

struct AuditOutcome {
    std::vector<std::size_t> compared;  // partials, by view of the source
    std::size_t values = 0;             // of them, each way and time that one was read
    std::vector<AuditMismatch> mismatches;
    AuditSkipped skipped{};
    std::uint64_t one_in = 1;          // of the entities in the windows
    std::vector<std::string> reasons;  // of skips that are not said by their name
};

class AuditRound {
public:
    struct Parts {
        AuditStore& store;
        KafkaQueries& queries;
        KafkaTopicReader& reader;
        AuditPace& pace;
        AuditHistory& history;
        AuditConfig limits;
        bool embedded_log;  // knows no times, and keeps no settings of topics
    };

    AuditRound(Parts parts, Partition partition, std::shared_ptr<const SourcePlan> source);
    ~AuditRound();

    // Once. Another `seed` draws other entities. Ends early when the pace is stopped.
    AuditOutcome run(std::uint64_t seed);

private:
    struct Reading;
    struct Waiting;

    Result<bool> keeps_all();
    Result<void> look_at_records();
    // Whether all views that are wanted have been counted without a gap since the last look.
    Result<void> look_again();
    Result<void> choose_scopes();
    Result<ViewProgress> progress_of(const ViewPlan& plan) const;
    Result<void> scope_view(std::size_t view, LogRange log, Timestamp redis_now);
    Result<void> recount(std::uint64_t seed);
    Result<void> count(Offset from, Offset end);
    void flush_batch();
    Result<void> load();
    Result<void> load_some(const AuditRecord& record, std::span<const EntityKey> keys);
    void take(const EntityKey& key, const LoadedPartial& loaded, Timestamp redis_now);
    void compare(const Waiting& waiting);
    Result<void> catch_up();
    Result<void> confirm();
    void skip(std::size_t view, AuditSkip reason);
    void skip_all(const Error& error);
    void mismatch(const Waiting& waiting, const AuditDifference& difference, const std::string& read_from,
                  Timestamp at);

    Parts parts_;
    const Partition partition_;
    const std::shared_ptr<const SourcePlan> source_;
    std::vector<AuditRecord> records_;
    std::vector<std::unique_ptr<Reading>> views_;
    EventIntake intake_;
    std::unique_ptr<EventBatch> batch_;
    std::unique_ptr<AuditSample> sample_;
    std::vector<std::unique_ptr<Waiting>> waiting_;
    Offset begins_{}, from_{}, end_{};
    AuditOutcome outcome_;
};

}  // namespace freshet
