// From which offset on this process has seen a view being counted: what is recorded says since when, but not
// since which event.
#pragma once

#include <map>
#include <string>
#include <tuple>

#include "model/ids.hpp"

namespace freshet {

class AuditHistory {
public:
    // `next` when the view was first seen to count since then.
    Offset counted_from(const Partition& partition, const std::string& view_id, Generation generation,
                        Timestamp since, Offset next) {
        return first_.try_emplace({partition, view_id, generation, since}, next).first->second;
    }

private:
    std::map<std::tuple<Partition, std::string, Generation, Timestamp>, Offset> first_;
};

}  // namespace freshet
