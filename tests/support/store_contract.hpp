// What the contract test of the partial store runs on: a memory and a Redis backend with the same verbs, and a
// node that holds a partition.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/partial_store.hpp"
#include "io/redis/redis_partial_store.hpp"
#include "io/stored/store_keys.hpp"
#include "support/memory_partial_store.hpp"
#include "support/redis_process.hpp"

namespace freshet::test {

inline const Partition kPartition{"flights", PartitionId{3}};
inline const PartitionClaim kClaim{kPartition, "node-a", "cluster-1", "group-1", 12};
inline const std::string kView = "delays@1";
inline const std::string kOrigin = "3.0";
constexpr Timestamp kLater = from_unix_ms(4'000'000'000'000);

struct MemoryBackend {
    using Snapshot = MemoryServer::State;

    std::unique_ptr<PartialStore> connect() { return std::make_unique<MemoryPartialStore>(server); }
    void flush_all() { server->flush_all(); }
    Snapshot snapshot() { return server->snapshot(); }
    void restore(const Snapshot& snapshot) { server->restore(snapshot); }
    std::optional<Timestamp> head_expiry(const std::string& entity) {
        return server->snapshot().entities[{kView, entity}].expire_at;
    }
    std::optional<Timestamp> sealed_expiry(const std::string& entity) { return head_expiry(entity); }

    std::shared_ptr<MemoryServer> server = std::make_shared<MemoryServer>();
};

struct RedisBackend {
    struct Dump {
        std::string key, bytes, expiry;
    };
    using Snapshot = std::vector<Dump>;

    RedisBackend() { flush_all(); }
    static RedisProcess& server() {
        static RedisProcess process;
        return process;
    }
    static RedisReply run(std::initializer_list<std::string_view> argv) { return server().run(argv); }

    std::unique_ptr<PartialStore> connect() { return std::make_unique<RedisPartialStore>(server().config()); }
    void flush_all() { (void)run({"FLUSHALL"}); }
    Snapshot snapshot() {
        Snapshot dumps;
        const RedisReply keys = run({"KEYS", "*"});
        for (std::size_t i = 0; i < keys.size(); ++i) {
            const std::string key(keys[i].text());
            const auto expiry = run({"PEXPIRETIME", key}).integer();
            dumps.push_back(
                {key, std::string(run({"DUMP", key}).text()), std::to_string(std::max(0L, expiry))});
        }
        return dumps;
    }
    void restore(const Snapshot& snapshot) {
        flush_all();
        for (const Dump& d : snapshot) (void)run({"RESTORE", d.key, d.expiry, d.bytes, "ABSTTL"});
    }
    std::optional<Timestamp> expiry_of(const std::string& key) {
        const auto ms = run({"PEXPIRETIME", key}).integer();
        return ms < 0 ? std::nullopt : std::optional(from_unix_ms(ms));
    }
    std::optional<Timestamp> head_expiry(const std::string& entity) {
        return expiry_of(head_key(RedisConfig{}.prefix, kView, entity));
    }
    std::optional<Timestamp> sealed_expiry(const std::string& entity) {
        return expiry_of(sealed_key(RedisConfig{}.prefix, kView, entity));
    }
};

inline std::string stamp(std::uint32_t generation, std::uint64_t offset) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(generation >> shift));
    for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(offset >> shift));
    return bytes;
}

inline std::string head(std::uint64_t offset, const std::string& rest) { return stamp(0, offset) + rest; }

inline PartialKey key_of(const std::string& entity) { return {kView, entity, kOrigin}; }

inline PartialWrite put(const std::string& entity, const std::string& bytes,
                        std::vector<ChunkWrite> chunks = {}, std::optional<Timestamp> expire_at = {}) {
    return {key_of(entity), bytes, std::move(chunks), expire_at};
}

// A node that holds the partition.
template <class Backend>
struct Owner {
    explicit Owner(Backend& backend, const PartitionClaim& claim = kClaim) : store(backend.connect()) {
        const auto taken = store->take_epoch(claim);
        REQUIRE(taken);
        fence = {kPartition, taken->epoch, taken->calls};
    }

    Result<std::uint64_t> write(std::vector<PartialWrite> writes) {
        const WriteCall call{fence, std::move(writes)};
        auto calls = std::move(store->write(std::span(&call, 1)).front());
        if (calls) fence.acked_calls = *calls;
        return calls;
    }
    LoadedPartial load(const std::string& entity) {
        const PartialKey key = key_of(entity);
        auto loaded = store->load(fence, std::span(&key, 1));
        REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().message));
        REQUIRE(loaded->size() == 1);
        return loaded->front();
    }
    std::optional<std::string> head_of(const std::string& entity) { return load(entity).head; }
    void advance(const ViewProgressMap& views, std::int32_t partitions = 12, const LogIdentity& log = {}) {
        const auto advanced = store->advance(fence, {partitions, log, views});
        REQUIRE(advanced);
        CHECK(advanced->calls > fence.acked_calls);
        fence.acked_calls = advanced->calls;
    }

    std::unique_ptr<PartialStore> store;
    Fence fence;
};

template <class Backend>
ProgressRecord record_of(Backend& backend) {
    const auto taken = backend.connect()->take_epoch(kClaim);
    REQUIRE(taken);
    REQUIRE(taken->before);
    return *taken->before;
}

// The code of what the owner's next write, load and advance are refused with; they must agree and change
// nothing.
template <class Backend>
Errc refusal(Backend& backend, Owner<Backend>& owner) {
    const PartialKey key = key_of("a");
    const auto loaded = owner.store->load(owner.fence, std::span(&key, 1));
    const auto written = owner.write({put("a", head(1'000, "refused"))});
    const auto advanced = owner.store->advance(owner.fence, {99, {}, {}});
    REQUIRE_FALSE(loaded);
    REQUIRE_FALSE(written);
    REQUIRE_FALSE(advanced);
    CHECK(loaded.error().code == written.error().code);
    CHECK(advanced.error().code == written.error().code);
    CHECK(written.error().message.find("flights/3") != std::string::npos);
    Owner<Backend> next(backend);
    CHECK(next.head_of("a") != head(1'000, "refused"));
    return written.error().code;
}

inline ViewProgress progress_at(std::int64_t next) {
    ViewProgress progress;
    progress.next = Offset{next};
    progress.clock = from_unix_ms(1'000 + next);
    progress.fingerprint = 0xfedc'ba98'7654'3210;
    return progress;
}

inline bool has_chunks(const LoadedPartial& loaded, std::map<std::string, std::string> expected) {
    std::map<std::string, std::string> found;
    for (const StoredChunk& chunk : loaded.chunks) found[chunk.field] = chunk.bytes;
    return found == expected && found.size() == loaded.chunks.size();
}

}  // namespace freshet::test

#define STORE_TEST(name) \
    TEST_CASE_TEMPLATE(name, Backend, freshet::test::MemoryBackend, freshet::test::RedisBackend)
