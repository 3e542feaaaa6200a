// The names of all keys in Redis (docs/storage.md). `prefix` is the deployment's own: RedisConfig::prefix.
#pragma once

#include <string>
#include <string_view>

#include "model/ids.hpp"

namespace freshet {

// A hash: origin -> head. The view and entity are the slot tag, so that both keys of an entity share a slot.
std::string head_key(std::string_view prefix, std::string_view view_id, std::string_view entity);

// A hash: "<origin>.<chunk>" -> sealed tiles, beside the head of the same entity.
constexpr std::string_view kSealedSuffix = ":s";
std::string sealed_key(std::string_view prefix, std::string_view view_id, std::string_view entity);

// The progress record of a partition. `slot_tag` chooses the slot, and with it the primary, that holds it.
std::string record_key(std::string_view prefix, const Partition& partition, std::string_view slot_tag = "0");

// What the fields of `origin` in a sealed hash begin with.
std::string sealed_field_prefix(std::string_view origin);

}  // namespace freshet
