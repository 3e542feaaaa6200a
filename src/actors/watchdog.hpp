// Ends the process when a worker is stuck in code: CAF cannot interrupt an actor, and a hung one would hold its
// partition for ever while the group still counts it as alive.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace freshet {

class Watchdog {
public:
    using Clock = std::chrono::steady_clock;

    // One per actor. Marks the time during which the actor runs a handler.
    class Post {
    public:
        explicit Post(std::string name) : name_(std::move(name)) {}

        class Busy {
        public:
            explicit Busy(Post& post) : post_(post) { post_.since_ = Clock::now().time_since_epoch().count(); }
            ~Busy() { post_.since_ = 0; }
            Busy(const Busy&) = delete;
            Busy& operator=(const Busy&) = delete;

        private:
            Post& post_;
        };
        [[nodiscard]] Busy busy() { return Busy(*this); }

    private:
        friend class Watchdog;
        const std::string name_;
        std::atomic<Clock::rep> since_{0};  // steady; 0: idle
    };

    // `stuck` is called from the watchdog's thread with the name of a post that is busy for longer than
    // `limit`.
    Watchdog(Clock::duration limit, std::function<void(const std::string&)> stuck);
    ~Watchdog();

    std::shared_ptr<Post> post(std::string name);

private:
    void run();
    void look(Clock::time_point now);

    const Clock::duration limit_;
    const std::function<void(const std::string&)> stuck_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool ending_ = false;
    std::vector<std::weak_ptr<Post>> posts_;
    std::thread thread_;
};

}  // namespace freshet
