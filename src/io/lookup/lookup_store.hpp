// A Redis server as a reader sees it: its connection there, and what the progress records there say. One a
// server and loop.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "io/asio.hpp"
#include "io/lookup/lookup_catalogue.hpp"
#include "io/lookup/lookup_progress.hpp"
#include "io/lookup/record_places.hpp"
#include "io/lookup/replica_history.hpp"
#include "io/redis/redis_pipeline.hpp"

namespace freshet {

// A primary, or a replica of one. What its records say holds for the values that it holds.
struct LookupStore {
    // `primary`: of a replica.
    LookupStore(asio::io_context& loop, const RedisConfig& config, Duration silence, RedisPipeline::Hooks hooks,
                const LookupCatalogue& catalogue, Duration max_age, RecordPlaces& places,
                LookupStore* primary = nullptr)
        : address(config.address),
          primary(primary),
          redis(loop, config, silence, std::move(hooks), primary != nullptr),
          progress(catalogue, redis, config.prefix, max_age, places, primary ? primary->address : address,
                   primary ? &primary->progress : nullptr) {
        if (primary) history.emplace(redis, [this] { progress.distrust(); });
    }

    const Endpoint address;
    LookupStore* const primary;  // that it is a replica of; null: it is a primary itself
    RedisPipeline redis;
    LookupProgress progress;
    std::optional<ReplicaHistory> history;  // of a replica
    std::vector<LookupStore*> replicas;     // of a primary that are read
    bool running = false;                   // it is connected, or trying to be
};

}  // namespace freshet
