#include "io/stored/store_keys.hpp"

namespace freshet {

std::string head_key(std::string_view prefix, std::string_view view_id, std::string_view entity) {
    std::string key;
    key.reserve(prefix.size() + view_id.size() + entity.size() + 3 + kSealedSuffix.size());
    return key.append(prefix).append("{").append(view_id).append(":").append(entity).append("}");
}

std::string sealed_key(std::string_view prefix, std::string_view view_id, std::string_view entity) {
    return head_key(prefix, view_id, entity).append(kSealedSuffix);
}

std::string record_key(std::string_view prefix, const Partition& partition, std::string_view slot_tag) {
    std::string key(prefix);
    return key.append("{")
        .append(slot_tag)
        .append("}progress:")
        .append(partition.topic)
        .append(":")
        .append(std::to_string(partition.id.value));
}

std::string sealed_field_prefix(std::string_view origin) { return std::string(origin) + "."; }

}  // namespace freshet
