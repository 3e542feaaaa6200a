// The store of partials and progress records in one Redis server, or in one primary of a cluster.
#pragma once

#include <string>

#include "io/partial_store.hpp"
#include "io/redis/fenced_scripts.hpp"
#include "io/redis/redis_connection.hpp"

namespace freshet {

class RedisPartialStore final : public PartialStore {
public:
    explicit RedisPartialStore(const RedisConfig& config, RedisTimeouts timeouts = {});

    Result<TakenEpoch> take_epoch(const PartitionClaim& claim) override;
    std::vector<Result<std::uint64_t>> write(std::span<const WriteCall> calls) override;
    Result<std::vector<LoadedPartial>> load(const Fence& fence, std::span<const PartialKey> keys) override;
    Result<Advanced> advance(const Fence& fence, const ProgressUpdate& update) override;

private:
    ScriptCall fenced_call(const Fence& fence) const;
    ScriptCall encode(const WriteCall& call) const;

    RedisConnection connection_;
    FencedScripts scripts_;
    std::string prefix_;
};

}  // namespace freshet
