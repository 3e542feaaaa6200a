#include "io/events/event_intake.hpp"

#include <array>
#include <charconv>
#include <functional>

namespace freshet {

namespace {

void append_escaped(std::string_view column, std::string& name) {
    for (const char c : column) {
        if (c == '\\' || c == '|') name += '\\';
        name += c;
    }
}

// The text of an entity column; `buffer` holds it where the value is not a string.
std::string_view text_of(const Value& value, std::array<char, 24>& buffer) {
    if (const auto* text = std::get_if<std::string_view>(&value)) return *text;
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    const auto end =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::get<std::int64_t>(value)).ptr;
    return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
}

}  // namespace

void join_entity(std::span<const std::string_view> columns, std::string& name) {
    name.clear();
    if (columns.size() == 1) {
        name = columns[0];
        return;
    }
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (i > 0) name += '|';
        append_escaped(columns[i], name);
    }
}

EventIntake::EventIntake(const Source& source, ViewPlans plans, std::size_t aggregators)
    : source_(source),
      plans_(std::move(plans)),
      aggregators_(aggregators),
      decoder_(source_),
      view_next_(plans_.size(), Offset{0}) {}

void EventIntake::restart(std::optional<Timestamp> clock, std::vector<Offset> view_next) {
    clock_ = clock;
    view_next_ = std::move(view_next);
}

std::unique_ptr<EventBatch> EventIntake::new_batch() const {
    auto batch = std::make_unique<EventBatch>();
    batch->touches.resize(aggregators_);
    batch->events.reserve(expected_);
    batch->values.reserve(expected_ * source_.fields.size());
    for (auto& touches : batch->touches) touches.reserve(expected_ * plans_.size() / aggregators_);
    return batch;
}

std::optional<DeadLetter> EventIntake::check_time(Timestamp time, Timestamp kafka_time) const {
    if (time > kafka_time + source_.max_future)
        return DeadLetter{DeadLetterReason::future,
                          "event time " + std::to_string(unix_ms(time)) + " is more than max_future (" +
                              std::to_string(source_.max_future.count()) + " ms) after the Kafka timestamp " +
                              std::to_string(unix_ms(kafka_time))};
    if (source_.max_jump && clock_ && time > *clock_ + *source_.max_jump)
        return DeadLetter{DeadLetterReason::jump,
                          "event time " + std::to_string(unix_ms(time)) + " is more than max_jump (" +
                              std::to_string(source_.max_jump->count()) + " ms) after the partition's clock " +
                              std::to_string(unix_ms(*clock_))};
    return std::nullopt;
}

void EventIntake::add(const LogRecord& record, EventBatch& batch, std::vector<Rejection>& rejected) {
    ++batch.records;
    const LogMark mark = mark_of(record.offset, record.timestamp, record.key, record.value);
    batch.read = {batch.read ? batch.read->first : mark, mark};
    if (!record.value) return;
    batch.bytes += record.value->size();
    const std::size_t first_value = batch.values.size();
    Timestamp time{};
    auto letter = decoder_.decode(*record.value, record.timestamp, batch.strings, batch.values, time);
    if (!letter) letter = check_time(time, record.timestamp);
    if (letter) {
        batch.values.resize(first_value);
        rejected.push_back({record.offset, std::move(*letter), {}});
        return;
    }
    clock_ = clock_ ? std::max(*clock_, time) : time;
    batch.events.push_back({time, record.offset, *clock_, {}});
    touch_views(batch, record.offset, std::span(batch.values).subspan(first_value), rejected);
}

void EventIntake::touch_views(EventBatch& batch, Offset offset, std::span<const Value> fields,
                              std::vector<Rejection>& rejected) {
    const auto event = static_cast<std::uint32_t>(batch.events.size() - 1);
    for (std::size_t v = 0; v < plans_.size(); ++v) {
        if (offset < view_next_[v]) continue;
        const View& view = plans_[v]->view();
        if (view.where && !view.where->accepts(fields)) continue;
        const auto entity = entity_name(*plans_[v], fields, batch.strings);
        if (!entity) {
            rejected.push_back(
                {offset,
                 {DeadLetterReason::no_entity, "an entity column of view " + view.name + " is null"},
                 view.name});
            continue;
        }
        const std::size_t aggregator =
            aggregators_ == 1 ? 0 : (std::hash<std::string_view>{}(*entity) + v) % aggregators_;
        batch.touches[aggregator].push_back({event, static_cast<std::uint32_t>(v), *entity});
    }
}

std::optional<std::string_view> EventIntake::entity_name(const ViewPlan& plan, std::span<const Value> fields,
                                                         StringArena& strings) {
    const auto& columns = plan.view().entity;
    for (const std::size_t column : columns)
        if (is_null(fields[column])) return std::nullopt;
    if (columns.size() == 1) {
        // A string column is in the arena already.
        if (const auto* text = std::get_if<std::string_view>(&fields[columns[0]])) return *text;
        std::array<char, 24> buffer;
        return strings.copy(text_of(fields[columns[0]], buffer));
    }
    std::vector<std::string_view> texts;
    std::vector<std::array<char, 24>> buffers(columns.size());
    for (std::size_t i = 0; i < columns.size(); ++i) texts.push_back(text_of(fields[columns[i]], buffers[i]));
    join_entity(texts, name_);
    return strings.copy(name_);
}

void EventIntake::finish(EventBatch& batch, Offset next) {
    expected_ = batch.events.size();
    batch.next = next;
    batch.clock = clock_;
    const std::size_t width = source_.fields.size();
    for (std::size_t i = 0; i < batch.events.size(); ++i)
        batch.events[i].fields = std::span(batch.values).subspan(i * width, width);
}

}  // namespace freshet
