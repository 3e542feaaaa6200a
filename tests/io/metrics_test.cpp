#include "io/metrics.hpp"

#include <doctest/doctest.h>

namespace freshet {
namespace {

bool has(const Metrics& metrics, const std::string& line) {
    return ("\n" + metrics.text()).find("\n" + line + "\n") != std::string::npos;
}

TEST_CASE("whatever is told of a view names its owner, if it has one") {
    Metrics metrics;
    metrics.set_owner("spend", "risk");
    for (const char* view : {"spend", "clicks"}) metrics.staleness(view, Duration{2500}, Duration{2000});
    for (const char* labels : {R"({owner="risk",view="spend"})", R"({view="clicks"})"}) {
        CAPTURE(labels);
        const std::string of = labels;
        CHECK(has(metrics, "freshet_view_staleness_seconds" + of + " 2.5"));
        CHECK(has(metrics, "freshet_view_max_staleness_seconds" + of + " 2"));
        CHECK(has(metrics, "freshet_freshness_looks_total" + of + " 1"));
        CHECK(has(metrics, "freshet_freshness_breaches_total" + of + " 1"));
    }
}

}  // namespace
}  // namespace freshet
