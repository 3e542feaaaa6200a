#include "bounded_end.hpp"

#include <unistd.h>

#include <string>

#include "io/log.hpp"

namespace freshet {

BoundedEnd::BoundedEnd(std::chrono::seconds limit, int exit_status)
    : thread_([this, limit, exit_status] {
          std::unique_lock lock(mutex_);
          if (changed_.wait_for(lock, limit, [this] { return ended_; })) return;
          log::warn("not all has ended within " + std::to_string(limit.count()) +
                    " s; ending all the same: what was not recorded is read again");
          _exit(exit_status);
      }) {}

BoundedEnd::~BoundedEnd() {
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

}  // namespace freshet
