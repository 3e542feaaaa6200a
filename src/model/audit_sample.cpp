#include "model/audit_sample.hpp"

#include <algorithm>
#include <cmath>

#include "model/adding.hpp"

namespace freshet {

namespace {

constexpr unsigned kMostHalvings = 48;
constexpr std::size_t kEntityBytes = 128;  // of the map and the allocator, beside what is counted

bool rounds(AccumulatorKind kind) {
    return kind == AccumulatorKind::sum_float || kind == AccumulatorKind::moments;
}

std::vector<std::size_t> rounded_fields(const ViewPlan& plan) {
    std::vector<std::size_t> fields;
    for (const Resolution& resolution : plan.resolutions())
        for (const AccumulatorDef& accumulator : resolution.accumulators)
            if (rounds(accumulator.kind) && std::ranges::count(fields, *accumulator.field) == 0)
                fields.push_back(*accumulator.field);
    return fields;
}

}  // namespace

AuditSample::AuditSample(Plans plans, std::vector<bool> wanted, PartitionId partition, Generation generation,
                         std::uint64_t seed, std::size_t memory)
    : plans_(std::move(plans)),
      wanted_(std::move(wanted)),
      partition_(partition),
      generation_(generation),
      seed_(seed),
      memory_(memory),
      entities_(plans_.size()) {
    for (const auto& plan : plans_) rounded_fields_.push_back(rounded_fields(*plan));
}

bool AuditSample::takes(std::uint32_t view, std::string_view name) const {
    const std::uint64_t hash = XXH3_64bits_withSeed(name.data(), name.size(), seed_ + view);
    return (hash & (one_in() - 1)) == 0;
}

AuditSample::Entity* AuditSample::entity(std::uint32_t view, std::string_view name) {
    Entities& entities = entities_[view];
    const auto known = entities.find(name);
    if (known != entities.end()) return &known->second;
    if (frozen_ || !takes(view, name)) return nullptr;
    Entity made{EntityWindows(*plans_[view], partition_, generation_)};
    bytes_ += made.windows.memory_bytes() + name.size() + kEntityBytes;
    if (!rounded_fields_[view].empty()) {
        const auto width = *std::ranges::max_element(rounded_fields_[view]) + 1;
        made.largest.resize(width);
        bytes_ += width * sizeof(double);
    }
    return &entities.emplace(std::string(name), std::move(made)).first->second;
}

void AuditSample::add(std::uint32_t view, Entity& entity, const Event& event) {
    if (entity.last && event.offset > *entity.last) return;
    const std::size_t before = entity.windows.memory_bytes();
    entity.windows.add(*plans_[view], event);
    bytes_ += entity.windows.memory_bytes() - before;
    ++entity.events;
    for (const std::size_t field : rounded_fields_[view]) {
        if (is_null(event.fields[field])) continue;
        entity.largest[field] = std::max(entity.largest[field], std::abs(as_double(event.fields[field])));
    }
}

void AuditSample::count(const EventBatch& batch) {
    for (const Touch& touch : batch.touches[0]) {
        if (!wanted_[touch.view]) continue;
        if (Entity* known = entity(touch.view, touch.entity))
            add(touch.view, *known, batch.events[touch.event]);
        while (!frozen_ && bytes_ > memory_ && halvings_ < kMostHalvings) leave_out_half();
    }
}

void AuditSample::leave_out_half() {
    ++halvings_;
    for (std::uint32_t view = 0; view < entities_.size(); ++view) {
        std::vector<std::string> gone;
        for (const auto& [name, entity] : entities_[view])
            if (!takes(view, name)) gone.push_back(name);
        for (const std::string& name : gone) erase(view, name);
    }
}

void AuditSample::erase(std::uint32_t view, const std::string& name) {
    const auto found = entities_[view].find(name);
    if (found == entities_[view].end()) return;
    const Entity& entity = found->second;
    bytes_ -=
        entity.windows.memory_bytes() + name.size() + kEntityBytes + entity.largest.size() * sizeof(double);
    entities_[view].erase(found);
}

void AuditSample::for_each(const Visit& visit) {
    for (std::uint32_t view = 0; view < entities_.size(); ++view)
        for (auto& [name, entity] : entities_[view]) visit(view, name, entity);
}

AuditSample::Entity* AuditSample::find(std::uint32_t view, const std::string& name) {
    const auto found = entities_[view].find(name);
    return found == entities_[view].end() ? nullptr : &found->second;
}

std::size_t AuditSample::size() const {
    std::size_t all = 0;
    for (const Entities& entities : entities_) all += entities.size();
    return all;
}

}  // namespace freshet
