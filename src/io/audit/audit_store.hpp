// What the auditor reads of Redis: progress records, and partials under a fence which proves that nothing has
// fallen back since their record was read. Changes nothing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/redis/cluster_topology.hpp"
#include "io/redis/redis_connection.hpp"
#include "io/redis/redis_partial_store.hpp"
#include "io/redis/sentinel_watch.hpp"
#include "model/progress.hpp"

namespace freshet {

// The record of a partition at one primary, or the only one.
struct AuditRecord {
    RecordSlot slot = kFirstRecordSlot;
    std::size_t primary = 0;
    ProgressRecord record;
};

// One thread. In a cluster every primary has a record, and partials are read beside their own.
class AuditStore {
public:
    // `cluster`: null where there is one server; `sentinels`: who name it, or null.
    AuditStore(RedisConfig config, std::shared_ptr<ClusterTopology> cluster,
               std::shared_ptr<SentinelWatch> sentinels);
    ~AuditStore();

    // All records of the partition, as they stand; of the servers of now until the next call. Errc::not_found
    // where one is not there.
    Result<std::vector<AuditRecord>> records(const Partition& partition);
    // Which of them vouches for an entity; none: none does now.
    const AuditRecord* record_of(std::span<const AuditRecord> records, const PartialKey& key) const;
    // Fails unless all that `record` says of is still there.
    Result<std::vector<LoadedPartial>> load(const Partition& partition, const AuditRecord& record,
                                            std::span<const PartialKey> keys);
    Result<Timestamp> now(const AuditRecord& record);

private:
    struct Server;

    void look_who_serves();
    Server& server(std::size_t primary);
    Result<AuditRecord> read(const Partition& partition, RecordSlot slot);

    RedisConfig config_;  // with the address of the one server, or of the cluster
    const std::shared_ptr<ClusterTopology> cluster_;
    const std::shared_ptr<SentinelWatch> sentinels_;
    std::uint64_t version_ = 0;  // of the sentinels' word
    SharedSlotMap map_;          // null where there is one server
    std::map<std::string, std::unique_ptr<Server>> servers_;
};

}  // namespace freshet
