// The store of partials and progress records at the server that the sentinels name when a call begins. What a
// fail-over lost is told by the progress record of the new primary, as after any other loss.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "io/partial_store.hpp"
#include "io/redis/sentinel_watch.hpp"

namespace freshet {

class SentinelPartialStore final : public PartialStore {
public:
    SentinelPartialStore(RedisConfig config, std::shared_ptr<SentinelWatch> sentinels);

    Result<TakenEpoch> take_epoch(const PartitionClaim& claim) override;
    std::vector<Result<std::uint64_t>> write(std::span<const WriteCall> calls) override;
    Result<std::vector<LoadedPartial>> load(const Fence& fence, std::span<const PartialKey> keys) override;
    Result<Advanced> advance(const Fence& fence, const ProgressUpdate& update) override;

private:
    PartialStore& at_primary();
    // Of a call: a server that cannot be reached, or takes no writes, may be the primary no more.
    template <class T>
    Result<T> noted(Result<T> result) const {
        if (!result && result.error().code == Errc::unavailable) sentinels_->refresh_soon();
        return result;
    }

    const RedisConfig config_;
    const std::shared_ptr<SentinelWatch> sentinels_;
    std::optional<std::uint64_t> version_;  // of the sentinels' word, for which store_ is
    std::unique_ptr<PartialStore> store_;
};

}  // namespace freshet
