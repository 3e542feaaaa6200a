// Whether what is stored of an entity says what a recount of its events says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/audit_sample.hpp"
#include "model/partial.hpp"

namespace freshet {

struct AuditDifference {
    std::string feature;  // or "missing"
    std::string stored;
    std::string recounted;
};

// The first difference between two answers for the same features as of the same time; none where there is
// none. Where presence is not to be compared, a missing entity is one without events. Sums of doubles may
// differ by what rounding allows: 1e-9 of the sum of the magnitudes.
std::optional<AuditDifference> first_difference(const ViewPlan& plan, std::span<const std::size_t> features,
                                                bool presence, const FeatureAnswer& stored,
                                                const FeatureAnswer& recounted,
                                                const AuditSample::Entity& entity);

}  // namespace freshet
