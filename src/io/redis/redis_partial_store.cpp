#include "io/redis/redis_partial_store.hpp"

#include <algorithm>
#include <charconv>

#include "io/redis/slot_map.hpp"
#include "io/stored/progress_codec.hpp"
#include "io/stored/store_keys.hpp"

namespace freshet {

namespace {

constexpr std::size_t kLoadKeys = 50;    // in one call, so that look-ups need not wait long behind it
constexpr std::size_t kStampBytes = 12;  // at the begin of a head
constexpr std::size_t kRunsEnd = 3;      // among the arguments of a write

std::int64_t number_of(const RedisValue& value) {
    std::int64_t n = value.integer();
    const std::string_view text = value.text();
    std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
}

Timestamp time_of(const RedisValue& seconds, const RedisValue& microseconds) {
    return from_unix_ms(number_of(seconds) * 1000 + number_of(microseconds) / 1000);
}

std::vector<std::string_view> texts_of(const RedisValue& array) {
    std::vector<std::string_view> texts;
    for (std::size_t i = 0; i < array.size(); ++i) texts.push_back(array[i].text());
    return texts;
}

LoadedPartial partial_of(const RedisValue& value) {
    LoadedPartial partial;
    if (value[0].is_text()) partial.head = value[0].text();
    const std::vector<std::string_view> chunks = texts_of(value[1]);
    for (std::size_t i = 0; i + 1 < chunks.size(); i += 2)
        partial.chunks.push_back({std::string(chunks[i]), std::string(chunks[i + 1])});
    return partial;
}

// Heads that share the arguments of a run in the script.
bool same_run(const PartialWrite& a, const PartialWrite& b) {
    return a.key.origin == b.key.origin && a.expire_at == b.expire_at && a.expiry_acked == b.expiry_acked;
}

bool touches_sealed(const PartialWrite& write) {
    return !write.chunks.empty() || (write.has_sealed && write.expire_at && !write.expiry_acked);
}

Error within(const Fence& fence, const Error& error) { return error.within(fence.partition.text()); }

}  // namespace

RedisPartialStore::RedisPartialStore(const RedisConfig& config, RedisTimeouts timeouts)
    : connection_(config, timeouts), scripts_(connection_), prefix_(config.prefix) {}

ScriptCall RedisPartialStore::fenced_call(const Fence& fence) const {
    ScriptCall call;
    call.record_key = record_key(prefix_, fence.partition, tag_of(fence.slot));
    call.keep(std::to_string(fence.epoch.value));
    call.keep(std::to_string(fence.acked_calls));
    return call;
}

Result<TakenEpoch> RedisPartialStore::take_epoch(const PartitionClaim& claim) {
    ScriptCall call;
    call.record_key = record_key(prefix_, claim.partition, tag_of(claim.slot));
    call.add(claim.node);
    call.add(claim.kafka_cluster);
    call.add(claim.group);
    call.keep(claim.partitions);
    call.add(claim.only_if_there ? "1" : "0");
    call.keep(claim.epoch ? std::to_string(claim.epoch->value) : std::string());
    const Result<RedisReply> reply = scripts_.run(Script::take_epoch, call);
    if (!reply) return reply.error().within(claim.partition.text());

    const RedisReply& answer = *reply;
    TakenEpoch taken;
    taken.epoch.value = static_cast<std::uint64_t>(number_of(answer[0]));
    taken.calls = static_cast<std::uint64_t>(answer[1].integer());
    taken.redis_now = time_of(answer[2], answer[3]);
    if (answer[4].size() > 0) {
        auto record = decode_record(texts_of(answer[4]));
        if (!record) return connection_.error(Errc::corrupt, record.error().message).within(call.record_key);
        taken.before = *std::move(record);
    }
    return taken;
}

ScriptCall RedisPartialStore::encode(const WriteCall& write) const {
    ScriptCall call = fenced_call(write.fence);
    const std::vector<PartialWrite>& writes = write.writes;
    call.args.reserve(8 + 2 * writes.size());
    call.keep(write.read ? encode_marks({{write.read->first, write.read->last}}) : std::string());
    call.add({});  // kRunsEnd: known when they are written
    std::vector<std::size_t> key_at(writes.size());
    for (std::size_t i = 0; i < writes.size();) {
        std::size_t end = i + 1;
        while (end < writes.size() && same_run(writes[i], writes[end])) ++end;
        call.add(writes[i].key.origin);
        call.keep(writes[i].expire_at ? std::to_string(unix_ms(*writes[i].expire_at)) : std::string());
        call.add(writes[i].expiry_acked ? "1" : "0");
        call.keep(static_cast<std::int64_t>(end - i));
        for (; i < end; ++i) {
            call.keep(head_key(prefix_, writes[i].key.view_id, writes[i].key.entity));
            key_at[i] = call.args.size();
            call.add(writes[i].head);
        }
    }
    call.args[kRunsEnd] = call.kept(std::to_string(call.args.size()));
    for (std::size_t i = 0; i < writes.size(); ++i) {
        if (!touches_sealed(writes[i])) continue;
        call.keep(static_cast<std::int64_t>(key_at[i]));
        call.keep(static_cast<std::int64_t>(writes[i].chunks.size()));
        for (const ChunkWrite& chunk : writes[i].chunks) {
            call.add(chunk.field);
            call.add(chunk.bytes);
        }
    }
    return call;
}

std::vector<Result<std::uint64_t>> RedisPartialStore::write(std::span<const WriteCall> calls) {
    std::vector<Result<std::uint64_t>> results;
    std::vector<ScriptCall> encoded;
    encoded.reserve(calls.size());
    for (const WriteCall& call : calls) {
        encoded.push_back(encode(call));
        for (const PartialWrite& write : call.writes) {
            if (write.head.size() >= kStampBytes) continue;
            const Error error{Errc::invalid_argument, "the head of " + write.key.view_id + " has no stamp"};
            results.assign(calls.size(), error);
            return results;
        }
    }
    auto replies = scripts_.run(Script::write, encoded);
    for (std::size_t i = 0; i < replies.size(); ++i) {
        if (replies[i]) {
            results.emplace_back(static_cast<std::uint64_t>(replies[i]->integer()));
        } else {
            results.emplace_back(within(calls[i].fence, replies[i].error()));
        }
    }
    return results;
}

Result<std::vector<LoadedPartial>> RedisPartialStore::load(const Fence& fence,
                                                           std::span<const PartialKey> keys) {
    std::vector<ScriptCall> calls;
    calls.push_back(fenced_call(fence));
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (i > 0 && i % kLoadKeys == 0) calls.push_back(fenced_call(fence));
        calls.back().keep(head_key(prefix_, keys[i].view_id, keys[i].entity));
        calls.back().add(keys[i].origin);
        calls.back().keep(sealed_field_prefix(keys[i].origin));
    }
    std::vector<LoadedPartial> loaded;
    loaded.reserve(keys.size());
    for (const Result<RedisReply>& reply : scripts_.run(Script::load, calls)) {
        if (!reply) return within(fence, reply.error());
        for (std::size_t i = 0; i < reply->size(); ++i) loaded.push_back(partial_of((*reply)[i]));
    }
    return loaded;
}

Result<Advanced> RedisPartialStore::advance(const Fence& fence, const ProgressUpdate& update) {
    ScriptCall call = fenced_call(fence);
    call.keep(update.partitions);
    call.keep(update.log.generation.value);
    call.keep(encode_begins(update.log));
    call.keep(encode_marks(update.log.marks));
    call.keep(encode_slots(update.slots));
    call.keep(encode_covers(update.covers));
    call.keep(static_cast<std::int64_t>(update.advance));
    call.add(update.rebuilds ? "1" : "0");
    call.add(update.anew ? "1" : "0");
    call.keep(static_cast<std::int64_t>(update.layouts.size()));
    for (const auto& [id, list] : update.layouts) {
        call.keep(record_field::layouts(id));
        call.add(list);
    }
    for (const auto& [id, progress] : update.views) {
        call.keep(record_field::position(id));
        call.keep(record_field::definition(id));
        call.keep(encode_position(progress));
        call.keep(encode_definition(progress));
    }
    const Result<RedisReply> reply = scripts_.run(Script::advance, call);
    if (!reply) return within(fence, reply.error());
    return Advanced{static_cast<std::uint64_t>((*reply)[0].integer()), time_of((*reply)[1], (*reply)[2])};
}

}  // namespace freshet
