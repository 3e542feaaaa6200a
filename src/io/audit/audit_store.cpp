#include "io/audit/audit_store.hpp"

#include <algorithm>
#include <charconv>

#include "io/stored/progress_codec.hpp"
#include "io/stored/store_keys.hpp"

namespace freshet {

namespace {

constexpr RedisTimeouts kTimeouts{Duration{1000}, Duration{2000}};

std::int64_t number(std::string_view text) {
    std::int64_t n = 0;
    std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
}

}  // namespace

struct AuditStore::Server {
    explicit Server(const RedisConfig& config) : connection(config, kTimeouts), partials(config, kTimeouts) {}
    RedisConnection connection;
    RedisPartialStore partials;
};

AuditStore::AuditStore(RedisConfig config, std::shared_ptr<ClusterTopology> cluster,
                       std::shared_ptr<SentinelWatch> sentinels)
    : config_(std::move(config)), cluster_(std::move(cluster)), sentinels_(std::move(sentinels)) {}

AuditStore::~AuditStore() = default;

void AuditStore::look_who_serves() {
    if (cluster_) map_ = cluster_->current();
    if (!sentinels_ || version_ == sentinels_->version()) return;
    version_ = sentinels_->version();
    config_ = reached_at(config_, sentinels_->primary());
    servers_.clear();
}

AuditStore::Server& AuditStore::server(std::size_t primary) {
    const RedisConfig config = map_ ? reached_at(config_, map_->primaries()[primary].address) : config_;
    auto& server = servers_[map_ ? config.address.text() : std::string()];
    if (!server) server = std::make_unique<Server>(config);
    return *server;
}

Result<AuditRecord> AuditStore::read(const Partition& partition, RecordSlot slot) {
    AuditRecord found{slot, 0, {}};
    if (map_) {
        const auto owner = map_->owner_of(slot);
        if (!owner) return Error{Errc::unavailable, "nobody serves slot " + std::to_string(slot)};
        found.primary = *owner;
    }
    const std::string key = record_key(config_.prefix, partition, tag_of(slot));
    const auto reply = server(found.primary).connection.command({"HGETALL", key});
    if (!reply) return reply.error();
    if (reply->size() == 0) return Error{Errc::not_found, partition.text() + " has no record"};
    std::vector<std::string_view> texts;
    for (std::size_t i = 0; i < reply->size(); ++i) texts.push_back((*reply)[i].text());
    auto record = decode_record(texts);
    if (!record) return record.error().within(key);
    found.record = *std::move(record);
    return found;
}

Result<std::vector<AuditRecord>> AuditStore::records(const Partition& partition) {
    look_who_serves();
    std::vector<AuditRecord> records;
    std::vector<RecordSlot> slots{kFirstRecordSlot};
    for (std::size_t i = 0; i < slots.size(); ++i) {
        auto record = read(partition, slots[i]);
        if (!record) return record.error();
        for (const RecordSlot named : record->record.slots)
            if (std::ranges::count(slots, named) == 0) slots.push_back(named);
        records.push_back(*std::move(record));
    }
    return records;
}

const AuditRecord* AuditStore::record_of(std::span<const AuditRecord> records, const PartialKey& key) const {
    if (!map_) return &records.front();
    const Slot slot = slot_of(head_key(config_.prefix, key.view_id, key.entity));
    const auto owner = map_->owner_of(slot);
    for (const AuditRecord& record : records)
        if (owner == record.primary && contains_all(record.record.covers, {{slot, slot}})) return &record;
    return nullptr;
}

Result<std::vector<LoadedPartial>> AuditStore::load(const Partition& partition, const AuditRecord& record,
                                                    std::span<const PartialKey> keys) {
    const Fence fence{partition, record.record.epoch, record.record.calls, record.slot};
    return server(record.primary).partials.load(fence, keys);
}

Result<Timestamp> AuditStore::now(const AuditRecord& record) {
    const auto reply = server(record.primary).connection.command({"TIME"});
    if (!reply) return reply.error();
    return from_unix_ms(number((*reply)[0].text()) * 1000 + number((*reply)[1].text()) / 1000);
}

}  // namespace freshet
