#include "model/audit_compare.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace freshet {

namespace {

constexpr double kRounding = 1e-9;
constexpr double kRoundingOfOne = 0x1p-50;  // of one addition, and a margin
constexpr double kNearOverflow = 1e300;
constexpr std::size_t kLongestText = 40;

struct Compared {
    const FeaturePlan& feature;
    const AccumulatorDef& accumulator;
    const AuditSample::Entity& entity;

    double largest() const { return entity.largest[*accumulator.field]; }
    double events() const { return static_cast<double>(entity.events); }
    bool rounds() const {
        return accumulator.kind == AccumulatorKind::sum_float || accumulator.kind == AccumulatorKind::moments;
    }
    // The magnitude that rounding is relative to.
    double scale() const {
        if (accumulator.kind == AccumulatorKind::moments) return largest() * largest();
        return feature.function == Function::mean ? largest() : events() * largest();
    }
    bool may_overflow() const {
        const double most = accumulator.kind == AccumulatorKind::moments ? largest() * largest() : largest();
        return !(events() * most < kNearOverflow);
    }

    bool same(const FeatureValue& a, const FeatureValue& b) const {
        if (a.value == b.value && a.overflow == b.overflow) return true;
        if (!rounds()) return false;
        if (may_overflow()) return true;
        const auto* x = std::get_if<double>(&a.value);
        const auto* y = std::get_if<double>(&b.value);
        if (!x || !y) return false;
        const bool root = feature.function == Function::stddev;
        const double apart = root ? std::abs(*x * *x - *y * *y) : std::abs(*x - *y);
        return apart <= std::max(kRounding, events() * kRoundingOfOne) * scale();
    }
};

std::string shortened(std::string text) {
    if (text.size() <= kLongestText) return text;
    text.resize(kLongestText);
    return text + "...";
}

std::string text_of(const FeatureValue& value) {
    if (value.overflow) return "overflow";
    if (const auto* text = std::get_if<std::string>(&value.value)) return '"' + shortened(*text) + '"';
    if (const auto* flag = std::get_if<bool>(&value.value)) return *flag ? "true" : "false";
    std::array<char, 32> buffer;
    char* end = buffer.data();
    if (const auto* n = std::get_if<std::int64_t>(&value.value))
        end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), *n).ptr;
    else if (const auto* x = std::get_if<double>(&value.value))
        end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), *x).ptr;
    else
        return "null";
    return {buffer.data(), end};
}

}  // namespace

std::optional<AuditDifference> first_difference(const ViewPlan& plan, std::span<const std::size_t> features,
                                                bool presence, const FeatureAnswer& stored,
                                                const FeatureAnswer& recounted,
                                                const AuditSample::Entity& entity) {
    if (presence && stored.missing != recounted.missing)
        return AuditDifference{"missing", stored.missing ? "true" : "false",
                               recounted.missing ? "true" : "false"};
    for (std::size_t i = 0; i < features.size(); ++i) {
        const FeaturePlan& feature = plan.features()[features[i]];
        const AccumulatorDef& accumulator =
            plan.resolutions()[feature.resolution].accumulators[feature.accumulator];
        const FeatureValue nothing = finish(feature.function, feature.q, make_state(accumulator.kind));
        const FeatureValue& a = stored.missing ? nothing : stored.values[i];
        const FeatureValue& b = recounted.missing ? nothing : recounted.values[i];
        if (!Compared{feature, accumulator, entity}.same(a, b))
            return AuditDifference{feature.name, text_of(a), text_of(b)};
    }
    return std::nullopt;
}

}  // namespace freshet
