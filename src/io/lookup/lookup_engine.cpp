#include "io/lookup/lookup_engine.hpp"

#include <algorithm>
#include <utility>

#include "io/lookup/lookup_describe.hpp"
#include "io/stored/store_keys.hpp"

namespace freshet {

namespace {

constexpr int kMostAttempts = 5;
constexpr std::size_t kKeptScratch = 256 * 1024;

constexpr int kRowBits = 32;

}  // namespace

LookupEngine::LookupEngine(const LookupCatalogue& catalogue, RedisPipeline& redis, std::string prefix,
                           Duration max_age, LookupObserver& observer, StatusWriter status, Later later)
    : catalogue_(catalogue),
      redis_(redis),
      observer_(observer),
      status_(std::move(status)),
      later_(std::move(later)),
      progress_(catalogue, redis, prefix, max_age),
      freshness_(tracker_of(catalogue)),
      resting_(catalogue.views().size()),
      own_events_(catalogue.views().size()) {
    for (const auto& view : catalogue.views()) {
        readers_.push_back(std::make_unique<RowReader>(*view));
        // Without the brace behind the entity.
        key_starts_.push_back(freshet::head_key(prefix, view->plan.id(), ""));
        key_starts_.back().pop_back();
    }
}

LookupRequest& LookupEngine::take() {
    LookupRequest& request = requests_.take(*this);
    request.started = now;
    return request;
}

void LookupEngine::start(LookupRequest& request) {
    using Kind = LookupRequest::Kind;
    if (request.query.own_event && !take_own_event(request)) return;
    if (!redis_.usable()) {
        if (request.kind == Kind::status) return settle(request);
        return fail(request, "UNAVAILABLE", redis_.reason());
    }
    if (request.kind == Kind::vector) return start_parts(request);
    send(request);
    if (request.waiting == 0) settle(request);
}

void LookupEngine::start_parts(LookupRequest& request) {
    request.attempts = 1;
    const std::size_t parts = request.vector.service->parts.size();
    request.waiting = parts;
    for (std::size_t i = 0; i < parts; ++i) {
        LookupRequest& part = take();
        part.kind = LookupRequest::Kind::part;
        part.whole = &request;
        part.protocol = request.protocol;
        std::swap(part.query, request.vector.parts[i]);
        request.parts.push_back(&part);
    }
    for (std::size_t i = 0; i < parts; ++i) start(*request.parts[i]);  // the last may be the end of the request
}

void LookupEngine::part_done(LookupRequest& whole) {
    if (--whole.waiting > 0) return;
    if (!whole.failed) {
        RespWriter out(whole.body, whole.protocol);
        write_vector(whole, out);
    }
    finish(whole);
}

void LookupEngine::send(LookupRequest& request) {
    request.read_again = request.not_yet = request.has_moment = false;
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
            progress_.refresh(request.query.view->topic, now);
            return send_whole(request, 0);
        case LookupRequest::Kind::freshness:
        case LookupRequest::Kind::status:
            for (std::size_t i = 0; i < catalogue_.topics().size(); ++i) progress_.refresh(i, now);
            append_redis_command(redis_.out(), {"PING"});
            redis_.expect(request, 0);
            ++request.waiting;
    }
}

void LookupEngine::send_reads(LookupRequest& request) {
    const std::size_t entities = request.query.entities();
    request.rows.assign(entities, {});
    request.in_order = true;
    request.written = 0;
    request.missing = request.confirmed = false;
    request.body.clear();
    if (request.kind == LookupRequest::Kind::mget) RespWriter(request.body).array(entities);
    if (entities == 0) return;
    progress_.refresh(request.query.view->topic, now);
    const RestingEntities& resting = resting_[request.query.view->index];
    for (std::size_t row = 0; row < entities; ++row)
        resting.contains(request.query.entity(row)) ? send_whole(request, row) : send_head(request, row);
}

void LookupEngine::send_head(LookupRequest& request, std::size_t row) {
    append_redis_command(redis_.out(), {"HVALS", head_key(request, row)});
    expect(request, Step::heads, row);
}

// Head values and sealed tiles of one entity, as they stand together at one moment: a tile that is sealed
// between two reads would be counted twice or not at all.
void LookupEngine::send_whole(LookupRequest& request, std::size_t row) {
    std::string& out = redis_.out();
    append_redis_command(out, {"MULTI"});
    append_redis_command(out, {"HVALS", head_key(request, row)});
    append_redis_command(out, {"HGETALL", key_ += kSealedSuffix});
    append_redis_command(out, {"EXEC"});
    for (int i = 0; i < 3; ++i) expect(request, Step::queued, row);
    expect(request, Step::whole, row);
}

const std::string& LookupEngine::head_key(const LookupRequest& request, std::size_t row) {
    key_ = key_starts_[request.query.view->index];
    key_ += request.query.entity(row);
    key_ += '}';
    return key_;
}

void LookupEngine::expect(LookupRequest& request, Step step, std::size_t row) {
    redis_.expect(request, static_cast<std::uint64_t>(step) << kRowBits | row);
    ++request.waiting;
}

void LookupEngine::replied(LookupRequest& request, std::uint64_t tag, const RedisAnswer& answer) {
    const auto step = static_cast<Step>(tag >> kRowBits);
    const std::size_t row = tag & ((std::uint64_t{1} << kRowBits) - 1);
    --request.waiting;
    if (request.failed) {
        // Only counted.
    } else if (step == Step::names) {
        name_corrupt_head(request, row, answer);
    } else if (step == Step::epoch) {
        request.read_again = !progress_.still_stands(request.query.view->topic, answer);
    } else if (!request.read_again && !request.not_yet && !request.corrupt) {
        handle(request, step, row, answer);
    }
    if (request.waiting == 0) settle(request);
}

void LookupEngine::lost(LookupRequest& request) {
    --request.waiting;
    if (!request.failed && request.kind != LookupRequest::Kind::status)
        fail(request, "UNAVAILABLE", redis_.reason());
    if (request.waiting == 0) settle(request);
}

void LookupEngine::handle(LookupRequest& request, Step step, std::size_t row, const RedisAnswer& answer) {
    if (request.kind == LookupRequest::Kind::status || step == Step::queued) return;
    if (answer.is_error())
        return fail(request, "UNAVAILABLE", redis_.where() + ": " + std::string(answer.text));
    if (request.kind == LookupRequest::Kind::freshness) return write_freshness(request);
    if (!request.has_moment && !take_moment(request)) return;
    if (request.kind == LookupRequest::Kind::explain) return explain(request, answer);
    if (step == Step::heads) return read_row(request, row, answer);
    read_whole(request, row, answer);
}

void LookupEngine::read_row(LookupRequest& request, std::size_t row, const RedisAnswer& heads) {
    RowReader& reader = *readers_[request.query.view->index];
    auto loaded = reader.load(heads.elements);
    if (!loaded && reader.learn(progress_.layouts(*request.query.view))) loaded = reader.load(heads.elements);
    if (loaded && request.own_event) loaded = reader.load_tiles();
    if (!loaded) return corrupt_head(request, row, loaded.error());
    request.missing = request.missing || heads.elements.empty();
    if (auto answered = answer_row(request, row); !answered) corrupt_head(request, row, answered.error());
}

RowReader* LookupEngine::load_whole(LookupRequest& request, std::size_t row, const RedisAnswer& both) {
    for (const RedisAnswer& one : both.elements)
        if (one.is_error()) fail(request, "UNAVAILABLE", redis_.where() + ": " + std::string(one.text));
    if (both.elements.size() != 2) fail(request, "ERR", "redis: an unexpected reply to EXEC");
    if (request.failed) return nullptr;
    RowReader& reader = *readers_[request.query.view->index];
    auto loaded = reader.load(both.elements[0].elements);
    if (!loaded && reader.learn(progress_.layouts(*request.query.view)))
        loaded = reader.load(both.elements[0].elements);
    const bool needs_tiles = request.own_event || request.kind == LookupRequest::Kind::explain;
    if (loaded && needs_tiles) loaded = reader.load_tiles();
    request.missing = request.missing || both.elements[0].elements.empty();
    if (loaded) return &reader;
    corrupt_head(request, row, loaded.error());
    return nullptr;
}

bool LookupEngine::unfold(LookupRequest& request, std::size_t row, RowReader& reader, const RedisAnswer& both) {
    const auto sealed = both.elements[1].elements;
    auto unfolded = reader.unfold_with(sealed);
    if (!unfolded && reader.learn(progress_.layouts(*request.query.view)))
        unfolded = reader.unfold_with(sealed);
    if (!unfolded) corrupt_sealed(request, row, both, unfolded.error());
    return static_cast<bool>(unfolded);
}

void LookupEngine::read_whole(LookupRequest& request, std::size_t row, const RedisAnswer& both) {
    RowReader* reader = load_whole(request, row, both);
    if (!reader) return;
    const bool rests = request.moment.at && !reader->serves(request.query, *request.moment.at);
    resting_[request.query.view->index].set(request.query.entity(row), rests);
    if (rests) observer_.second_step();
    if (rests && !unfold(request, row, *reader, both)) return;
    const auto answered = answer_row(request, row);
    if (answered) return;
    if (reader->corrupt().sealed) return corrupt_sealed(request, row, both, answered.error());
    corrupt_head(request, row, answered.error());
}

Result<void> LookupEngine::answer_row(LookupRequest& request, std::size_t row) {
    RowReader& reader = *readers_[request.query.view->index];
    add_own_event(request);
    if (!request.moment.at || reader.serves(request.query, *request.moment.at)) return write_row(request, row);
    send_whole(request, row);
    return {};
}

Result<void> LookupEngine::write_row(LookupRequest& request, std::size_t row) {
    RespWriter out(request.body, request.protocol);
    const std::size_t begin = request.body.size();
    const auto written = readers_[request.query.view->index]->write(request.query, request.moment, out);
    if (!written) return written;
    request.in_order = request.in_order && request.written == row;
    request.rows[row] = {begin, request.body.size()};
    ++request.written;
    return {};
}

bool LookupEngine::take_own_event(LookupRequest& request) {
    const ServedView& view = *request.query.view;
    auto& decoder = own_events_[view.index];
    if (!decoder) decoder = std::make_unique<OwnEventDecoder>(view);
    auto event = decoder->decode(*request.query.own_event);
    if (!event) {
        fail(request, "BADARG", "WITH: " + event.error().message);
        return false;
    }
    if (!event->counts()) return true;
    if (const std::string_view entity = request.query.entity(0); event->entity() != entity) {
        fail(request, "BADARG",
             "WITH: an event of '" + shown(event->entity()) + "', not of '" + shown(entity) + "'");
        return false;
    }
    request.own_event = std::move(*event);
    return true;
}

void LookupEngine::add_own_event(LookupRequest& request) {
    const ServedView& view = *request.query.view;
    if (request.own_event && request.moment.at)
        readers_[view.index]->add(request.own_event->head(view.plan, *request.moment.at));
}

void LookupEngine::explain(LookupRequest& request, const RedisAnswer& both) {
    RowReader* reader = load_whole(request, 0, both);
    if (!reader) return;
    const std::vector<MergedRange> merged = merged_ranges(request.query, reader->heads());
    if (!unfold(request, 0, *reader, both)) return;
    RespWriter out(request.body, request.protocol);
    write_explanation(request.query, request.moment, *reader, merged, progress_, out);
}

void LookupEngine::write_freshness(LookupRequest& request) {
    for (const auto& view : catalogue_.views()) {
        const bool readable = progress_.trouble(view->topic).empty();
        const bool settled = progress_.settled(view->topic);
        const bool asked_for = !request.query.view || request.query.view == view.get();
        request.read_again = request.read_again || (asked_for && readable && !settled);
        const ViewProgressSummary& summary = progress_.summary(*view);
        const bool known = readable && settled && summary.foreign.empty();
        freshness_.visible(view->index, known ? summary.watermark : std::nullopt);
    }
    if (request.read_again) return;
    RespWriter out(request.body, request.protocol);
    freshet::write_freshness(request.query, catalogue_, freshness_, progress_.redis_now(now), out);
}

void LookupEngine::fail(LookupRequest& request, std::string_view code, std::string_view message) {
    request.failed = true;
    LookupRequest& told = request.whole ? *request.whole : request;
    if (!request.whole || !std::exchange(told.failed, true)) {
        told.body.clear();
        RespWriter(told.body).error(code, message);
        count_error(code);
    }
    if (request.waiting == 0 && !request.done && request.attempts == 0) finish(request);
}

// The records are read before the values. Of an entity that is not there, Redis may have been emptied in
// between: then it must not be called fresh by what the records said.
void LookupEngine::confirm_missing(LookupRequest& request) {
    request.confirmed = true;
    progress_.ask_again(request.query.view->topic);
    expect(request, Step::epoch, 0);
}

void LookupEngine::settle(LookupRequest& request) {
    if (request.done) return;
    if (request.missing && !request.confirmed && !request.failed && !request.read_again && redis_.usable())
        return confirm_missing(request);
    if (request.not_yet && !request.failed) return wait(request);
    if (request.read_again && !request.failed) {
        if (request.attempts >= kMostAttempts || !redis_.usable()) {
            fail(request, "UNAVAILABLE", "the progress records change at each reading; try again");
        } else {
            return send(request);
        }
    }
    if (!request.failed && request.kind == LookupRequest::Kind::status) {
        RespWriter out(request.body, request.protocol);
        status_(out);
    }
    if (!request.failed && !request.in_order && !request.whole) put_in_order(request);
    finish(request);
}

void LookupEngine::put_in_order(LookupRequest& request) {
    ordered_.clear();
    RespWriter(ordered_).array(request.rows.size());
    for (const LookupRequest::Row& row : request.rows)
        ordered_.append(request.body, row.begin, row.end - row.begin);
    std::swap(ordered_, request.body);
    if (ordered_.capacity() > kKeptScratch) ordered_ = {};
}

void LookupEngine::finish(LookupRequest& request) {
    request.done = true;
    if (request.whole) return part_done(*request.whole);
    count(request);
    if (request.waiter) return request.waiter->answered();
    give_back(request);
}

void LookupEngine::count(const LookupRequest& request) {
    observer_.answered(request.command, now - request.started, request.entities());
}

}  // namespace freshet
