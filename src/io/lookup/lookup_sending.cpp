// What a request asks of Redis, and of which primary. It is asked again elsewhere when the slot of its entity
// is not there any more.
#include <utility>

#include "io/lookup/lookup_engine.hpp"
#include "io/stored/store_keys.hpp"

namespace freshet {

namespace {

constexpr int kMostRedirections = 16;  // of one request, beyond one a row

}  // namespace

void LookupEngine::send(LookupRequest& request) {
    request.read_again = request.not_yet = false;
    request.try_again.clear();
    request.moments.clear();
    ++request.attempts;
    switch (request.kind) {
        case LookupRequest::Kind::local:
        case LookupRequest::Kind::vector:
            break;
        case LookupRequest::Kind::get:
        case LookupRequest::Kind::mget:
        case LookupRequest::Kind::part:
            return send_reads(request);
        case LookupRequest::Kind::explain:
            request.rows.assign(1, {});
            if (route(request)) send_whole(request, 0);
            break;
        case LookupRequest::Kind::freshness:
        case LookupRequest::Kind::status:
        case LookupRequest::Kind::watch:
            send_pings(request);
    }
}

bool LookupEngine::route(LookupRequest& request) {
    const LookupStore* before = nullptr;
    for (std::size_t row = 0; row < request.rows.size(); ++row) {
        if (request.rows[row].written()) continue;
        LookupStore* store =
            router_.has_slots() ? router_.primary_of(head_key(request, row)) : router_.primaries().front();
        if (store && may_read_replica(request))
            store = &router_.read_from(*store, request.query.view->topic, now);
        if (!store || !store->redis.usable()) {
            fail(request, "UNAVAILABLE", store ? store->redis.reason() : LookupRouter::kNobody);
            return false;
        }
        request.rows[row].store = request.rows[row].asked = store;
        if (std::exchange(before, store) != store) store->progress.refresh(request.query.view->topic, now);
    }
    return true;
}

void LookupEngine::send_reads(LookupRequest& request) {
    request.in_order = true;
    request.written = 0;
    request.missing = request.confirmed = false;
    request.body.clear();
    const std::size_t entities = request.query.entities();
    request.rows.assign(entities, {});
    if (request.kind == LookupRequest::Kind::mget) RespWriter(request.body).array(entities);
    request.shape = kept_.shape_of(request.query, request.protocol);
    if (request.shape) write_kept(request);
    if (request.written == entities || !route(request)) return;
    const RestingEntities& resting = resting_[request.query.view->index];
    for (std::size_t row = 0; row < entities; ++row)
        if (!request.rows[row].written())
            resting.contains(request.query.entity(row)) ? send_whole(request, row) : send_heads(request, row);
}

void LookupEngine::send_pings(LookupRequest& request) {
    request.rows.clear();
    for (LookupStore* primary : router_.primaries()) {
        if (!primary->redis.usable()) {
            if (request.tells_of_all()) continue;
            return fail(request, "UNAVAILABLE", primary->redis.reason());
        }
        for (std::size_t i = 0; i < catalogue_.topics().size(); ++i) primary->progress.refresh(i, now);
        append_redis_command(primary->redis.out(), {"PING"});
        expect(request, primary->redis, Step::heads, request.rows.size());
        request.rows.push_back({primary, primary});
    }
}

void LookupEngine::expect(LookupRequest& request, RedisPipeline& redis, Step step, std::size_t row) {
    redis.expect(request, tag_of(step, row));
    ++request.waiting;
}

RedisPipeline& LookupEngine::connection_of(LookupRequest& request, std::size_t row) {
    LookupStore& asked = *request.rows[row].asked;
    RedisPipeline& redis = asked.redis;
    if (asked.history && asked.history->read_by(request, tag_of(Step::history, row))) ++request.waiting;
    if (std::exchange(request.rows[row].asking, false)) {
        append_redis_command(redis.out(), {"ASKING"});
        expect(request, redis, Step::queued, row);
    }
    return redis;
}

void LookupEngine::send_heads(LookupRequest& request, std::size_t row) {
    RedisPipeline& redis = connection_of(request, row);
    append_redis_command(redis.out(), {"HVALS", head_key(request, row)});
    expect(request, redis, Step::heads, row);
}

// Head values and sealed tiles of one entity, as they stand together at one moment: a tile that is sealed
// between two reads would be counted twice or not at all.
void LookupEngine::send_whole(LookupRequest& request, std::size_t row) {
    RedisPipeline& redis = connection_of(request, row);
    request.rows[row].refused = false;
    append_redis_command(redis.out(), {"MULTI"});
    append_redis_command(redis.out(), {"HVALS", head_key(request, row)});
    append_redis_command(redis.out(), {"HGETALL", key_ += kSealedSuffix});
    append_redis_command(redis.out(), {"EXEC"});
    for (int i = 0; i < 3; ++i) expect(request, redis, Step::queued, row);
    expect(request, redis, Step::whole, row);
}

// HVALS names no field; the names stand in the same order.
void LookupEngine::send_names(LookupRequest& request, std::size_t row) {
    RedisPipeline& redis = connection_of(request, row);
    append_redis_command(redis.out(), {"HKEYS", head_key(request, row)});
    expect(request, redis, Step::names, row);
}

bool LookupEngine::send_elsewhere(LookupRequest& request, std::uint64_t tag, std::string_view error) {
    if (step_of(tag) == Step::epoch) return false;
    LookupRequest::Row& row = request.rows[row_of(tag)];
    if (row.refused) {  // by a command before, and now the transaction is over
        if (step_of(tag) == Step::whole) send_again(request, tag);
        return true;
    }
    const auto redirected = router_.redirected(*row.asked, error);
    if (!redirected) {
        if (error.starts_with("TRYAGAIN"))
            request.try_again = row.asked->redis.where() + ": " + std::string(error);
        return !request.try_again.empty();
    }
    const auto most = kMostRedirections + request.rows.size();
    if (!redirected->to->redis.usable() || static_cast<std::size_t>(++request.redirections) > most)
        return false;
    row.asked = redirected->to;
    row.asking = redirected->asking;
    if (!row.asking) {
        row.store = row.asked;
        row.store->progress.refresh(request.query.view->topic, now);
    }
    row.refused = step_of(tag) == Step::queued;
    if (!row.refused) send_again(request, tag);
    return true;
}

void LookupEngine::send_again(LookupRequest& request, std::uint64_t tag) {
    switch (step_of(tag)) {
        case Step::heads:
            return send_heads(request, row_of(tag));
        case Step::whole:
            return send_whole(request, row_of(tag));
        default:
            return send_names(request, row_of(tag));
    }
}

}  // namespace freshet
