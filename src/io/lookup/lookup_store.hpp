// A Redis server as a reader sees it: its connection there, and what the progress records there say. One a
// server and loop.
#pragma once

#include "io/asio.hpp"
#include "io/lookup/lookup_catalogue.hpp"
#include "io/lookup/lookup_progress.hpp"
#include "io/lookup/record_places.hpp"
#include "io/redis/redis_pipeline.hpp"

namespace freshet {

// A primary as a reader sees it. What its records say holds for the values that it holds.
struct LookupStore {
    LookupStore(asio::io_context& loop, const RedisConfig& config, Duration silence, RedisPipeline::Hooks hooks,
                const LookupCatalogue& catalogue, Duration max_age, RecordPlaces& places)
        : address(config.address),
          redis(loop, config, silence, std::move(hooks)),
          progress(catalogue, redis, config.prefix, max_age, places, address) {}

    const Endpoint address;
    RedisPipeline redis;
    LookupProgress progress;
    bool running = false;  // it is connected, or trying to be
};

}  // namespace freshet
