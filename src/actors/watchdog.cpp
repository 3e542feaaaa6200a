#include "actors/watchdog.hpp"

namespace freshet {

Watchdog::Watchdog(Clock::duration limit, std::function<void(const std::string&)> stuck)
    : limit_(limit), stuck_(std::move(stuck)), thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

std::shared_ptr<Watchdog::Post> Watchdog::post(std::string name) {
    auto post = std::make_shared<Post>(std::move(name));
    const std::lock_guard lock(mutex_);
    posts_.push_back(post);
    return post;
}

void Watchdog::run() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, limit_ / 4, [this] { return ending_; })) look(Clock::now());
}

void Watchdog::look(Clock::time_point now) {
    std::erase_if(posts_, [](const auto& post) { return post.expired(); });
    for (const auto& weak : posts_) {
        const auto post = weak.lock();
        if (!post) continue;
        const Clock::rep since = post->since_;
        if (since != 0 && now - Clock::time_point{Clock::duration{since}} > limit_) stuck_(post->name_);
    }
}

}  // namespace freshet
