// The Lua that runs in Redis for the partial store: each script checks the partition's record before anything
// else.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/redis/redis_connection.hpp"
#include "model/result.hpp"

namespace freshet {

// What each takes and answers stands beside its text in the .cpp.
enum class Script : std::uint8_t { take_epoch, write, load, advance };
constexpr std::size_t kScripts = 4;

// The arguments of one call. Views must stay valid until it has run; `kept` is for those that live nowhere
// else.
struct ScriptCall {
    ScriptCall() = default;
    ScriptCall(ScriptCall&&) = default;
    ScriptCall& operator=(ScriptCall&&) = default;

    void add(std::string_view arg) { args.push_back(arg); }
    void keep(std::string arg) { args.push_back(kept(std::move(arg))); }
    void keep(std::int64_t number) { keep(std::to_string(number)); }
    std::string_view kept(std::string arg) { return kept_.emplace_back(std::move(arg)); }

    std::string record_key;
    std::vector<std::string_view> args;

private:
    std::deque<std::string> kept_;
};

class FencedScripts {
public:
    explicit FencedScripts(RedisConnection& connection) : connection_(connection) {}

    // One pipeline; results in order. A script that the server does not know (any more) is loaded, and the
    // calls that missed it are repeated after the others.
    std::vector<Result<RedisReply>> run(Script script, std::span<const ScriptCall> calls);
    Result<RedisReply> run(Script script, const ScriptCall& call);

private:
    Result<void> load(Script script);
    void append(Script script, const ScriptCall& call);
    Error error_of(const RedisReply& reply) const;

    RedisConnection& connection_;
    std::array<std::string, kScripts> digests_;
};

}  // namespace freshet
