#include "io/redis/sentinel_watch.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "io/log.hpp"
#include "io/redis/cluster_topology.hpp"

namespace freshet {

namespace {

template <class Number>
Number number_of(std::string_view text) {
    Number n = 0;
    std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
}

// Of a list of names and values.
std::string_view field_of(const RedisValue& fields, std::string_view name) {
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2)
        if (fields[i].text() == name) return fields[i + 1].text();
    return {};
}

RedisConfig sentinel_at(const RedisConfig& config, const Endpoint& address) {
    RedisConfig reached = reached_at(config, address);
    reached.user = config.sentinel.user;
    reached.password = config.sentinel.password;
    return reached;
}

}  // namespace

const SentinelWord* word_that_counts(const std::vector<SentinelWord>& words, std::size_t asked,
                                     std::uint64_t heard) {
    const auto highest = std::ranges::max_element(words, {}, &SentinelWord::epoch);
    if (highest == words.end()) return nullptr;
    return highest->epoch >= heard || 2 * words.size() > asked ? &*highest : nullptr;
}

Result<std::shared_ptr<SentinelWatch>> SentinelWatch::open(const RedisConfig& config, Options options) {
    std::shared_ptr<SentinelWatch> watch(new SentinelWatch(config, options));
    if (auto asked = watch->ask_all(); !asked) return asked.error();
    watch->thread_ = std::thread([w = watch.get()] { w->run(); });
    return watch;
}

SentinelWatch::SentinelWatch(const RedisConfig& config, Options options)
    : master_(config.sentinel.master), options_(options) {
    for (const Endpoint& address : config.sentinel.addresses)
        sentinels_.push_back(std::make_unique<RedisConnection>(
            sentinel_at(config, address), RedisTimeouts{options.patience, options.patience}));
}

SentinelWatch::~SentinelWatch() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

Endpoint SentinelWatch::primary() const {
    const std::lock_guard lock(mutex_);
    return primary_;
}

void SentinelWatch::refresh_soon() {
    const std::lock_guard lock(mutex_);
    wanted_ = true;
    changed_.notify_all();
}

void SentinelWatch::run() {
    bool reached = true;
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait_for(lock, options_.at_most_every, [&] { return stopping_; });
        changed_.wait_for(lock, options_.every, [&] { return wanted_ || stopping_; });
        if (stopping_) return;
        wanted_ = false;
        lock.unlock();
        const auto asked = ask_all();
        if (std::exchange(reached, static_cast<bool>(asked)) && !asked)
            log::warn("no sentinel says which redis is the primary: " + asked.error().message);
        lock.lock();
    }
}

Result<void> SentinelWatch::ask_all() {
    std::vector<SentinelWord> words;
    std::optional<Error> first;
    for (const auto& sentinel : sentinels_) {
        auto word = ask(*sentinel);
        if (word) {
            words.push_back(*std::move(word));
        } else if (!first) {
            first = word.error();
        }
    }
    if (const SentinelWord* word = word_that_counts(words, sentinels_.size(), heard_)) {
        take(*word);
        return {};
    }
    if (first) return *first;
    return Error{Errc::unavailable, "those that answer have not heard of the last fail-over"};
}

// A sentinel that leads a fail-over raises its epoch before it names the new primary by SENTINEL MASTER, but
// not before it does so by GET-MASTER-ADDR-BY-NAME: so the epoch is asked for first.
Result<SentinelWord> SentinelWatch::ask(RedisConnection& sentinel) const {
    sentinel.append(std::initializer_list<std::string_view>{"SENTINEL", "MASTER", master_});
    sentinel.append(std::initializer_list<std::string_view>{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", master_});
    const auto state = sentinel.read();
    const auto address = sentinel.read();
    if (!state) return state.error();
    if (!address) return address.error();
    if (state->is_error() && state->text().starts_with("ERR No such master"))
        return sentinel.error(Errc::refused,
                              "it watches none that is named '" + master_ +
                                  "' (redis.sentinel.master); SENTINEL MASTERS lists whom it watches");
    if (state->is_error()) return sentinel.error_of(*state);
    if (address->is_error()) return sentinel.error_of(*address);
    const std::string_view epoch = field_of(*state, "config-epoch");
    if (epoch.empty() || address->size() != 2)
        return sentinel.error(Errc::unavailable, "it does not know the address of " + master_);
    return SentinelWord{{std::string((*address)[0].text()), number_of<std::uint16_t>((*address)[1].text())},
                        number_of<std::uint64_t>(epoch)};
}

void SentinelWatch::take(const SentinelWord& word) {
    heard_ = word.epoch;
    const std::lock_guard lock(mutex_);
    if (primary_ == word.primary) return;
    if (primary_.port != 0)
        log::info("the primary is redis " + word.primary.text() + ", say the sentinels; it was " +
                  primary_.text());
    primary_ = word.primary;
    version_.fetch_add(1, std::memory_order_release);
}

}  // namespace freshet
