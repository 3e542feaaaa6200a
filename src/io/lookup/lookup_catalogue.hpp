// What a look-up server answers for: the views of the configuration, by name. Built once, shared by all
// readers.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/view_plan.hpp"

namespace freshet {

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
template <class T>
using ByName = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

struct ServedView {
    ServedView(const Source& of, const View& view);

    const Source& source;
    ViewPlan plan;
    std::size_t index = 0;                         // in LookupCatalogue::views()
    std::size_t topic = 0;                         // in LookupCatalogue::topics()
    ByName<std::size_t> features;                  // index into ViewPlan::features
    std::vector<std::size_t> all;                  // every feature, in the order of the configuration
    std::vector<std::string> names;                // of the features, each as a bulk string
    std::vector<std::optional<Duration>> windows;  // of the features
    // Of each feature, its view's where it has none of its own.
    struct Contract {
        std::optional<Duration> max_staleness;
        OnBreach on_breach = OnBreach::flag;
        Scalar otherwise;
    };
    std::vector<Contract> contracts;
    // The least max_staleness of a feature: while it is kept, all are. None: none has one.
    std::optional<Duration> tightest;

    const std::string& name() const { return plan.view().name; }
    std::size_t columns() const { return plan.view().entity.size(); }
    const Feature& declared(std::size_t feature) const { return plan.view().features[feature]; }
    // The least max_staleness of these.
    std::optional<Duration> tightest_of(std::span<const std::size_t> some) const;

private:
    bool alike_ = true;  // one max_staleness for all features
};

// A feature service as a prepared set: its features by view, so that each view is read once.
struct ServedService {
    struct Part {
        const ServedView* view = nullptr;
        std::vector<std::size_t> features;  // of the view, in the order of the service
        std::vector<std::size_t> runs;      // how many of them stand together in the service, again and again
    };
    struct Run {
        std::size_t part;
        std::size_t number;  // index into Part::runs
    };

    std::string name;
    std::vector<Part> parts;         // by the first of their features
    std::vector<Run> runs;           // the whole service, in its order
    std::size_t features = 0;        // how many
    std::vector<std::string> names;  // of them, view.feature
    std::vector<std::string> keys;   // the entity columns of its views, each once
};

struct ServedTopic {
    std::string name;
    std::vector<const ServedView*> views;
};

class LookupCatalogue {
public:
    explicit LookupCatalogue(Definitions definitions);
    LookupCatalogue(const LookupCatalogue&) = delete;
    LookupCatalogue& operator=(const LookupCatalogue&) = delete;

    const std::vector<std::unique_ptr<ServedView>>& views() const { return views_; }
    const std::vector<ServedTopic>& topics() const { return topics_; }

    const std::vector<ServedService>& services() const { return services_; }

    // By name, or by name@version. Null when there is none.
    const ServedView* find(std::string_view name) const;
    const ServedService* find_service(std::string_view name) const;
    // For errors: what to say about a name that is not known.
    std::string no_view(std::string_view name) const;
    std::string no_service(std::string_view name) const;
    std::string no_feature(const ServedView& view, std::string_view name) const;

private:
    std::size_t topic_of(const std::string& name);
    ServedService prepared(const Service& service) const;

    Definitions definitions_;
    std::vector<std::unique_ptr<ServedView>> views_;
    std::vector<ServedTopic> topics_;
    std::vector<ServedService> services_;
    ByName<const ServedView*> by_name_;
};

}  // namespace freshet
