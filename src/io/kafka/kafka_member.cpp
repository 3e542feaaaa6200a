#include "io/kafka/kafka_member.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>

namespace freshet {
namespace {

constexpr int kJoinPollMs = 100;
// Requests in Kafka's protocol.
constexpr int kJoinGroup = 11;
constexpr int kHeartbeat = 12;
// By then the answer to a heartbeat has led to a JoinGroup request, or to nothing.
constexpr auto kAfterHeartbeat = std::chrono::milliseconds{50};

std::vector<Partition> partitions_of(const rd_kafka_topic_partition_list_t* list) {
    std::vector<Partition> partitions;
    for (int i = 0; i < list->cnt; ++i) {
        partitions.push_back({list->elems[i].topic, PartitionId{list->elems[i].partition}});
    }
    return partitions;
}

void add(rd_kafka_topic_partition_list_t* list, const Partition& partition, std::int64_t offset) {
    rd_kafka_topic_partition_list_add(list, partition.topic.c_str(), partition.id.value)->offset = offset;
}

KafkaMember& member_of(void* opaque) {
    return *static_cast<KafkaMember*>(static_cast<KafkaContext*>(opaque)->owner);
}

void on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t* list, void* opaque) {
    member_of(opaque).on_rebalance(err, list);
}

void on_offset_commit(rd_kafka_t*, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t* offsets,
                      void* opaque) {
    member_of(opaque).on_committed(err, offsets);
}

rd_kafka_resp_err_t on_request_sent(rd_kafka_t*, int, const char*, std::int32_t, std::int16_t request,
                                    std::int16_t, std::int32_t, std::size_t, void* member) {
    static_cast<KafkaMember*>(member)->on_request_sent(request);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t on_response_received(rd_kafka_t*, int, const char*, std::int32_t, std::int16_t request,
                                         std::int16_t, std::int32_t, std::size_t, std::int64_t,
                                         rd_kafka_resp_err_t, void* member) {
    static_cast<KafkaMember*>(member)->on_response_received(request);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t on_new(rd_kafka_t* client, const rd_kafka_conf_t*, void* member, char*, std::size_t) {
    rd_kafka_interceptor_add_on_request_sent(client, "freshet", on_request_sent, member);
    return rd_kafka_interceptor_add_on_response_received(client, "freshet", on_response_received, member);
}

}  // namespace

KafkaMember::KafkaMember()
    : reports_([this](const Error& error) { report(error); }), context_{&reports_, this} {}

GroupListener* KafkaMember::listener() {
    const std::lock_guard lock(listener_mutex_);
    return listener_;
}

void KafkaMember::report(const Error& error) {
    const std::lock_guard lock(listener_mutex_);
    if (listener_ != nullptr) listener_->log_error(error);
}

void KafkaMember::forget_listener() {
    const std::lock_guard lock(listener_mutex_);
    listener_ = nullptr;
}

Result<void> KafkaMember::join(KafkaConf conf, const std::vector<std::string>& topics,
                               GroupListener& listener) {
    rd_kafka_conf_set_rebalance_cb(conf.get(), freshet::on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf.get(), on_offset_commit);
    rd_kafka_conf_interceptor_add_on_new(conf.get(), "freshet", on_new, this);
    auto client = make_kafka_client(KafkaClientKind::consumer, std::move(conf), context_);
    if (!client) return client.error();
    client_ = std::move(*client);
    rd_kafka_poll_set_consumer(client_.get());
    const KafkaPartitions wanted = kafka_partitions();
    for (const std::string& topic : topics) {
        rd_kafka_topic_partition_list_add(wanted.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
    }
    {
        const std::lock_guard lock(listener_mutex_);
        listener_ = &listener;
    }
    if (const auto err = rd_kafka_subscribe(client_.get(), wanted.get())) {
        forget_listener();
        return kafka_error(err, "subscribing");
    }
    thread_ = std::thread([self = shared_from_this()] { self->serve(); });
    return {};
}

bool KafkaMember::leave(Duration timeout) {
    leaving_ = true;
    std::unique_lock lock(left_mutex_);
    if (left_changed_.wait_for(lock, timeout, [&] { return left_; })) {
        lock.unlock();
        thread_.join();
        return true;
    }
    thread_.detach();  // it keeps this alive
    lock.unlock();
    report({Errc::unavailable, "leaving the consumer group took more than " + std::to_string(timeout.count()) +
                                   " ms; the Kafka client is left behind, end the process"});
    forget_listener();
    return false;
}

std::shared_ptr<KafkaPartition> KafkaMember::find(const Partition& partition) {
    const std::lock_guard lock(assigned_mutex_);
    const auto it = assigned_.find(partition);
    return it == assigned_.end() ? nullptr : it->second;
}

void KafkaMember::serve() {
    while (!leaving_) {
        send_commits(false);
        rd_kafka_message_t* message = rd_kafka_consumer_poll(client_.get(), kJoinPollMs);
        if (message == nullptr) continue;
        // Records have queues of their own, so that this is an error of a topic or of the group.
        reports_.report(rd_kafka_err2name(message->err),
                        kafka_error(message->err, rd_kafka_message_errstr(message)));
        if (message->err == RD_KAFKA_RESP_ERR__FATAL) tell_expelled();
        rd_kafka_message_destroy(message);
    }
    shut();
    const std::lock_guard lock(left_mutex_);
    left_ = true;
    left_changed_.notify_all();
}

void KafkaMember::tell_expelled() {
    char text[512] = {};
    const auto err = rd_kafka_fatal_error(client_.get(), text, sizeof text);
    const std::string mend = err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID
                                 ? "; another node has this one's kafka.instance: give each node its own"
                                 : "; start the node again";
    if (GroupListener* to = listener())
        to->expelled({Errc::refused, std::string("expelled from the consumer group: ") + text + mend});
}

void KafkaMember::shut() {
    rd_kafka_consumer_close(client_.get());
    std::vector<Partition> rest;
    {
        const std::lock_guard lock(assigned_mutex_);
        for (const auto& [partition, held] : assigned_) rest.push_back(partition);
    }
    if (!rest.empty()) give_up(rest, true);
    forget_listener();
    {
        const std::lock_guard lock(commits_mutex_);
        commits_closed_ = true;
    }
    if (was_assigned_) {
        client_.reset();
    } else {
        // librdkafka 2.0.2 crashes when a member is destroyed between its joining and its first assignment. It
        // has left the group; its threads idle until the process ends.
        (void)client_.release();
        static std::vector<std::shared_ptr<KafkaMember>>* const kept =
            new std::vector<std::shared_ptr<KafkaMember>>;
        static std::mutex mutex;
        const std::lock_guard lock(mutex);
        kept->push_back(shared_from_this());
    }
}

void KafkaMember::on_rebalance(int code, const rd_kafka_topic_partition_list_s* list) {
    if (GroupListener* to = listener()) to->rebalance_begins();
    rebalance(code, partitions_of(list));
    if (GroupListener* to = listener()) to->rebalance_ends();
}

void KafkaMember::rebalance(int code, const std::vector<Partition>& partitions) {
    switch (code) {
        case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
            take(partitions);
            break;
        case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
            give_up(partitions, rd_kafka_assignment_lost(client_.get()) != 0);
            break;
        default:
            reports_.report("rebalance", kafka_error(code, "rebalance"));
            rd_kafka_assign(client_.get(), nullptr);
    }
}

void KafkaMember::take(const std::vector<Partition>& partitions) {
    was_assigned_ = true;
    {
        const std::lock_guard lock(assigned_mutex_);
        for (const Partition& partition : partitions) {
            assigned_[partition] = std::make_shared<KafkaPartition>(client_.get(), partition, reports_);
        }
    }
    // To librdkafka each partition is assigned when it is started, at an offset that is known by then.
    const KafkaPartitions none = kafka_partitions();
    if (rd_kafka_error_t* error = rd_kafka_incremental_assign(client_.get(), none.get())) {
        reports_.report("assign",
                        {Errc::unavailable, std::string("assigning: ") + rd_kafka_error_string(error)});
        rd_kafka_error_destroy(error);
    }
    if (assignments_awaited_ > 0) --assignments_awaited_;
    if (GroupListener* to = listener(); to != nullptr && !partitions.empty()) {
        to->assigned(partitions);
    }
}

std::vector<std::shared_ptr<KafkaPartition>> KafkaMember::held(const std::vector<Partition>& partitions) {
    std::vector<std::shared_ptr<KafkaPartition>> found;
    for (const Partition& partition : partitions) found.push_back(find(partition));
    std::erase(found, nullptr);
    return found;
}

void KafkaMember::give_up(const std::vector<Partition>& partitions, bool lost) {
    const auto leaving = held(partitions);
    for (const auto& one : leaving) one->refuse_starts();
    if (GroupListener* to = listener(); to != nullptr && !partitions.empty()) {
        to->revoked(partitions, lost);
    }
    if (lost) forget_commits(partitions);
    send_commits(true);  // librdkafka hands the partitions over only when they are through
    // What follows a revocation is an assignment of what is new, a JoinGroup, and its assignment.
    await_assignments(lost ? 1 : 2);

    const KafkaPartitions started = kafka_partitions();
    for (const Partition& partition : partitions) {
        const auto one = find(partition);
        if (one != nullptr && one->leave()) add(started.get(), partition, RD_KAFKA_OFFSET_INVALID);
    }
    {
        const std::lock_guard lock(assigned_mutex_);
        for (const Partition& partition : partitions) assigned_.erase(partition);
    }
    if (rd_kafka_error_t* error = rd_kafka_incremental_unassign(client_.get(), started.get())) {
        reports_.report("unassign",
                        {Errc::unavailable, std::string("unassigning: ") + rd_kafka_error_string(error)});
        rd_kafka_error_destroy(error);
    }
    for (const auto& one : leaving) one->release();
}

void KafkaMember::commit(const Partition& partition, Offset next) {
    if (find(partition) == nullptr) {
        reports_.report("commit",
                        {Errc::fenced, "committing " + partition.text() + ": it is not assigned to this node"});
        return;
    }
    const std::lock_guard lock(commits_mutex_);
    commits_[partition] = next;
}

void KafkaMember::forget_commits(const std::vector<Partition>& partitions) {
    const std::lock_guard lock(commits_mutex_);
    for (const Partition& partition : partitions) commits_.erase(partition);
}

void KafkaMember::await_assignments(int count) {
    int awaited = assignments_awaited_;
    while (awaited < count && !assignments_awaited_.compare_exchange_weak(awaited, count)) {
    }
}

void KafkaMember::on_request_sent(int request) {
    if (request == kJoinGroup) await_assignments(1);
    if (request == kHeartbeat) heartbeat_answered_ = false;
}

void KafkaMember::on_response_received(int request) {
    if (request != kHeartbeat) return;
    heartbeat_answered_at_ = std::chrono::steady_clock::now();
    heartbeat_answered_ = true;
}

bool KafkaMember::commits_are_safe() const {
    return assignments_awaited_ == 0 && heartbeat_answered_ &&
           std::chrono::steady_clock::now() - heartbeat_answered_at_.load() > kAfterHeartbeat;
}

void KafkaMember::send_commits(bool now) {
    const std::lock_guard lock(commits_mutex_);
    if (commits_closed_ || commits_.empty()) return;
    if (!now && (commit_out_ || !commits_are_safe())) return;
    const KafkaPartitions offsets = kafka_partitions();
    for (const auto& [partition, next] : commits_) add(offsets.get(), partition, next.value);
    commits_.clear();
    if (const auto err = rd_kafka_commit(client_.get(), offsets.get(), 1)) {
        reports_.report("commit", kafka_error(err, "committing"));
    } else {
        commit_out_ = true;
    }
}

void KafkaMember::on_committed(int code, const rd_kafka_topic_partition_list_s* offsets) {
    for (int i = 0; offsets != nullptr && i < offsets->cnt; ++i) {
        const auto& one = offsets->elems[i];
        const int err = one.err != RD_KAFKA_RESP_ERR_NO_ERROR ? one.err : code;
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        const Partition partition{one.topic, PartitionId{one.partition}};
        if (err == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS && find(partition) != nullptr) {
            const std::lock_guard lock(commits_mutex_);
            commits_.try_emplace(partition, Offset{one.offset});  // again later, unless there is a newer one
            continue;
        }
        reports_.report(
            "commit", kafka_error(err, "committing " + std::to_string(one.offset) + " of " + partition.text()));
    }
    const std::lock_guard lock(commits_mutex_);
    commit_out_ = false;
}

}  // namespace freshet
