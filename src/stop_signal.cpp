#include "stop_signal.hpp"

#include <csignal>
#include <ctime>

#include <unistd.h>

namespace freshet {

namespace {

sigset_t stopping_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

}  // namespace

StopSignal::StopSignal() {
    const sigset_t set = stopping_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void StopSignal::wait() {
    while (!wait_for(1000)) {
    }
}

bool StopSignal::wait_for(int milliseconds) {
    if (requested_) return true;
    const sigset_t set = stopping_signals();
    const timespec time{milliseconds / 1000, (milliseconds % 1000) * 1'000'000L};
    if (sigtimedwait(&set, nullptr, &time) > 0) requested_ = true;
    return requested_;
}

bool StopSignal::requested() { return wait_for(0); }

void StopSignal::request() {
    requested_ = true;
    kill(getpid(), SIGTERM);  // ends a wait on the main thread
}

}  // namespace freshet
