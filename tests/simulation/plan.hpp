// What is simulated: one source with two partitions at most, two views of it with different entities, filters
// and clocks; and the faults that may be planted in the world to see that they are found.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "model/view_plan.hpp"

namespace freshet::simulation {

constexpr std::size_t kMostPartitions = 2;
constexpr std::size_t kNodes = 2;
constexpr std::size_t kViews = 2;
constexpr std::size_t kEntities = 3;
constexpr std::size_t kAggregators = 2;

enum class Plant {
    none,
    no_stamp,       // the store takes writes with a lower stamp than the stored one
    no_calls,       // the store does not compare `calls`
    no_epoch,       // messages of a former life are taken
    early_record,   // what is shipped counts as stored
    no_generation,  // every log passes for the one that was counted
    no_removal,     // the store goes on listing a feature that the owner does not count
    no_pending,     // events of a view are left out, and its record does not say so
    early_since,    // a view that was left out counts as counted since some time before it was again
};
constexpr std::array<const char*, 9> kPlantNames = {"none",       "no_stamp",     "no_calls",
                                                    "no_epoch",   "early_record", "no_generation",
                                                    "no_removal", "no_pending",   "early_since"};

using Plans = std::vector<std::shared_ptr<const ViewPlan>>;

constexpr std::size_t kCount = 0, kSum = 1;  // the features of each view

enum Field : std::size_t { kFirstEntity, kSecondEntity, kAmount };

struct Plan {
    Source source;
    Plans views;
    std::array<std::string, kEntities> names{"ann", "bob", "cid"};
};
inline const std::string kTopic = "orders";

// Windows of 10 to 20 tiles of a second, so that tiles seal and expire within a schedule.
inline Plan make_plan() {
    using namespace std::chrono_literals;
    Plan plan;
    plan.source.name = plan.source.topic = kTopic;
    plan.source.max_future = 2s;
    plan.source.fields = {
        {"a", {"a"}, FieldType::string}, {"b", {"b"}, FieldType::string}, {"n", {"n"}, FieldType::int64}};
    const auto feature = [](const char* name, Function function, std::optional<std::size_t> field,
                            Duration window) {
        Feature f;
        f.name = name;
        f.function = function;
        f.field = field;
        f.window = window;
        f.hop = 1s;
        return f;
    };
    View by_first;
    by_first.name = "by_a";
    by_first.entity = {kFirstEntity};
    by_first.clock = View::Clock::event;
    by_first.retain = 2s;
    by_first.features = {feature("count", Function::count, std::nullopt, 12s),
                         feature("sum", Function::sum, kAmount, 20s)};
    View by_second;
    by_second.name = "by_b";
    by_second.entity = {kSecondEntity};
    by_second.clock = View::Clock::wall;
    by_second.retain = 1s;
    by_second.where = *Expression::parse("n > 2", plan.source.fields);
    by_second.features = {feature("count", Function::count, std::nullopt, 10s),
                          feature("sum", Function::sum, kAmount, 15s)};
    for (const View& view : {by_first, by_second})
        plan.views.push_back(std::make_shared<ViewPlan>(plan.source, view));
    return plan;
}

inline const Plan& plan() {
    static const Plan the = make_plan();
    return the;
}

}  // namespace freshet::simulation
