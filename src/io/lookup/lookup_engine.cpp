#include "io/lookup/lookup_engine.hpp"

#include <algorithm>
#include <utility>

#include "io/lookup/freshness_watch.hpp"
#include "io/lookup/lookup_describe.hpp"
#include "io/stored/store_keys.hpp"

namespace freshet {

namespace {

constexpr int kMostAttempts = 5;
constexpr std::size_t kKeptScratch = 256 * 1024;

}  // namespace

LookupEngine::LookupEngine(const LookupCatalogue& catalogue, LookupRouter& router, const std::string& prefix,
                           std::size_t cache_bytes, LookupObserver& observer, StatusWriter status, Later later)
    : catalogue_(catalogue),
      router_(router),
      observer_(observer),
      status_(std::move(status)),
      later_(std::move(later)),
      freshness_(tracker_of(catalogue)),
      kept_(cache_bytes),
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
    if (request.kind == LookupRequest::Kind::vector) return start_parts(request);
    LookupRequest* const itself[] = {&request};
    if (request.query.own_event && !take_own_event(request, itself, *request.query.own_event)) return;
    send(request);
    if (request.waiting == 0) settle(request);
}

void LookupEngine::start_parts(LookupRequest& request) {
    const std::size_t parts = request.vector.service->parts.size();
    for (std::size_t i = 0; i < parts; ++i) {
        LookupRequest& part = take();
        part.kind = LookupRequest::Kind::part;
        part.whole = &request;
        part.protocol = request.protocol;
        std::swap(part.query, request.vector.parts[i]);
        request.parts.push_back(&part);
    }
    const auto& own_event = request.vector.own_event;
    if (own_event && !take_own_event(request, request.parts, *own_event)) return;
    request.attempts = 1;
    request.waiting = parts;
    for (std::size_t i = 0; i < parts; ++i) {  // the last may be the end of the request
        LookupRequest& part = *request.parts[i];
        send(part);
        if (part.waiting == 0) settle(part);
    }
}

void LookupEngine::part_done(LookupRequest& whole) {
    if (--whole.waiting > 0) return;
    if (!whole.failed) {
        RespWriter out(whole.body, whole.protocol);
        write_vector(whole, out);
    }
    finish(whole);
}

const std::string& LookupEngine::head_key(const LookupRequest& request, std::size_t row) {
    key_ = key_starts_[request.query.view->index];
    key_ += request.query.entity(row);
    key_ += '}';
    return key_;
}

void LookupEngine::replied(LookupRequest& request, std::uint64_t tag, const RedisAnswer& answer) {
    --request.waiting;
    if (request.failed || step_of(tag) == Step::history || leave_replica(request, tag, answer) ||
        (answer.is_error() && send_elsewhere(request, tag, answer.text))) {
        // Only counted.
    } else if (step_of(tag) == Step::queued) {
        if (answer.is_error()) handle(request, tag, answer);
    } else if (step_of(tag) == Step::names) {
        name_corrupt_head(request, row_of(tag), answer);
    } else if (step_of(tag) == Step::epoch) {
        LookupProgress& progress = request.moments[row_of(tag)].store->progress;
        request.read_again = !progress.still_stands(request.query.view->topic, answer) || request.read_again;
    } else if (!request.read_again && !request.not_yet && !request.corrupt) {
        handle(request, tag, answer);
    }
    if (request.waiting == 0) settle(request);
}

void LookupEngine::lost(LookupRequest& request, std::uint64_t tag) {
    --request.waiting;
    const bool of_replica = step_of(tag) == Step::history ||
                            (step_of(tag) != Step::epoch && request.rows[row_of(tag)].asked->primary);
    if (of_replica) {
        request.read_again = true;
    } else if (!request.failed && !request.tells_of_all()) {
        const bool epoch = step_of(tag) == Step::epoch;
        const LookupStore* store = epoch ? request.moments[row_of(tag)].store : request.rows[row_of(tag)].asked;
        fail(request, "UNAVAILABLE", store->redis.reason());
    }
    if (request.waiting == 0) settle(request);
}

void LookupEngine::handle(LookupRequest& request, std::uint64_t tag, const RedisAnswer& answer) {
    if (request.tells_of_all()) return;
    LookupRequest::Row& row = request.rows[row_of(tag)];
    if (answer.is_error())
        return fail(request, "UNAVAILABLE", row.asked->redis.where() + ": " + std::string(answer.text));
    if (request.kind == LookupRequest::Kind::freshness) {
        if (request.waiting == 0) write_freshness(request);
        return;
    }
    if (!moment_of(request, *row.store) || !vouched_for(request, row_of(tag))) return;
    if (request.kind == LookupRequest::Kind::explain) return explain(request, answer);
    if (step_of(tag) == Step::heads) return read_row(request, row_of(tag), answer);
    read_whole(request, row_of(tag), answer);
}

LookupRequest::Moment& LookupEngine::moment_of_row(LookupRequest& request, std::size_t row) {
    return *moment_of(request, *request.rows[row].store);
}

const std::set<std::string>& LookupEngine::layouts(const LookupRequest& request, std::size_t row) {
    return request.rows[row].store->progress.layouts(*request.query.view);
}

void LookupEngine::read_row(LookupRequest& request, std::size_t row, const RedisAnswer& heads) {
    RowReader& reader = *readers_[request.query.view->index];
    auto loaded = reader.load(heads.elements);
    if (!loaded && reader.learn(layouts(request, row))) loaded = reader.load(heads.elements);
    if (loaded && takes_own_event(request, row)) loaded = reader.load_tiles();
    if (!loaded) return corrupt_head(request, row, loaded.error());
    if (heads.elements.empty()) request.missing = moment_of_row(request, row).missing = true;
    if (auto answered = answer_row(request, row); !answered) corrupt_head(request, row, answered.error());
}

RowReader* LookupEngine::load_whole(LookupRequest& request, std::size_t row, const RedisAnswer& both) {
    for (const RedisAnswer& one : both.elements)
        if (one.is_error())
            fail(request, "UNAVAILABLE", request.rows[row].asked->redis.where() + ": " + std::string(one.text));
    if (both.elements.size() != 2) fail(request, "ERR", "redis: an unexpected reply to EXEC");
    if (request.failed) return nullptr;
    RowReader& reader = *readers_[request.query.view->index];
    auto loaded = reader.load(both.elements[0].elements);
    if (!loaded && reader.learn(layouts(request, row))) loaded = reader.load(both.elements[0].elements);
    const bool needs_tiles = takes_own_event(request, row) || request.kind == LookupRequest::Kind::explain;
    if (loaded && needs_tiles) loaded = reader.load_tiles();
    if (both.elements[0].elements.empty()) request.missing = moment_of_row(request, row).missing = true;
    if (loaded) return &reader;
    corrupt_head(request, row, loaded.error());
    return nullptr;
}

bool LookupEngine::unfold(LookupRequest& request, std::size_t row, RowReader& reader, const RedisAnswer& both) {
    const auto sealed = both.elements[1].elements;
    auto unfolded = reader.unfold_with(sealed);
    if (!unfolded && reader.learn(layouts(request, row))) unfolded = reader.unfold_with(sealed);
    if (!unfolded) corrupt_sealed(request, row, both, unfolded.error());
    return static_cast<bool>(unfolded);
}

void LookupEngine::read_whole(LookupRequest& request, std::size_t row, const RedisAnswer& both) {
    RowReader* reader = load_whole(request, row, both);
    if (!reader) return;
    const ReadMoment& moment = moment_of_row(request, row).read;
    const bool rests = moment.at && !reader->serves(request.query, *moment.at);
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
    const ReadMoment& moment = moment_of_row(request, row).read;
    add_own_event(request, row, moment);
    if (!moment.at || reader.serves(request.query, *moment.at)) return write_row(request, row);
    request.rows[row].asked = request.rows[row].store;
    send_whole(request, row);
    return {};
}

Result<void> LookupEngine::write_row(LookupRequest& request, std::size_t row) {
    RespWriter out(request.body, request.protocol);
    const std::size_t begin = request.body.size();
    const ReadMoment& moment = moment_of_row(request, row).read;
    const auto written = readers_[request.query.view->index]->write(request.query, moment, out);
    if (!written) return written;
    note_written(request, row, begin);
    if (request.shape) note_to_keep(request, row);
    return {};
}

void LookupEngine::note_written(LookupRequest& request, std::size_t row, std::size_t begin) {
    request.in_order = request.in_order && request.written == row;
    request.rows[row].begin = begin;
    request.rows[row].end = request.body.size();
    ++request.written;
}

void LookupEngine::explain(LookupRequest& request, const RedisAnswer& both) {
    RowReader* reader = load_whole(request, 0, both);
    if (!reader) return;
    const std::vector<MergedRange> merged = merged_ranges(request.query, reader->heads());
    if (!unfold(request, 0, *reader, both)) return;
    RespWriter out(request.body, request.protocol);
    LookupRequest::Moment& moment = moment_of_row(request, 0);
    write_explanation(request.query, moment.read, *reader, merged, moment.store->progress, out);
}

void LookupEngine::write_freshness(LookupRequest& request) {
    for (const auto& view : catalogue_.views()) {
        const LookupRouter::Overall overall = router_.overall(*view);
        const bool asked_for = !request.query.view || request.query.view == view.get();
        request.read_again = request.read_again || (asked_for && overall.trouble.empty() && !overall.settled);
        const bool known = overall.trouble.empty() && overall.settled && overall.foreign.empty();
        freshness_.visible(view->index, known ? overall.watermark : std::nullopt);
    }
    if (request.read_again) return;
    RespWriter out(request.body, request.protocol);
    freshet::write_freshness(request.query, catalogue_, freshness_, router_.redis_now(now), out);
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
    for (std::size_t i = 0; i < request.moments.size(); ++i) {
        LookupStore& store = *request.moments[i].store;
        if (!request.moments[i].missing || !store.redis.usable()) continue;
        store.progress.ask_again(request.query.view->topic);
        store.redis.expect(request, tag_of(Step::epoch, i));
        ++request.waiting;
    }
    if (request.waiting == 0) settle(request);
}

void LookupEngine::settle(LookupRequest& request) {
    if (request.done) return;
    if (request.kind == LookupRequest::Kind::watch) return settle_watch(request);
    if (!request.try_again.empty() && !request.failed) return try_again(request);
    if (request.missing && !request.confirmed && !request.failed && !request.read_again)
        return confirm_missing(request);
    if (request.not_yet && !request.failed) return wait(request);
    if (request.read_again && !request.failed) {
        if (request.attempts < kMostAttempts) {
            send(request);
            if (request.waiting > 0) return;
        } else {
            fail(request, "UNAVAILABLE", "the progress records change at each reading; try again");
        }
    }
    if (!request.failed && request.kind == LookupRequest::Kind::status) {
        RespWriter out(request.body, request.protocol);
        status_(out);
    }
    if (!request.failed && request.shape) keep_rows(request);
    if (!request.failed && !request.in_order && !request.whole) put_in_order(request);
    finish(request);
}

// Whether the records could be read; if not, they are read once more, a few times.
bool LookupEngine::look_at_freshness(const LookupRequest& request) {
    const bool is_last = request.attempts >= kMostAttempts;
    for (const auto& view : catalogue_.views()) {
        const LookupRouter::Overall overall = router_.overall(*view);
        if (overall.trouble.empty() && !overall.settled && !is_last) return false;
    }
    const auto at = std::chrono::floor<Duration>(std::chrono::system_clock::now());
    for (const auto& view : catalogue_.views()) {
        const LookupRouter::Overall overall = router_.overall(*view);
        std::string reason = overall.trouble;
        if (reason.empty() && !overall.settled) reason = router_.connections();
        if (reason.empty() && !overall.foreign.empty())
            reason = overall.foreign + " is counted under another definition";
        const bool known = reason.empty();
        request.watch->look(*view, at,
                            known ? staleness(overall.watermark, router_.redis_now(now)) : std::nullopt,
                            known ? router_.furthest_behind(*view) : reason);
    }
    request.watch->look_at_store(at, router_.store(now));
    return true;
}

void LookupEngine::settle_watch(LookupRequest& request) {
    while (!look_at_freshness(request)) {
        send(request);
        if (request.waiting > 0) return;
    }
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

void LookupEngine::encode(LookupRequest& request) {
    ordered_.clear();
    encoder_.encode(request, ordered_);
    request.body.clear();
    RespWriter(request.body).bulk(ordered_);
    if (ordered_.capacity() > kKeptScratch) ordered_ = {};
}

void LookupEngine::finish(LookupRequest& request) {
    request.done = true;
    if (request.whole) return part_done(*request.whole);
    if (!request.failed && request.encoding() != AnswerEncoding::resp) encode(request);
    if (request.kind != LookupRequest::Kind::watch) count(request);
    if (request.waiter) return request.waiter->answered();
    give_back(request);
}

void LookupEngine::count(const LookupRequest& request) {
    observer_.answered(request.command, now - request.started, request.entities());
}

}  // namespace freshet
