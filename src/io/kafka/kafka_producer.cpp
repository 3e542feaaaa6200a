#include "io/kafka/kafka_producer.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace freshet {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kServePollMs = 50;
constexpr auto kQueueFullPause = std::chrono::milliseconds{1};

void on_delivery_report(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    auto* producer = static_cast<KafkaProducer*>(static_cast<KafkaContext*>(opaque)->owner);
    producer->on_delivery(message->err, message->rkt != nullptr ? rd_kafka_topic_name(message->rkt) : "",
                          Offset{message->offset}, static_cast<KafkaProducer::Delivered*>(message->_private));
}

rd_kafka_vu_t bytes(rd_kafka_vtype_t type, std::optional<std::string_view> text) {
    rd_kafka_vu_t argument{};
    argument.vtype = type;
    if (text) {
        // An empty text is not the same as none.
        argument.u.mem.ptr = const_cast<char*>(text->empty() ? "" : text->data());
        argument.u.mem.size = text->size();
    }
    return argument;
}

struct HeadersDeleter {
    void operator()(rd_kafka_headers_t* headers) const { rd_kafka_headers_destroy(headers); }
};
using Headers = std::unique_ptr<rd_kafka_headers_t, HeadersDeleter>;

// Given as a whole: those given one by one are freed twice in 2.0.2 when the topic is known to be missing.
Headers headers_of(const ProducerRecord& record) {
    if (record.headers.empty()) return nullptr;
    Headers headers{rd_kafka_headers_new(record.headers.size())};
    for (const auto& [name, value] : record.headers) {
        rd_kafka_header_add(headers.get(), name.c_str(), -1, value.data(), static_cast<ssize_t>(value.size()));
    }
    return headers;
}

Error transaction_error(int code, const std::string& message) {
    switch (code) {
        case RD_KAFKA_RESP_ERR__FENCED:
        case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
        case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
            return {Errc::fenced, message};
        case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return {Errc::refused, message};
        default:
            return {kafka_error(code, "").code, message};
    }
}

// Takes the error; none is success.
Result<void> transaction_result(rd_kafka_error_t* error, const std::string& what) {
    if (error == nullptr) return {};
    const Error ours =
        transaction_error(rd_kafka_error_code(error), what + ": " + rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return ours;
}

// Again while librdkafka says that it may be.
template <class Call>
Result<void> repeated(Duration timeout, const std::string& what, Call call) {
    const auto deadline = Clock::now() + timeout;
    for (;;) {
        const auto left = std::chrono::floor<Duration>(deadline - Clock::now());
        rd_kafka_error_t* error = call(kafka_ms(std::max(left, Duration{0})));
        const bool again = error != nullptr && rd_kafka_error_is_retriable(error) != 0;
        auto result = transaction_result(error, what);
        if (!again || Clock::now() >= deadline) return result;
    }
}

}  // namespace

KafkaProducer::KafkaProducer(KafkaReports::Sink errors)
    : reports_(std::move(errors)), context_{&reports_, this} {}

Result<std::unique_ptr<KafkaProducer>> KafkaProducer::open(const KafkaSettings& settings, KafkaRole role,
                                                           KafkaReports::Sink errors) {
    auto conf = kafka_conf(settings, role);
    if (!conf) return conf.error();
    rd_kafka_conf_set_dr_msg_cb(conf->get(), on_delivery_report);
    std::unique_ptr<KafkaProducer> producer{new KafkaProducer(std::move(errors))};
    auto client = make_kafka_client(KafkaClientKind::producer, std::move(*conf), producer->context_);
    if (!client) return client.error();
    producer->client_ = std::move(*client);
    producer->poller_ = std::thread([self = producer.get()] {
        while (!self->closing_) rd_kafka_poll(self->client_.get(), kServePollMs);
    });
    return producer;
}

KafkaProducer::~KafkaProducer() {
    if (client_ == nullptr) return;
    closing_ = true;
    poller_.join();
    rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(client_.get(), kServePollMs);  // frees what waits for its delivery report
}

int KafkaProducer::try_send(const ProducerRecord& record, Delivered* delivered) {
    const std::string topic(record.topic);
    Headers headers = headers_of(record);
    std::array<rd_kafka_vu_t, 8> arguments{};
    std::size_t count = 0;
    const auto add = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
        arguments[count].vtype = type;
        return arguments[count++];
    };
    add(RD_KAFKA_VTYPE_TOPIC).u.cstr = topic.c_str();
    add(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
    add(RD_KAFKA_VTYPE_OPAQUE).u.ptr = delivered;
    if (record.partition) add(RD_KAFKA_VTYPE_PARTITION).u.i32 = record.partition->value;
    if (record.timestamp) add(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = unix_ms(*record.timestamp);
    if (headers != nullptr) add(RD_KAFKA_VTYPE_HEADERS).u.headers = headers.get();
    arguments[count++] = bytes(RD_KAFKA_VTYPE_KEY, record.key);
    arguments[count++] = bytes(RD_KAFKA_VTYPE_VALUE, record.value);
    if (rd_kafka_error_t* error = rd_kafka_produceva(client_.get(), arguments.data(), count)) {
        const int code = rd_kafka_error_code(error);
        rd_kafka_error_destroy(error);
        return code;
    }
    (void)headers.release();  // the message's now
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

Result<void> KafkaProducer::send(const ProducerRecord& record, Duration timeout, Delivered delivered) {
    auto owned = delivered == nullptr ? nullptr : std::make_unique<Delivered>(std::move(delivered));
    const auto deadline = Clock::now() + timeout;
    ++sent_;
    for (;;) {
        const int code = try_send(record, owned.get());
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            (void)owned.release();  // on_delivery's now
            return {};
        }
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || Clock::now() >= deadline) {
            --sent_;
            return kafka_error(code, "sending to " + std::string(record.topic));
        }
        std::this_thread::sleep_for(kQueueFullPause);
    }
}

void KafkaProducer::on_delivery(int code, const std::string& topic, Offset offset, Delivered* delivered) {
    const std::unique_ptr<Delivered> owned(delivered);
    const bool done = code == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!done) {
        const Error error = kafka_error(code, "sending to " + topic);
        if (code != RD_KAFKA_RESP_ERR__PURGE_QUEUE && code != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) {
            reports_.report("delivery to " + topic, error);
        }
        if (owned != nullptr) (*owned)(error);
    } else if (owned != nullptr) {
        (*owned)(offset);
    }
    ++(done ? delivered_ : failed_);
}

Result<void> KafkaProducer::flush(Duration timeout) {
    const auto before = sent_.load();
    const auto deadline = Clock::now() + timeout;
    while (delivered_ + failed_ < std::min(before, sent_.load())) {
        if (Clock::now() >= deadline) {
            return Error{Errc::unavailable, std::to_string(before - delivered_ - failed_) +
                                                " records are not acknowledged by Kafka after " +
                                                std::to_string(timeout.count()) + " ms"};
        }
        rd_kafka_flush(client_.get(), 20);  // sends at once what lingers
    }
    return {};
}

Result<void> KafkaProducer::claim(Duration timeout) {
    return repeated(timeout, "preparing transactions",
                    [this](int left) { return rd_kafka_init_transactions(client_.get(), left); });
}

Result<void> KafkaProducer::begin() {
    return transaction_result(rd_kafka_begin_transaction(client_.get()), "beginning a transaction");
}

Result<void> KafkaProducer::commit(Duration timeout) {
    return repeated(timeout, "committing a transaction",
                    [this](int left) { return rd_kafka_commit_transaction(client_.get(), left); });
}

Result<void> KafkaProducer::abandon(Duration timeout) {
    return repeated(timeout, "abandoning a transaction",
                    [this](int left) { return rd_kafka_abort_transaction(client_.get(), left); });
}

std::optional<Error> KafkaProducer::fatal() const {
    char text[512];
    const auto code = rd_kafka_fatal_error(client_.get(), text, sizeof text);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
    return transaction_error(code, text);
}

KafkaProducer::Counts KafkaProducer::counts() const { return {sent_, delivered_, failed_}; }

}  // namespace freshet
