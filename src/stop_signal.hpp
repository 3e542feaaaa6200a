// SIGTERM and SIGINT as something to wait for.
#pragma once

#include <atomic>
#include <functional>

namespace freshet {

// Make it on the main thread before any other thread starts: it blocks the signals for all of them.
class StopSignal {
public:
    StopSignal();
    // To be called by a wait on the main thread when SIGHUP comes, which ends the program otherwise. Like the
    // constructor, before any other thread starts.
    void on_hangup(std::function<void()> act);

    void wait();                      // until a signal came, or request()
    bool wait_for(int milliseconds);  // the same, up to a time; whether it came
    bool requested();                 // without waiting
    void request();                   // from any thread

private:
    std::atomic<bool> requested_ = false;
    std::function<void()> hangup_;
};

}  // namespace freshet
