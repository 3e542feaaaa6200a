// The partition, the claim to it and the time that tests of records have in common.
#pragma once

#include "model/progress.hpp"

namespace freshet::test {

inline const Partition kPartition{"orders", PartitionId{0}};
inline const PartitionClaim kClaim{kPartition, "node-1", "kafka-1", "freshet", 4};
constexpr Timestamp kNow = from_unix_ms(1'700'000'000'000);

}  // namespace freshet::test
