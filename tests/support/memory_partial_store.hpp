// A faithful partial store in memory: the same contract test runs against it and Redis. Several stores may
// share one MemoryServer, as nodes share a Redis. Thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/partial_store.hpp"

namespace freshet::test {

class MemoryServer {
public:
    // The hash of an entity in a view, with the sealed hash beside it.
    struct Entity {
        std::map<std::string, std::string> heads;   // by origin
        std::map<std::string, std::string> sealed;  // by field
        std::optional<Timestamp> expire_at;         // of both
    };
    struct State {
        std::map<std::pair<Partition, RecordSlot>, ProgressRecord> records;
        std::map<std::pair<std::string, std::string>, Entity> entities;  // by view id and entity

        // Of a partition that has one.
        const ProgressRecord& record(const Partition& partition) const {
            return records.at({partition, kFirstRecordSlot});
        }
    };
    enum class Fault { none, before_applying, after_applying };

    // One call fails: the `skip`+1st from now. With it all that stand behind it in its pipeline.
    void fail_call(Fault fault, std::size_t skip = 0) {
        const std::lock_guard lock(mutex_);
        fault_ = fault;
        calls_before_fault_ = skip;
    }
    // Until switched off, every call fails and changes nothing.
    void set_down(bool down) {
        const std::lock_guard lock(mutex_);
        down_ = down;
    }
    // Until switched off, calls are acked and forgotten, as by a primary that fails over to a lagging replica.
    void lose_writes(bool lose) {
        const std::lock_guard lock(mutex_);
        lose_writes_ = lose;
    }
    State snapshot() const {
        const std::lock_guard lock(mutex_);
        return state_;
    }
    void restore(State state) {
        const std::lock_guard lock(mutex_);
        state_ = std::move(state);
    }
    void flush_all() { restore({}); }
    void set_now(Timestamp now) {
        const std::lock_guard lock(mutex_);
        now_ = now;
    }

private:
    friend class MemoryPartialStore;

    static Error unavailable() { return {Errc::unavailable, "memory store: switched to fail"}; }

    // Runs `apply` on the state as the switches say. `broken`: the pipeline's connection has failed already.
    template <class T, class Apply>
    Result<T> call(Apply apply, bool& broken) {
        if (down_ || broken) return unavailable();
        Fault fault = Fault::none;
        if (fault_ != Fault::none && calls_before_fault_-- == 0) fault = std::exchange(fault_, Fault::none);
        broken = fault != Fault::none;
        if (fault == Fault::before_applying) return unavailable();
        expire();
        std::optional<State> kept;
        if (lose_writes_) kept = state_;
        Result<T> result = apply();
        expire();
        if (kept) state_ = *std::move(kept);
        if (fault == Fault::after_applying) return unavailable();
        return result;
    }

    void expire() {
        std::erase_if(state_.entities,
                      [&](const auto& e) { return e.second.expire_at && *e.second.expire_at <= now_; });
    }

    Result<ProgressRecord*> check(const Fence& fence) {
        const auto at = state_.records.find({fence.partition, fence.slot});
        ProgressRecord* const record = at == state_.records.end() ? nullptr : &at->second;
        if (auto checked = record_rules::check(record, fence); !checked)
            return checked.error().within("memory store");
        return record;
    }

    mutable std::mutex mutex_;
    State state_;
    Timestamp now_ = from_unix_ms(1'790'000'000'000);
    Fault fault_ = Fault::none;
    std::size_t calls_before_fault_ = 0;
    bool down_ = false;
    bool lose_writes_ = false;
};

class MemoryPartialStore final : public PartialStore {
public:
    explicit MemoryPartialStore(std::shared_ptr<MemoryServer> server = std::make_shared<MemoryServer>())
        : server_(std::move(server)) {}

    MemoryServer& server() { return *server_; }

    Result<TakenEpoch> take_epoch(const PartitionClaim& claim) override {
        const std::lock_guard lock(server_->mutex_);
        bool broken = false;
        return server_->call<TakenEpoch>([&] { return take(claim); }, broken);
    }

    std::vector<Result<std::uint64_t>> write(std::span<const WriteCall> calls) override {
        const std::lock_guard lock(server_->mutex_);
        std::vector<Result<std::uint64_t>> results;
        for (const WriteCall& call : calls) {
            for (const PartialWrite& write : call.writes) {
                if (write.head.size() >= kStampBytes) continue;
                const Error error{Errc::invalid_argument, "the head of " + write.key.view_id + " has no stamp"};
                results.assign(calls.size(), error);
                return results;
            }
        }
        bool broken = false;
        for (const WriteCall& call : calls)
            results.push_back(server_->call<std::uint64_t>([&] { return apply(call); }, broken));
        return results;
    }

    Result<std::vector<LoadedPartial>> load(const Fence& fence, std::span<const PartialKey> keys) override {
        const std::lock_guard lock(server_->mutex_);
        bool broken = false;
        return server_->call<std::vector<LoadedPartial>>([&] { return find(fence, keys); }, broken);
    }

    Result<Advanced> advance(const Fence& fence, const ProgressUpdate& update) override {
        const std::lock_guard lock(server_->mutex_);
        bool broken = false;
        return server_->call<Advanced>([&] { return move_on(fence, update); }, broken);
    }

private:
    static constexpr std::size_t kStampBytes = 12;

    Result<TakenEpoch> take(const PartitionClaim& claim) {
        auto& records = server_->state_.records;
        std::optional<ProgressRecord> record;
        if (const auto at = records.find({claim.partition, claim.slot}); at != records.end())
            record = at->second;
        if (!record && claim.only_if_there) return TakenEpoch{{}, 0, {}, server_->now_};
        if (record && claim.epoch && record->epoch >= *claim.epoch) return MemoryServer::unavailable();
        TakenEpoch taken = record_rules::take_epoch(record, claim, server_->now_);
        records[{claim.partition, claim.slot}] = *std::move(record);
        return taken;
    }

    Result<std::uint64_t> apply(const WriteCall& call) {
        auto record = server_->check(call.fence);
        if (!record) return record.error();
        for (const PartialWrite& write : call.writes) apply(write);
        if (call.read) record_rules::note_read(**record, *call.read);
        return ++(*record)->calls;
    }

    void apply(const PartialWrite& write) {
        MemoryServer::Entity& entity = server_->state_.entities[{write.key.view_id, write.key.entity}];
        std::string& head = entity.heads[write.key.origin];
        // The stamp is big-endian and not negative, so bytes compare as numbers do.
        if (!head.empty() && head.compare(0, kStampBytes, write.head, 0, kStampBytes) > 0) return;
        head = write.head;
        for (const ChunkWrite& chunk : write.chunks) {
            if (chunk.bytes.empty()) {
                entity.sealed.erase(chunk.field);
            } else {
                entity.sealed[chunk.field] = chunk.bytes;
            }
        }
        if (write.expire_at)
            entity.expire_at = std::max(entity.expire_at.value_or(*write.expire_at), *write.expire_at);
    }

    Result<std::vector<LoadedPartial>> find(const Fence& fence, std::span<const PartialKey> keys) {
        if (auto record = server_->check(fence); !record) return record.error();
        std::vector<LoadedPartial> loaded(keys.size());
        for (std::size_t i = 0; i < keys.size(); ++i) {
            const auto entity = server_->state_.entities.find({keys[i].view_id, keys[i].entity});
            if (entity == server_->state_.entities.end()) continue;
            const auto head = entity->second.heads.find(keys[i].origin);
            if (head == entity->second.heads.end()) continue;
            loaded[i].head = head->second;
            for (const auto& [field, bytes] : entity->second.sealed)
                if (field.starts_with(keys[i].origin + ".")) loaded[i].chunks.push_back({field, bytes});
        }
        return loaded;
    }

    Result<Advanced> move_on(const Fence& fence, const ProgressUpdate& update) {
        auto record = server_->check(fence);
        if (!record) return record.error();
        return record_rules::advance(**record, update, server_->now_);
    }

    std::shared_ptr<MemoryServer> server_;
};

}  // namespace freshet::test
