// Waits for conditions in tests.
#pragma once

#include <chrono>
#include <thread>

namespace freshet::testing {

// Waits for a condition, not for a time; the bound only ends a test that fails.
template <class Condition>
bool becomes_true(Condition&& condition, std::chrono::milliseconds at_most = std::chrono::seconds{20}) {
    const auto end = std::chrono::steady_clock::now() + at_most;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return true;
}

}  // namespace freshet::testing
