#include "io/redis/fenced_scripts.hpp"

#include <algorithm>

#include "io/stored/store_keys.hpp"

namespace freshet {

namespace {

// Only the record stands in KEYS: in a cluster, entities of several slots of one primary may be named in ARGV.
// Replicas refuse all of these, for none is flagged no-writes. Every script reads all it needs before it
// writes.
constexpr std::string_view kFlags = "#!lua flags=allow-cross-slot-keys\n";
constexpr std::string_view kLoadFlags = "#!lua flags=allow-cross-slot-keys,allow-oom\n";

// ARGV[1]: epoch, ARGV[2]: acked calls.
constexpr std::string_view kFence = R"(
local call, argv = redis.call, ARGV
local record = KEYS[1]
local standing = call('HMGET', record, 'epoch', 'calls', 'node')
if standing[1] ~= argv[1] or tonumber(standing[2]) < tonumber(argv[2]) then
  if not standing[1] then return redis.error_reply('LOSTWRITES its record is gone') end
  if tonumber(standing[1]) > tonumber(argv[1]) then
    return redis.error_reply('FENCED node ' .. tostring(standing[3]) .. ' holds epoch ' .. standing[1])
  end
  return redis.error_reply('LOSTWRITES its record has fallen back to epoch ' .. standing[1] .. ', call ' ..
                           tostring(standing[2]))
end
)";

// Of a mark, or of the newest of several; -1 of none.
constexpr std::string_view kMarkOffset = R"(
local function mark_offset(marks)
  return tonumber(string.match(marks or '', '(%d+):%-?%d+:%x+$') or -1)
end
)";

// ARGV[3]: marks of the first and the last message read, or ''. ARGV[4]: index of the last argument of
// the runs. A run: origin, expiry in unix ms or '', '1' if it was acked,
// number of heads, then key and head of each. After the runs, for each head with sealed tiles: index of its key
// in ARGV, number of chunks, then field and bytes of each; no bytes remove the field. Answers `calls`.
constexpr std::string_view kWrite = R"(
local unpack, pcall = struct.unpack, redis.pcall
local runs_end = tonumber(argv[4])

local newest = mark_offset(argv[3]) > mark_offset(call('HGET', record, 'read'))
local stale, absent = {}, {}
local i = 5
while i <= runs_end do
  local origin = argv[i]
  local last = i + 3 + 2 * tonumber(argv[i + 3])
  for j = i + 4, last, 2 do
    local stored = call('HGET', argv[j], origin)
    if stored then
      local generation, offset = unpack('>I4I8', stored)
      local new_generation, new_offset = unpack('>I4I8', argv[j + 1])
      if generation > new_generation or (generation == new_generation and offset > new_offset) then
        stale[j] = true
      end
    else
      absent[j] = true
    end
  end
  i = last + 1
end
local sealed_count = {}
while i <= #argv do
  local j = tonumber(argv[i])
  if not stale[j] then sealed_count[j] = call('HLEN', argv[j] .. SEALED) end
  i = i + 2 + 2 * tonumber(argv[i + 1])
end

if newest then call('HSET', record, 'read', argv[3]) end
i = 5
while i <= runs_end do
  local origin, expiry, acked = argv[i], argv[i + 1], argv[i + 2] == '1'
  local last = i + 3 + 2 * tonumber(argv[i + 3])
  for j = i + 4, last, 2 do
    if not stale[j] then
      local key = argv[j]
      call('HSET', key, origin, argv[j + 1])
      if expiry ~= '' and (absent[j] or not acked) then
        -- GT takes a key without an expiry for one that never ends
        local new = absent[j]
        if call('PEXPIREAT', key, expiry, new and 'NX' or 'GT') == 0 then
          call('PEXPIREAT', key, expiry, new and 'GT' or 'NX')
        end
      end
    end
  end
  i = last + 1
end
while i <= #argv do
  local j, chunks = tonumber(argv[i]), tonumber(argv[i + 1])
  if not stale[j] and (chunks > 0 or sealed_count[j] > 0) then
    local sealed = argv[j] .. SEALED
    -- What is gone cannot be named while its slot moves, and need not be: hence pcall, and removals last.
    for k = i + 2, i + 2 * chunks, 2 do
      if argv[k + 1] ~= '' then call('HSET', sealed, argv[k], argv[k + 1]) end
    end
    for k = i + 2, i + 2 * chunks, 2 do
      if argv[k + 1] == '' then pcall('HDEL', sealed, argv[k]) end
    end
    local expiry = pcall('PEXPIRETIME', argv[j])
    if type(expiry) ~= 'number' or expiry == -2 then
      pcall('DEL', sealed)  -- what was written had expired already
    elseif expiry > 0 then
      pcall('PEXPIREAT', sealed, expiry)
    end
  end
  i = i + 2 + 2 * chunks
end
return call('HINCRBY', record, 'calls', 1)
)";

// Then: key, origin, and prefix of the origin's sealed fields, for each. Answers {head, {field, bytes, ...}}
// for each.
constexpr std::string_view kLoad = R"(
local loaded = {}
for i = 3, #argv, 3 do
  local head = call('HGET', argv[i], argv[i + 1])
  local chunks = {}
  if head then
    local prefix = argv[i + 2]
    local stored = call('HGETALL', argv[i] .. SEALED)
    for k = 1, #stored, 2 do
      if string.sub(stored[k], 1, #prefix) == prefix then
        chunks[#chunks + 1] = stored[k]
        chunks[#chunks + 1] = stored[k + 1]
      end
    end
  end
  loaded[#loaded + 1] = {head, chunks}
end
return loaded
)";

// Then: number of partitions; generation, where it begins, marks; slots of all records, or '' where there is
// but one, slots covered, number of the advance, '1' if it rebuilds, '1' if what is recorded of the views
// counts no more; number of fields to set, name and value of each; position field, definition field, position,
// definition of each view. Answers {calls, seconds, microseconds}.
constexpr std::string_view kAdvance = R"(
local function further(stored, position)
  local next, generation = string.match(stored, '^(-?%d+) %S+ %S+ ?(%d*)')
  local new_next, new_generation = string.match(position, '^(-?%d+) %S+ %S+ ?(%d*)')
  generation, new_generation = tonumber(generation) or 0, tonumber(new_generation) or 0
  return generation > new_generation or (generation == new_generation and tonumber(next) > tonumber(new_next))
end
local function common_slots(a, b)
  local common = {}
  for first, last in string.gmatch(a, '(%d+)-(%d+)') do
    for other_first, other_last in string.gmatch(b, '(%d+)-(%d+)') do
      local from = math.max(tonumber(first), tonumber(other_first))
      local to = math.min(tonumber(last), tonumber(other_last))
      if from <= to then common[#common + 1] = string.format('%d-%d', from, to) end
    end
  end
  return table.concat(common, ' ')
end
local views = 13 + 2 * tonumber(argv[12])
local newer, all_newer = {}, true
for i = views, #argv, 4 do
  local stored = call('HGET', record, argv[i])
  newer[i] = argv[11] == '1' or not stored or not further(stored, argv[i + 2])
  all_newer = all_newer and newer[i]
end
local log = call('HMGET', record, 'generation', 'marks')
local generation, new_generation = tonumber(log[1] or 0), tonumber(argv[4])
local now = call('TIME')
if new_generation > generation then call('HDEL', record, 'read') end
if new_generation > generation or (new_generation == generation and mark_offset(log[2]) <= mark_offset(argv[6])) then
  call('HSET', record, 'generation', argv[4], 'begins', argv[5], 'marks', argv[6])
end
for i = views, #argv, 4 do
  if newer[i] then call('HSET', record, argv[i], argv[i + 2], argv[i + 1], argv[i + 3]) end
end
for i = 13, views - 1, 2 do call('HSET', record, argv[i], argv[i + 1]) end
if argv[7] ~= '' then
  call('HSET', record, 'slots', argv[7], 'rebuilds', all_newer and '0' or argv[10])
  if all_newer then
    call('HSET', record, 'covers', argv[8], 'advance', argv[9])
  else
    call('HSET', record, 'covers', common_slots(call('HGET', record, 'covers') or '', argv[8]))
  end
end
call('HSET', record, 'partitions', argv[3])
return {call('HINCRBY', record, 'calls', 1), now[1], now[2]}
)";

// ARGV: node, cluster, group, number of partitions, '1' to make no record where there is none, the epoch to
// install or ''. Answers {epoch, calls, seconds, microseconds, {record as it stood}}.
constexpr std::string_view kTakeEpoch = R"(
local call = redis.call
local record = KEYS[1]
local before = call('HGETALL', record)
local now = call('TIME')
local standing = {}
for i = 1, #before, 2 do standing[before[i]] = before[i + 1] end
if (standing.cluster or ARGV[2]) ~= ARGV[2] or (standing.group or ARGV[3]) ~= ARGV[3] then
  return {standing.epoch or '0', tonumber(standing.calls or 0), now[1], now[2], before}
end
if ARGV[5] == '1' and #before == 0 then return {'0', 0, now[1], now[2], before} end
if ARGV[6] ~= '' and tonumber(standing.epoch or 0) >= tonumber(ARGV[6]) then
  return redis.error_reply('TRYAGAIN another node takes an epoch at the same time')
end
local epoch = now[1] * 1000 + math.floor(now[2] / 1000)
if standing.epoch then epoch = math.max(epoch, tonumber(standing.epoch) + 1) end
local text = ARGV[6] ~= '' and ARGV[6] or string.format('%.0f', epoch)
-- the taker may have counted before the topic grew, and the watermarks that stand are of all
local partitions = math.max(tonumber(standing.partitions or 0), tonumber(ARGV[4]))
call('HSET', record, 'epoch', text, 'node', ARGV[1], 'cluster', ARGV[2], 'group', ARGV[3], 'partitions', partitions)
if not standing.generation then call('HSET', record, 'generation', '0') end
return {text, call('HINCRBY', record, 'calls', 1), now[1], now[2], before}
)";

std::string text_of(Script script) {
    const std::string sealed = "local SEALED = '" + std::string(kSealedSuffix) + "'\n";
    const auto join = [](std::initializer_list<std::string_view> parts) {
        std::string text;
        for (const std::string_view part : parts) text.append(part);
        return text;
    };
    switch (script) {
        case Script::take_epoch:
            return join({kFlags, kTakeEpoch});
        case Script::write:
            return join({kFlags, sealed, kFence, kMarkOffset, kWrite});
        case Script::load:
            return join({kLoadFlags, sealed, kFence, kLoad});
        case Script::advance:
            return join({kFlags, kFence, kMarkOffset, kAdvance});
    }
    return {};
}

bool is_unknown_script(const Result<RedisReply>& reply) {
    return reply && reply->is_error() && reply->text().starts_with("NOSCRIPT");
}

}  // namespace

// A server without the script has just started, most likely: it may be another one, or configured otherwise. As
// long as it could evict a partial, it gets none.
Result<void> FencedScripts::load(Script script) {
    if (const auto checked = check_server(connection_); !checked)
        return Error{Errc::unavailable, checked.error().message};
    auto digest = connection_.command({"SCRIPT", "LOAD", text_of(script)});
    if (!digest) return digest.error();
    digests_[static_cast<std::size_t>(script)] = digest->text();
    return {};
}

void FencedScripts::append(Script script, const ScriptCall& call) {
    std::vector<std::string_view> argv = {"EVALSHA", digests_[static_cast<std::size_t>(script)], "1",
                                          call.record_key};
    argv.insert(argv.end(), call.args.begin(), call.args.end());
    connection_.append(argv);
}

Error FencedScripts::error_of(const RedisReply& reply) const {
    const std::string_view text = reply.text();
    for (const auto& [code, errc] :
         {std::pair{std::string_view("FENCED "), Errc::fenced}, {"LOSTWRITES ", Errc::lost_writes}}) {
        if (text.starts_with(code)) return connection_.error(errc, text.substr(code.size()));
    }
    if (text.starts_with("NOSCRIPT")) return connection_.error(Errc::unavailable, "it forgets its scripts");
    return connection_.error_of(reply);
}

std::vector<Result<RedisReply>> FencedScripts::run(Script script, std::span<const ScriptCall> calls) {
    std::vector<Result<RedisReply>> replies;
    replies.reserve(calls.size());
    if (digests_[static_cast<std::size_t>(script)].empty()) {
        if (auto loaded = load(script); !loaded) {
            for (std::size_t i = 0; i < calls.size(); ++i) replies.emplace_back(loaded.error());
            return replies;
        }
    }
    for (const ScriptCall& call : calls) append(script, call);
    for (std::size_t i = 0; i < calls.size(); ++i) replies.push_back(connection_.read());

    std::vector<std::size_t> missed;
    for (std::size_t i = 0; i < calls.size(); ++i)
        if (is_unknown_script(replies[i])) missed.push_back(i);
    if (!missed.empty()) {
        const Result<void> loaded = load(script);
        for (const std::size_t i : missed) {
            if (loaded)
                append(script, calls[i]);
            else
                replies[i] = loaded.error();
        }
        for (const std::size_t i : missed)
            if (loaded) replies[i] = connection_.read();
    }
    for (Result<RedisReply>& reply : replies)
        if (reply && reply->is_error()) reply = error_of(*reply);
    return replies;
}

Result<RedisReply> FencedScripts::run(Script script, const ScriptCall& call) {
    return std::move(run(script, std::span(&call, 1)).front());
}

}  // namespace freshet
