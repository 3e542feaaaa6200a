// Proof of ownership: what every call on a partition's stored state carries, and what a node knows of the
// partitions it owns.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "model/ids.hpp"
#include "model/result.hpp"

namespace freshet {

// A call is refused unless the partition's record holds this epoch and has counted at least `acked_calls`.
// Errc::fenced: a higher epoch stands, another node owns the partition. Errc::lost_writes: the record is older
// than what was acked, or gone. Errc::unavailable: nothing is known, repeat the same call.
struct Fence {
    Partition partition;
    Epoch epoch;
    std::uint64_t acked_calls = 0;
    RecordSlot slot = kFirstRecordSlot;  // of the record that is asked
};

// Which epoch of a partition is this node's, and how many of its calls were acked.
class FenceBook {
public:
    // Ends what this node held of the partition before.
    void taken(const Partition& partition, Epoch epoch, std::uint64_t calls);
    // A call under `epoch` was acked as the record's `calls`th. Acks come in the order of the calls, so a
    // number that has not risen is Errc::lost_writes: the primary fell back between the two calls, and the
    // fence of the later one could not know. Answers of a former epoch change nothing.
    Result<void> acked(const Partition& partition, Epoch epoch, std::uint64_t calls);
    // For the next call of the life under `epoch`; none when that life is over.
    std::optional<Fence> fence(const Partition& partition, Epoch epoch) const;

    // What calls of a life that is over are answered with.
    static Error over(const Partition& partition);

private:
    struct Held {
        Epoch epoch;
        std::uint64_t acked_calls;
    };
    std::map<Partition, Held> held_;
};

}  // namespace freshet
