// What the benchmarks of one thread have in common: the view they measure, and how they take time.
#pragma once

#include <time.h>

#include <stdexcept>
#include <type_traits>
#include <utility>

#include "model/result.hpp"

namespace freshet::bench {

// The view of scripts/bench.d/payments.py.
inline constexpr const char* kPaymentsConfig = R"(
kafka: {brokers: embedded}
redis: {address: embedded}
sources:
  payments:
    topic: payments
    time: {field: ts, format: unix_ms}
    fields: {user: int, amount: float, items: int}
views:
  payments:
    source: payments
    entity: user
    clock: event
    features:
      count_1h:    {count: "*", window: 1h}
      sum_1h:      {sum: amount, window: 1h}
      mean_1h:     {mean: amount, window: 1h}
      max_1h:      {max: amount, window: 1h}
      p95_1h:      {quantile: amount, q: 0.95, window: 1h}
      count_1d:    {count: "*", window: 1d}
      sum_1d:      {sum: amount, window: 1d}
      min_1d:      {min: amount, window: 1d}
      items_1d:    {sum: items, window: 1d}
      last_1d:     {last: amount, window: 1d}
)";

// CPU time of this thread.
inline double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

template <class T>
T checked(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace freshet::bench
