// Membership in the consumer group: the thread that serves it, what is assigned, and what is to be committed.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "io/event_log.hpp"
#include "io/kafka/kafka_client.hpp"
#include "io/kafka/kafka_partition.hpp"

namespace freshet {

class KafkaMember : public std::enable_shared_from_this<KafkaMember> {
public:
    KafkaMember();

    KafkaReports& reports() { return reports_; }
    bool joined() const { return thread_.joinable(); }
    Result<void> join(KafkaConf conf, const std::vector<std::string>& topics, GroupListener& listener);
    // False: not done in time, and left to itself.
    bool leave(Duration timeout);

    // Nothing when it is not assigned.
    std::shared_ptr<KafkaPartition> find(const Partition& partition);
    void commit(const Partition& partition, Offset next);

    // From librdkafka, on the thread that serves the group.
    void on_rebalance(int code, const rd_kafka_topic_partition_list_s* list);
    void on_committed(int code, const rd_kafka_topic_partition_list_s* offsets);
    // From librdkafka, on the thread of a connection.
    void on_request_sent(int request);
    void on_response_received(int request);

private:
    void serve();
    void tell_expelled();
    void shut();
    void rebalance(int code, const std::vector<Partition>& partitions);
    void take(const std::vector<Partition>& partitions);
    void give_up(const std::vector<Partition>& partitions, bool lost);
    std::vector<std::shared_ptr<KafkaPartition>> held(const std::vector<Partition>& partitions);
    void forget_commits(const std::vector<Partition>& partitions);
    void send_commits(bool now);
    bool commits_are_safe() const;
    void await_assignments(int count);

    GroupListener* listener();
    void report(const Error& error);
    void forget_listener();

    std::mutex listener_mutex_;  // held while an error is reported, so that none comes once it is forgotten
    GroupListener* listener_ = nullptr;
    KafkaReports reports_;
    KafkaContext context_;
    KafkaClient client_;
    bool was_assigned_ = false;  // ever; the serving thread's

    std::mutex assigned_mutex_;
    std::map<Partition, std::shared_ptr<KafkaPartition>> assigned_;

    // A commit that waits behind our own JoinGroup request is refused, as of a former generation, and 2.0.2
    // then gives up all that is assigned. That request goes out upon the answer to a heartbeat, and after a
    // revocation: commits go out between heartbeats, and not until so many assignments have come.
    std::atomic<int> assignments_awaited_ = 0;
    std::atomic<bool> heartbeat_answered_ = false;
    std::atomic<std::chrono::steady_clock::time_point> heartbeat_answered_at_ = {};

    mutable std::mutex commits_mutex_;
    std::map<Partition, Offset> commits_;
    bool commit_out_ = false;
    bool commits_closed_ = false;

    std::atomic<bool> leaving_ = false;
    std::mutex left_mutex_;
    std::condition_variable left_changed_;
    bool left_ = false;
    std::thread thread_;
};

}  // namespace freshet
