#include "io/redis/sentinel_partial_store.hpp"

#include <utility>

#include "io/redis/cluster_topology.hpp"
#include "io/redis/redis_partial_store.hpp"

namespace freshet {

SentinelPartialStore::SentinelPartialStore(RedisConfig config, std::shared_ptr<SentinelWatch> sentinels)
    : config_(std::move(config)), sentinels_(std::move(sentinels)) {}

PartialStore& SentinelPartialStore::at_primary() {
    const std::uint64_t version = sentinels_->version();
    if (version_ != version) {
        version_ = version;
        store_ = std::make_unique<RedisPartialStore>(reached_at(config_, sentinels_->primary()));
    }
    return *store_;
}

Result<TakenEpoch> SentinelPartialStore::take_epoch(const PartitionClaim& claim) {
    return noted(at_primary().take_epoch(claim));
}

std::vector<Result<std::uint64_t>> SentinelPartialStore::write(std::span<const WriteCall> calls) {
    auto results = at_primary().write(calls);
    for (const auto& result : results) (void)noted(result);
    return results;
}

Result<std::vector<LoadedPartial>> SentinelPartialStore::load(const Fence& fence,
                                                              std::span<const PartialKey> keys) {
    return noted(at_primary().load(fence, keys));
}

Result<Advanced> SentinelPartialStore::advance(const Fence& fence, const ProgressUpdate& update) {
    return noted(at_primary().advance(fence, update));
}

}  // namespace freshet
