#include "model/entity_windows.hpp"

#include <doctest/doctest.h>

#include "model/copied_store.hpp"
#include "model/entity_run.hpp"

using namespace freshet;
using namespace freshet::testing;

TEST_CASE("whatever is read from heads, chunks or memory is what the events alone give") {
    RunCounts counts;
    for (std::uint64_t seed = 0; seed < 3000; ++seed) {
        CAPTURE(seed);
        EntityRun<CopiedStore>(seed, counts).run();
    }
    MESSAGE(counts.reads, " reads, ", counts.from_heads, " from heads; ", counts.sealed_heads,
            " sealed heads; ", counts.late, " late events; ", counts.loads, " loads; ", counts.missing,
            " missing");
}
