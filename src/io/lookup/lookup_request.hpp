// A request that a client waits for, from its parsing until its reply was handed over.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/lookup/lookup_query.hpp"
#include "io/lookup/lookup_row.hpp"
#include "io/lookup/lookup_vector.hpp"
#include "io/lookup/own_event.hpp"
#include "io/lookup/row_cache.hpp"
#include "io/redis/redis_pipeline.hpp"

namespace freshet {

class FreshnessWatch;
class LookupEngine;
struct LookupStore;
struct LookupRequest;

// The client's end.
class LookupWaiter {
public:
    virtual void answered() = 0;  // some request of its is done

protected:
    ~LookupWaiter() = default;
};

struct LookupRequest final : RedisPipeline::Receiver {
    enum class Kind : std::uint8_t { local, get, mget, part, vector, explain, freshness, status, watch };

    explicit LookupRequest(LookupEngine& of) : engine(of) {}

    LookupEngine& engine;
    LookupWaiter* waiter = nullptr;  // null: the client has gone
    Kind kind = Kind::local;
    std::string_view command;
    Resp protocol = Resp::v2;
    std::chrono::steady_clock::time_point started{};
    bool done = false;
    bool failed = false;
    std::string body;  // the reply once done

    // Of a vector: what it asks for, and one request a view, which are answered first.
    VectorQuery vector;
    std::vector<LookupRequest*> parts;
    LookupRequest* whole = nullptr;  // of a part: the vector; it hears of the end and of failures

    LookupQuery query;
    std::optional<OwnEvent> own_event;  // of query.own_event
    // Of every primary, also while one is away.
    bool tells_of_all() const { return kind == Kind::status || kind == Kind::watch; }
    std::size_t entities() const { return kind == Kind::vector ? vector.entities : query.entities(); }
    // Of the reply; until then the body is RESP3.
    AnswerEncoding encoding() const { return kind == Kind::vector ? vector.encoding : query.encoding; }
    struct Row {
        LookupStore* store = nullptr;  // that holds it: its records tell the moment
        LookupStore* asked = nullptr;  // another one while its slot is on the way there,
        bool asking = false;           // which must be told so before the next command
        bool refused = false;          // of a transaction, a command: its end says no more
        std::size_t begin = 0;         // in body
        std::size_t end = 0;
        std::size_t kept_before = 0;  // likewise: the staleness, if the row may be given again
        std::size_t kept_behind = 0;
        bool written() const { return end > 0; }
        bool to_be_kept() const { return kept_behind > 0; }
    };
    std::vector<Row> rows;
    bool in_order = true;  // rows were written in their order
    std::size_t written = 0;
    std::optional<RowCache::Shape> shape;  // none: its rows are not kept
    std::size_t waiting = 0;               // replies of Redis, or parts, still to come
    bool not_yet = false;                  // the view has not come to where query.after says
    bool read_again = false;  // the records did not cover the topic, or are gone: all of it once more
    int attempts = 0;
    int redirections = 0;
    std::string try_again;   // Redis's answer while keys are on their way: all of it once more, a little later
    bool missing = false;    // some entity was not there,
    bool confirmed = false;  // and whether Redis was emptied meanwhile has been asked
    struct Moment {
        LookupStore* store = nullptr;
        ReadMoment read;
        std::chrono::steady_clock::time_point taken{};  // when this process knew it
        bool missing = false;                           // some entity of that store
    };
    std::vector<Moment> moments;         // one a store, once its records are known
    FreshnessWatch* watch = nullptr;     // of kind watch, which nobody is answered
    std::optional<std::size_t> corrupt;  // index of a head that does not decode; its field is being asked for

    // For the next use.
    void reset();

private:
    void replied(std::uint64_t tag, const RedisAnswer& answer) override;
    void lost(std::uint64_t tag) override;
};

// Their memory is used again.
class LookupRequestPool {
public:
    LookupRequest& take(LookupEngine& engine);
    // With its parts.
    void give_back(LookupRequest& request);

private:
    std::vector<std::unique_ptr<LookupRequest>> all_;
    std::vector<LookupRequest*> free_;
};

}  // namespace freshet
