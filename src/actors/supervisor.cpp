#include "actors/supervisor.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "io/log.hpp"
#include "io/metrics.hpp"

namespace freshet {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr milliseconds kFirstBackOff{200};
constexpr milliseconds kLongestBackOff{10'000};
// How long a revoked partition may take to flush and commit before it is given up: below what the log waits.
constexpr seconds kReleaseWithin{4};

std::string_view reason_of(Errc code) {
    switch (code) {
        case Errc::invalid_argument:
            return "invalid";
        case Errc::corrupt:
            return "corrupt";
        case Errc::not_found:
            return "not_found";
        case Errc::unavailable:
            return "unavailable";
        case Errc::fenced:
            return "fenced";
        case Errc::lost_writes:
            return "lost_writes";
        case Errc::refused:
            return "refused";
    }
    return "unknown";
}

class Supervisor : public SupervisorActor::base {
public:
    Supervisor(caf::actor_config& config, SupervisorSpec spec, WriterActor writer, LogWatchActor watch)
        : SupervisorActor::base(config),
          spec_(std::move(spec)),
          writer_(std::move(writer)),
          watch_(std::move(watch)) {}

    const char* name() const override { return "supervisor"; }

protected:
    behavior_type make_behavior() override {
        set_down_handler([this](const caf::down_msg& down) { take_down(down); });
        return {
            [this](const Assigned& assigned) {
                for (const Partition& partition : assigned.partitions) begin(partition);
            },
            [this](const Revoked& revoked) { return release(revoked); },
            [this](const Expelled& expelled) { refuse(expelled.error); },
            [this](const PartitionRunning& running) {
                const auto life = lives_.find(running.partition);
                if (life != lives_.end()) life->second.back_off = kFirstBackOff;
            },
            [this](const PartitionFailed& failed) { take_failure(failed.partition, failed.error); },
            [this](const PartitionStatus& status) { show(status); },
            [this](const TurnChange& change) { tell(change); },
            [this](const ShedChange& change) { tell(change); },
            [this](const PartitionReplaced& replaced) {
                const auto life = lives_.find(replaced.partition);
                if (life == lives_.end() || !life->second.consumer) return;
                if (life->second.consumer.address() == caf::actor_cast<caf::actor_addr>(current_sender()))
                    begin(replaced.partition);
            },
            [this](const RestartPartition& restart) {
                const auto life = lives_.find(restart.partition);
                if (life != lives_.end() && !life->second.consumer) begin(restart.partition);
            },
        };
    }

    void on_exit() override {
        lives_.clear();
        writer_ = nullptr;
        watch_ = nullptr;
    }

private:
    struct Life {
        ConsumerActor consumer;  // null between a failure and the next life
        milliseconds back_off = kFirstBackOff;
    };

    void begin(const Partition& partition) {
        const auto source = spec_.sources.find(partition.topic);
        if (source == spec_.sources.end()) return;
        const std::int32_t known = spec_.partitions[partition.topic];
        const PartitionFacts facts{std::max(known, partition.id.value + 1), partition.id.value >= known};
        Life& life = lives_[partition];
        life.consumer = spawn_consumer(system(), partition, facts, source->second, spec_.parts, writer_, watch_,
                                       caf::actor_cast<SupervisorActor>(this));
        monitor(life.consumer);
        spec_.status->set(partition, {});
    }

    void take_failure(const Partition& partition, const Error& error) {
        take_failure(partition, error, reason_of(error.code));
    }

    void take_failure(const Partition& partition, const Error& error, std::string_view reason) {
        const auto life = lives_.find(partition);
        if (life == lives_.end() || !life->second.consumer) return;
        spec_.parts->metrics->life_cut(partition, reason);
        life->second.consumer = nullptr;
        spec_.status->set(partition, {.state = PartitionReport::State::failed, .error = error.message});
        if (error.code == Errc::refused)
            return refuse(error.within(partition.text()), {.partition = partition});
        log::warn(partition.text() + ": " + error.message + "; beginning again in " +
                      std::to_string(life->second.back_off.count()) + " ms",
                  {.partition = partition});
        delayed_send(this, life->second.back_off, RestartPartition{partition});
        life->second.back_off = std::min(life->second.back_off * 2, kLongestBackOff);
    }

    void refuse(const Error& error, const log::About& about = {}) {
        log::error(error.message, about);
        if (spec_.refuse) spec_.refuse(error);
    }

    // A life that failed has said so before; this is for those that died of an exception.
    void take_down(const caf::down_msg& down) {
        for (auto& [partition, life] : lives_) {
            if (!life.consumer || life.consumer.address() != down.source) continue;
            spec_.parts->log->stop(partition);
            take_failure(partition, {Errc::unavailable, "its consumer died: " + system().render(down.reason)},
                         "died");
            return;
        }
    }

    caf::typed_response_promise<Released> release(const Revoked& revoked) {
        auto released = make_response_promise<Released>();
        auto waiting = std::make_shared<std::size_t>(1);
        auto one_done = [released, waiting]() mutable {
            if (--*waiting == 0) released.deliver(Released{});
        };
        for (const Partition& partition : revoked.partitions) {
            const auto life = lives_.find(partition);
            if (life == lives_.end()) continue;
            const ConsumerActor consumer = std::move(life->second.consumer);
            lives_.erase(life);
            spec_.status->remove(partition);
            leave(partition.topic);
            if (!consumer) continue;
            if (revoked.lost) {
                cut(partition, consumer, "lost",
                    "the consumer group took it away unasked, since Kafka or this node was out of reach for "
                    "longer than a session; what was not recorded is read again by the next owner");
                continue;
            }
            ++*waiting;
            request(consumer, kReleaseWithin, StopConsuming{})
                .then([one_done](const Stopped&) mutable { one_done(); },
                      [this, partition, consumer, one_done](const caf::error&) mutable {
                          cut(partition, consumer, "late",
                              "not all was flushed in time; the next owner reads it again");
                          one_done();
                      });
        }
        one_done();
        return released;
    }

    // Ends a life of a partition that is this node's no more.
    void cut(const Partition& partition, const ConsumerActor& consumer, std::string_view reason,
             const std::string& told) {
        log::warn(partition.text() + ": " + told, {.partition = partition});
        spec_.parts->metrics->life_cut(partition, reason);
        spec_.parts->log->stop(partition);
        send_exit(consumer, caf::exit_reason::kill);
    }

    void show(const PartitionStatus& status) {
        if (!lives_.contains(status.partition)) return;
        spec_.status->set(status.partition, {PartitionReport::State::running, status.epoch, status.next,
                                             status.end, status.entities});
    }

    void tell(const TurnChange& change) {
        const bool worse = change.after > change.before;
        const std::string what =
            "source " + change.source +
            (worse ? " is late with a backlog: others go first" : " is in time: takes its turn again") +
            "; rank " + std::to_string(change.before) + " to " + std::to_string(change.after) + ", " +
            std::to_string(change.worst.staleness.count()) + " ms behind with " +
            std::to_string(change.worst.to_come) + " events to come";
        worse ? log::warn(what) : log::info(what);
        spec_.status->turn_changed(std::chrono::floor<Duration>(std::chrono::system_clock::now()), what);
    }

    void tell(const ShedChange& change) {
        std::string names;
        for (const std::string& view : show_shed(change.source, change.sheds))
            names += (names.empty() ? "" : ", ") + view;
        const std::string what =
            "source " + change.source +
            (change.sheds ? " has more to count than it can: leaves out " + names + ", incomplete from now on"
                          : " keeps its limit again: counts " + names +
                                " again, incomplete until their windows "
                                "have passed") +
            "; " + std::to_string(change.staleness.count()) + " ms behind with " +
            std::to_string(change.to_come) + " events to come";
        change.sheds ? log::warn(what) : log::info(what);
        spec_.status->shed_changed(std::chrono::floor<Duration>(std::chrono::system_clock::now()), what);
    }

    // By the metrics and the status; the ids of the views of the source that may be shed.
    std::vector<std::string> show_shed(const std::string& source, bool sheds) {
        std::vector<std::string> names;
        for (const auto& [topic, plan] : spec_.sources) {
            if (plan->source.name != source) continue;
            const std::vector<bool> may_be = sheddable(plan->views);
            for (std::size_t v = 0; v < may_be.size(); ++v) {
                if (!may_be[v]) continue;
                names.push_back(plan->views[v]->id());
                spec_.parts->metrics->shed(plan->views[v]->view().name, sheds);
                spec_.status->set_shed(plan->views[v]->id(), sheds);
            }
        }
        return names;
    }

    // A partition of the topic is this node's no more.
    void leave(const std::string& topic) {
        const auto source = spec_.sources.find(topic);
        const auto is_of = [&](const auto& life) { return life.first.topic == topic; };
        if (source == spec_.sources.end() || std::ranges::any_of(lives_, is_of)) return;
        spec_.parts->turns->left(source->second->source.name);
        show_shed(source->second->source.name, false);
    }

    SupervisorSpec spec_;
    WriterActor writer_;
    LogWatchActor watch_;
    std::map<Partition, Life> lives_;
};

class GroupBridge : public GroupListener {
public:
    GroupBridge(caf::actor_system& system, SupervisorActor supervisor, Watchdog& watchdog)
        : system_(system), supervisor_(std::move(supervisor)), post_(watchdog.post("rebalance")) {}

    void rebalance_begins() override { busy_.emplace(*post_); }
    void rebalance_ends() override { busy_.reset(); }

    void assigned(const std::vector<Partition>& partitions) override {
        caf::anon_send(supervisor_, Assigned{partitions});
    }

    void revoked(const std::vector<Partition>& partitions, bool lost) override {
        caf::scoped_actor self(system_);
        self->request(supervisor_, kReleaseWithin + seconds{1}, Revoked{partitions, lost})
            .receive(
                [](const Released&) {},
                [](const caf::error&) { log::error("the supervisor did not release revoked partitions"); });
    }

    void log_error(const Error& error) override { log::warn("kafka: " + error.message); }

    void expelled(const Error& error) override { caf::anon_send(supervisor_, Expelled{error}); }

private:
    caf::actor_system& system_;
    SupervisorActor supervisor_;
    std::shared_ptr<Watchdog::Post> post_;
    std::optional<Watchdog::Post::Busy> busy_;  // of the thread that serves the group
};

}  // namespace

SupervisorActor spawn_supervisor(caf::actor_system& system, SupervisorSpec spec, WriterActor writer,
                                 LogWatchActor watch) {
    return system.spawn<Supervisor>(std::move(spec), std::move(writer), std::move(watch));
}

std::unique_ptr<GroupListener> make_group_listener(caf::actor_system& system, SupervisorActor supervisor,
                                                   Watchdog& watchdog) {
    return std::make_unique<GroupBridge>(system, std::move(supervisor), watchdog);
}

}  // namespace freshet
