// A recount of some entities of one partition, from its log: as many as fit into a bound of memory. No look at
// what is stored.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/entity_windows.hpp"
#include "model/event_batch.hpp"

namespace freshet {

// Entities are drawn by a hash of their name. While all fit, all are taken; each time they do not, half of them
// are left out, from the first event on, so that what remains is counted whole.
class AuditSample {
public:
    using Plans = std::vector<std::shared_ptr<const ViewPlan>>;

    // Of the views that are `wanted`, in the order of the plans. Another `seed` draws other entities.
    AuditSample(Plans plans, std::vector<bool> wanted, PartitionId partition, Generation generation,
                std::uint64_t seed, std::size_t memory);

    struct Entity {
        explicit Entity(EntityWindows empty) : windows(std::move(empty)) {}

        EntityWindows windows;
        std::uint64_t events = 0;
        // By field of the source: the greatest magnitude met. Only where a rounded sum needs it.
        std::vector<double> largest;
        std::optional<Offset> last;  // the last event that counts; none: all do
    };

    // Batches come in offset order; of one aggregator.
    void count(const EventBatch& batch);
    // No entity is added any more.
    void freeze() { frozen_ = true; }

    using Visit = std::function<void(std::uint32_t view, const std::string& name, Entity& entity)>;
    // In any order.
    void for_each(const Visit& visit);
    Entity* find(std::uint32_t view, const std::string& name);
    void erase(std::uint32_t view, const std::string& name);
    std::size_t size() const;
    // One entity in so many was taken.
    std::uint64_t one_in() const { return std::uint64_t{1} << halvings_; }
    std::size_t memory_bytes() const { return bytes_; }

private:
    struct NameHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
    };
    using Entities = std::unordered_map<std::string, Entity, NameHash, std::equal_to<>>;

    bool takes(std::uint32_t view, std::string_view name) const;
    Entity* entity(std::uint32_t view, std::string_view name);
    void add(std::uint32_t view, Entity& entity, const Event& event);
    void leave_out_half();

    const Plans plans_;
    const std::vector<bool> wanted_;
    const PartitionId partition_;
    const Generation generation_;
    const std::uint64_t seed_;
    const std::size_t memory_;
    std::vector<std::vector<std::size_t>> rounded_fields_;  // of each view: those of accumulators that round
    std::vector<Entities> entities_;                        // likewise
    std::size_t bytes_ = 0;
    unsigned halvings_ = 0;
    bool frozen_ = false;
};

}  // namespace freshet
