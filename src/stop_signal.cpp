#include "stop_signal.hpp"

#include <csignal>
#include <ctime>

#include <unistd.h>

namespace freshet {

namespace {

sigset_t signals(bool with_hangup) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (with_hangup) sigaddset(&set, SIGHUP);
    return set;
}

}  // namespace

StopSignal::StopSignal() {
    const sigset_t set = signals(false);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void StopSignal::on_hangup(std::function<void()> act) {
    hangup_ = std::move(act);
    const sigset_t set = signals(true);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void StopSignal::wait() {
    while (!wait_for(1000)) {
    }
}

bool StopSignal::wait_for(int milliseconds) {
    if (requested_) return true;
    const sigset_t set = signals(hangup_ != nullptr);
    const timespec time{milliseconds / 1000, (milliseconds % 1000) * 1'000'000L};
    const int signal = sigtimedwait(&set, nullptr, &time);
    if (signal == SIGHUP) {
        hangup_();
    } else if (signal > 0) {
        requested_ = true;
    }
    return requested_;
}

bool StopSignal::requested() { return wait_for(0); }

void StopSignal::request() {
    requested_ = true;
    kill(getpid(), SIGTERM);  // ends a wait on the main thread
}

}  // namespace freshet
