// The store of partials and progress records, as the write path sees it: every call is fenced by the
// partition's record (docs/architecture.md, Exactly once). Redis in production, memory in tests; one contract
// test for both.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/fence.hpp"
#include "model/ids.hpp"
#include "model/record_rules.hpp"
#include "model/result.hpp"

namespace freshet {

// Where a partial stands: one field, named after its origin, in the hash of its entity.
struct PartialKey {
    std::string view_id;  // name@version
    std::string entity;
    std::string origin;  // "<partition>.<generation>"
};

struct ChunkWrite {
    std::string field;  // of the sealed hash
    std::string bytes;  // empty: remove the field
};

struct PartialWrite {
    PartialKey key;
    std::string head;  // begins with the stamp; a lower stamp than the stored one changes nothing and succeeds
    std::vector<ChunkWrite> chunks;
    // Of both keys; an earlier expiry that stands is raised, never lowered. Raising costs as much again as
    // writing the head: round it up, so that it seldom rises.
    std::optional<Timestamp> expire_at;
    bool expiry_acked = false;  // a write of this head with this expiry or a later one was acked in this epoch
    bool has_sealed = true;     // the head names sealed tiles; false saves keeping their expiry
};

// Written in one atomic, fenced call.
struct WriteCall {
    Fence fence;
    std::vector<PartialWrite> writes;
    std::optional<MarkedSpan> read = {};  // what the writes may include: noted in the record
};

struct StoredChunk {
    std::string field;
    std::string bytes;
};

struct LoadedPartial {
    std::optional<std::string> head;  // none: the origin has nothing stored
    std::vector<StoredChunk> chunks;  // of this origin only
};

// Blocking; one connection; not thread-safe. A call on a broken connection reconnects first.
class PartialStore {
public:
    virtual ~PartialStore() = default;

    // Installs a higher epoch than what stands (next_epoch by the server's clock) and this claim's facts. A
    // record of another Kafka cluster or group is left as it is, and returned: decide_start() refuses it.
    virtual Result<TakenEpoch> take_epoch(const PartitionClaim& claim) = 0;

    // One pipeline; results in order: the record's `calls` after each.
    virtual std::vector<Result<std::uint64_t>> write(std::span<const WriteCall> calls) = 0;

    // Results in the order of `keys`. Changes nothing, does not count as a call.
    virtual Result<std::vector<LoadedPartial>> load(const Fence& fence, std::span<const PartialKey> keys) = 0;

    // Replaces what is recorded of the log, of the named views, and the partition count, as
    // record_rules::advance() says.
    virtual Result<Advanced> advance(const Fence& fence, const ProgressUpdate& update) = 0;
};

}  // namespace freshet
