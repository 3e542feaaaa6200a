// A running node: everything a configuration asks for, wired together. What is made first is ended last.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "io/config/config.hpp"
#include "model/ids.hpp"
#include "model/result.hpp"

namespace freshet {

class EventLog;

// Where a running node can be reached.
struct NodeAddresses {
    std::string lookup;   // host:port; empty when it does not serve
    std::string metrics;  // host:port
    std::string kafka;    // brokers
    std::string redis;    // host:port or a socket's path

    // {"ready": true, "lookup": ...}: what `freshet run` prints once it is up.
    std::string json() const;
};

class Node {
public:
    // `give_up` is asked while Kafka or Redis is waited for at the start. `refused` is called once, from
    // another thread, when the node finds that going on would be wrong.
    struct Callbacks {
        std::function<bool()> give_up;
        std::function<void(const Error&)> refused;
        // What stands between the node and its log; none: nothing. Tests put faults there.
        std::function<std::shared_ptr<EventLog>(std::shared_ptr<EventLog>)> between = nullptr;
    };

    // Connects, waiting for services that are not up yet, and begins to work. Embedded services are started by
    // it, and so is any topic the sources name on an embedded broker, with `embedded_partitions` partitions.
    static Result<std::unique_ptr<Node>> start(Config config, Callbacks callbacks, int embedded_partitions = 4);
    // Stops draining, flushes, commits, leaves the group; bounded to 10 s.
    ~Node();

    const NodeAddresses& addresses() const;
    // Reads the files of TLS again, of look-ups, of the status page and to Redis; those that cannot be used
    // leave the former in use.
    Result<void> reload_certificates();
    // The offset that each owned partition's record has reached, about a second ago.
    std::map<Partition, Offset> recorded() const;

private:
    struct Parts;
    explicit Node(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace freshet
