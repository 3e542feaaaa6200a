// Ends the process when an orderly end takes too long: a Kafka that does not answer keeps librdkafka and
// whatever waits for it. Nothing is lost by that, for nothing that counts is in memory only.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace freshet {

class BoundedEnd {
public:
    // From now on the process has so long, unless this is destroyed before.
    BoundedEnd(std::chrono::seconds limit, int exit_status);
    ~BoundedEnd();
    BoundedEnd(const BoundedEnd&) = delete;
    BoundedEnd& operator=(const BoundedEnd&) = delete;

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ended_ = false;
    std::thread thread_;
};

}  // namespace freshet
