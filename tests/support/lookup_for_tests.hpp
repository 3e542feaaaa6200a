// A look-up server over a real Redis for tests: views to ask, a hand that fills the store, and clients.
#pragma once

#include <doctest/doctest.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io/lookup/lookup_server.hpp"
#include "io/redis/private_redis.hpp"
#include "io/redis/redis_connection.hpp"
#include "io/stored/partial_codec.hpp"
#include "io/stored/progress_codec.hpp"
#include "io/stored/store_keys.hpp"
#include "io/stored/stored_fields.hpp"
#include "model/entity_windows.hpp"
#include "support/becomes_true.hpp"

namespace freshet::testing {

using namespace std::chrono_literals;

// A reply as text: 5, "text", nil, [1 "a"], +OK, -ERR message.
inline std::string text_of(const redisReply& reply) {
    const auto raw = [&] { return std::string(reply.str, static_cast<std::size_t>(reply.len)); };
    switch (reply.type) {
        case REDIS_REPLY_INTEGER:
            return std::to_string(reply.integer);
        case REDIS_REPLY_STRING:
            return '"' + raw() + '"';
        case REDIS_REPLY_STATUS:
            return '+' + raw();
        case REDIS_REPLY_ERROR:
            return '-' + raw();
        case REDIS_REPLY_NIL:
            return "nil";
        default:
            break;
    }
    std::string text = "[";
    for (std::size_t i = 0; i < static_cast<std::size_t>(reply.elements); ++i)
        text += (i > 0 ? " " : "") + text_of(*reply.element[i]);
    return text + "]";
}

inline std::string ms(Timestamp t) { return std::to_string(unix_ms(t)); }

class TestClient {
public:
    explicit TestClient(std::uint16_t port) : context_(redisConnect("127.0.0.1", port)) {
        REQUIRE(context_);
        REQUIRE_MESSAGE(context_->err == 0, context_->errstr);
        const timeval bound{20, 0};
        redisSetTimeout(context_, bound);
    }
    ~TestClient() { redisFree(context_); }
    TestClient(const TestClient&) = delete;
    TestClient& operator=(const TestClient&) = delete;

    void send(const std::vector<std::string>& arguments) {
        std::vector<const char*> texts;
        std::vector<std::size_t> sizes;
        for (const std::string& argument : arguments) {
            texts.push_back(argument.data());
            sizes.push_back(argument.size());
        }
        redisAppendCommandArgv(context_, static_cast<int>(texts.size()), texts.data(), sizes.data());
    }
    void send_raw(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(context_->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            REQUIRE(sent > 0);
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    // The next reply; "closed" when there will be none.
    std::string receive() {
        void* reply = nullptr;
        if (redisGetReply(context_, &reply) != REDIS_OK) return "closed";
        const std::string text = text_of(*static_cast<redisReply*>(reply));
        freeReplyObject(reply);
        return text;
    }
    std::string ask(const std::vector<std::string>& arguments) {
        send(arguments);
        return receive();
    }
    // One inline command, of words without blanks.
    std::string operator()(const std::string& line) {
        send_raw(line + "\r\n");
        return receive();
    }
    // The answer to an inline command as bytes, for replies that hiredis does not know. As many as `expected`
    // has, so that nothing is left of an answer that is as expected.
    std::string bytes_of(const std::string& line, std::string_view expected) {
        send_raw(line + "\r\n");
        std::string bytes(expected.size(), '\0');
        for (std::size_t got = 0; got < bytes.size();) {
            const ssize_t more = ::recv(context_->fd, bytes.data() + got, bytes.size() - got, 0);
            REQUIRE(more > 0);
            got += static_cast<std::size_t>(more);
        }
        return bytes;
    }
    int socket() const { return context_->fd; }

private:
    redisContext* context_;
};

// Counts what it is told.
class CountingObserver final : public LookupObserver {
public:
    void answered(std::string_view, std::chrono::nanoseconds, std::size_t count) override {
        ++requests;
        entities += count;
        if (fail_next.exchange(false)) throw std::runtime_error("planted");
    }
    void second_step() override { ++second_steps; }
    void from_cache(std::size_t found, std::size_t not_found) override {
        cache_hits += found;
        cache_misses += not_found;
    }
    void looked_at_freshness(std::string_view, std::optional<Duration> staleness,
                             std::optional<Duration>) override {
        ++looks;
        if (!staleness) ++looks_in_vain;
    }
    void failed(std::string_view) override { ++errors; }

    std::atomic<std::size_t> requests{0}, entities{0}, second_steps{0}, cache_hits{0}, cache_misses{0},
        errors{0}, looks{0}, looks_in_vain{0};
    std::atomic<bool> fail_next{false};
};

inline Feature feature(std::string name, Function function, std::optional<std::size_t> field,
                       std::optional<Duration> window) {
    Feature f;
    f.name = std::move(name);
    f.function = function;
    f.field = field;
    f.window = window;
    f.hop = window ? default_hop(*window) : Duration(24h);
    return f;
}

// Source `payments`: card, country, amount, price, ok.
inline Definitions payment_views() {
    Definitions definitions;
    Source& source = definitions.sources.emplace_back();
    source.name = source.topic = "payments";
    source.fields = {{"card", {"card"}, FieldType::string},
                     {"country", {"country"}, FieldType::string},
                     {"amount", {"amount"}, FieldType::int64},
                     {"price", {"price"}, FieldType::float64},
                     {"ok", {"ok"}, FieldType::boolean}};
    const auto add = [&](std::string name, std::vector<std::size_t> entity, View::Clock clock) -> View& {
        View& view = definitions.views.emplace_back();
        view.name = std::move(name);
        view.source = "payments";
        view.entity = std::move(entity);
        view.clock = clock;
        view.retain = 10min;
        view.features = {feature("payments_5m", Function::count, std::nullopt, 5min),
                         feature("spent_1h", Function::sum, 2, 1h)};
        return view;
    };
    View& spend = add("spend", {0}, View::Clock::event);
    spend.features.push_back(feature("mean_price_1h", Function::mean, 3, 1h));
    spend.features.push_back(feature("last_country", Function::last, 1, std::nullopt));
    spend.features.push_back(feature("last_ok", Function::last, 4, 1h));
    add("pairs", {0, 1}, View::Clock::event);
    add("now", {0}, View::Clock::wall).freshness.max_staleness = 1h;
    View& strict = add("strict", {0}, View::Clock::event);
    strict.freshness = {5s, OnBreach::error};
    strict.owner = "risk";
    add("hiding", {0}, View::Clock::event).freshness = {5s, OnBreach::null};
    definitions.services = {
        {"cards", {{"spend", "payments_5m"}, {"spend", "mean_price_1h"}}},
        {"ranking",
         {{"spend", "last_country"},
          {"pairs", "payments_5m"},
          {"spend", "spent_1h"},
          {"spend", "mean_price_1h"},
          {"pairs", "spent_1h"}}},
        {"guarded", {{"spend", "spent_1h"}, {"strict", "spent_1h"}}},
    };
    return definitions;
}

struct Payment {
    Timestamp time;
    std::int64_t amount = 0;
    double price = 0;
    std::string country = "NL";
    bool ok = true;
};

constexpr Timestamp kNoon = from_unix_ms(1'700'000'400'000);  // a multiple of ten minutes

class LookupFixture {
public:
    LookupFixture() {
        if (!redis()) redis() = std::move(*PrivateRedis::start());
        if (redis()->pid() == 0) REQUIRE(redis()->restart());
        store_ = std::make_unique<RedisConnection>(redis()->reached_by());
        LookupFixture::command({"FLUSHALL"});
    }
    virtual ~LookupFixture() = default;

    Definitions definitions = payment_views();
    LookupOptions options = [] {
        LookupOptions o;
        o.listen = {{"127.0.0.1", 0}};
        return o;
    }();
    CountingObserver observer;
    StatusProvider status;

    static std::unique_ptr<PrivateRedis>& redis() {
        static std::unique_ptr<PrivateRedis> server;
        return server;
    }
    ViewPlan plan(const std::string& view) const {
        return {definitions.sources.front(), *definitions.find_view(view)};
    }

    virtual void start() {
        server_ = std::make_unique<LookupServer>(options, definitions, redis()->reached_by(), observer, status);
        const auto started = server_->start();
        REQUIRE_MESSAGE(started, started.error().message);
    }
    LookupServer& server() { return *server_; }
    std::uint16_t port() {
        if (!server_) start();
        return server_->ports().front();
    }
    TestClient client() { return TestClient(port()); }

    virtual std::string command(std::initializer_list<std::string_view> arguments) {
        auto reply = store_->command(arguments);
        if (!reply) reply = store_->command(arguments);  // Redis was started anew
        REQUIRE_MESSAGE(reply, reply.error().message);
        return std::string(reply->text());
    }
    std::int64_t redis_ms() {
        auto reply = store_->command({"TIME"});
        return std::stoll(std::string((*reply)[0].text())) * 1000 +
               std::stoll(std::string((*reply)[1].text())) / 1000;
    }

    // Stores what one partition counted of one entity; returns it, unfolded.
    Head store(const std::string& view, const std::string& entity, const std::vector<Payment>& payments,
               std::int32_t partition = 0) {
        const ViewPlan plan = this->plan(view);
        EntityWindows windows(plan, PartitionId{partition}, Generation{0});
        Timestamp clock{};
        std::int64_t offset = 0;
        for (const Payment& payment : payments) {
            clock = std::max(clock, payment.time);
            const Value fields[] = {std::string_view(entity), std::string_view(payment.country), payment.amount,
                                    payment.price, payment.ok};
            windows.add(plan, Event{payment.time, Offset{offset++}, clock, fields});
        }
        HeadView head;
        std::vector<EntityWindows::ChunkId> chunks;
        windows.flush(plan, clock, head, chunks);
        PartialCodec codec(definitions.sources.front(), plan);
        std::string bytes;
        codec.encode_head(head, bytes);
        const HeadField origin{PartitionId{partition}, Generation{0}};
        command({"HSET", head_key("fs:", plan.id(), entity), origin.text(), bytes});
        for (const auto& chunk : chunks) {
            const auto tiles = windows.sealed_tiles(chunk);
            if (tiles.empty()) continue;
            bytes.clear();
            codec.encode_chunk(chunk.resolution, tiles, bytes);
            const SealedField field{origin, plan.resolutions()[chunk.resolution].hop, chunk.number};
            command({"HSET", sealed_key("fs:", plan.id(), entity), field.text(), bytes});
        }
        return windows.unfolded();
    }

    ViewProgress progress(const std::string& view, std::optional<Timestamp> clock,
                          std::optional<Timestamp> watermark) const {
        ViewProgress progress;
        progress.clock = clock;
        progress.watermark = watermark;
        const ViewPlan plan = this->plan(view);
        progress.fingerprint = plan.fingerprint();
        for (const FeaturePlan& feature : plan.features())
            progress.features[feature.name] = {feature.fingerprint, std::nullopt};
        return progress;
    }
    void record(std::int32_t partition, std::int32_t partitions,
                const std::map<std::string, ViewProgress>& views) {
        ProgressRecord record;
        record.epoch = Epoch{7};
        record.node = "node-a";
        record.partitions = partitions;
        for (const auto& [view, progress] : views) record.views[plan(view).id()] = progress;
        const std::string key = record_key("fs:", Partition{"payments", PartitionId{partition}});
        for (const auto& [field, value] : encode_record(record)) command({"HSET", key, field, value});
    }
    // All views of a topic of one partition, as of `clock` and fresh.
    void record_all(Timestamp clock) {
        std::map<std::string, ViewProgress> views;
        for (const View& view : definitions.views)
            views[view.name] = progress(view.name, clock, from_unix_ms(redis_ms()));
        record(0, 1, views);
    }

protected:
    std::unique_ptr<LookupServer> server_;

private:
    std::unique_ptr<RedisConnection> store_;
};

}  // namespace freshet::testing
