// SIGTERM and SIGINT as something to wait for.
#pragma once

#include <atomic>

namespace freshet {

// Make it on the main thread before any other thread starts: it blocks both signals for all of them.
class StopSignal {
public:
    StopSignal();

    void wait();                      // until a signal came, or request()
    bool wait_for(int milliseconds);  // the same, up to a time; whether it came
    bool requested();                 // without waiting
    void request();                   // from any thread

private:
    std::atomic<bool> requested_ = false;
};

}  // namespace freshet
