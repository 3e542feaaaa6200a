// Stands in for Redis with the real encoding, and compares what is decoded with what was encoded.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "io/stored/partial_codec.hpp"
#include "io/stored/stored_fields.hpp"
#include "io/stored/stored_heads.hpp"
#include "model/copied_store.hpp"
#include "partial.pb.h"

namespace freshet::testing {

inline bool same(const AccumulatorState& a, const AccumulatorState& b);
inline bool same(const FeatureValue& a, const FeatureValue& b) {
    return a.overflow == b.overflow && a.value == b.value;
}
inline bool same(const Tile& a, const Tile& b);
inline bool same(const Merged& a, const Merged& b);
inline bool same(const ResolutionHead& a, const ResolutionHead& b);
inline bool same(const CountState& a, const CountState& b) { return a.n == b.n; }
inline bool same(const SumIntState& a, const SumIntState& b) {
    return a.n == b.n && a.low == b.low && a.high == b.high;
}
inline bool same(const SumFloatState& a, const SumFloatState& b) { return a.n == b.n && a.sum == b.sum; }
inline bool same(const MomentsState& a, const MomentsState& b) {
    return a.n == b.n && a.mean == b.mean && a.m2 == b.m2;
}
template <class T>
bool same(const ExtremeState<T>& a, const ExtremeState<T>& b) {
    return a.present == b.present && (!a.present || a.value == b.value);
}
inline bool same(const OrderedState& a, const OrderedState& b) {
    return a.key() == b.key() && a.value == b.value;
}
inline bool same(const HyperLogLog& a, const HyperLogLog& b) { return a == b; }
inline bool same(const DDSketch& a, const DDSketch& b) { return a == b; }
template <class T>
bool same(const std::unique_ptr<T>& a, const std::unique_ptr<T>& b) {
    return a && b ? same(*a, *b) : !a && !b;
}
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const T& x, const T& y) { return same(x, y); });
}
inline bool same(const Tile& a, const Tile& b) { return a.number == b.number && same(a.states, b.states); }
inline bool same(const Merged& a, const Merged& b) {
    return a.complete_from == b.complete_from && a.tiles == b.tiles && (a.tiles == 0 || a.from == b.from) &&
           same(a.states, b.states);
}
inline bool same(const ResolutionHead& a, const ResolutionHead& b) {
    return same(a.tiles, b.tiles) && a.sealed_to == b.sealed_to && same(a.merged, b.merged);
}
inline bool same(const Head& a, const Head& b) {
    return a.stamp == b.stamp && a.partition == b.partition && a.newest == b.newest &&
           same(a.resolutions, b.resolutions);
}
inline bool same(const AccumulatorState& a, const AccumulatorState& b) {
    return std::visit(
        []<class A, class B>(const A& x, const B& y) {
            if constexpr (std::is_same_v<A, B>) {
                return same(x, y);
            } else {
                return false;
            }
        },
        a, b);
}

inline bool same(const FeatureAnswer& a, const FeatureAnswer& b) {
    return a.missing == b.missing && a.newest == b.newest && same(a.values, b.values);
}

// Other serializers of protobuf must write what was written here, from what they read of it.
template <class Message>
void check_known_to_protobuf(std::string_view payload) {
    Message message;
    REQUIRE(message.ParseFromArray(payload.data(), static_cast<int>(payload.size())));
    REQUIRE(message.SerializeAsString() == payload);
}

// Stands in for Redis: holds the stored bytes by the names of their fields, and checks every round trip on the
// way.
class EncodedStore {
public:
    EncodedStore(const Source& source, const ViewPlan& plan)
        : plan_(&plan), codec_(source, plan), straight_(plan, codec_.layouts()), reader_(plan) {
        for (std::size_t f = 0; f < plan.features().size(); ++f) all_.push_back(f);
    }

    void save(const EntityWindows& windows, const HeadView& head,
              const std::vector<EntityWindows::ChunkId>& changed) {
        head_.clear();
        codec_.encode_head(head, head_);
        check_known_to_protobuf<store::Head>(std::string_view(head_).substr(kStampBytes + 1));
        REQUIRE(*decode_stamp(head_) == head.stamp);
        REQUIRE(codec_.decode_head(head_, reused_));
        REQUIRE(same(reused_, copy_of(*plan_, head)));
        check_straight_reads();
        partition_ = head.partition;
        for (const auto& id : changed) {
            const auto tiles = windows.sealed_tiles(id);
            const std::string field = name(head, id);
            chunks_.erase(field);
            if (!tiles.empty()) codec_.encode_chunk(id.resolution, tiles, chunks_[field]);
        }
        if (!chunks_.empty() && ++saved_sealed_ % 4 == 0) check_straight_unfolded_reads();
    }
    Head head() {
        Head head;
        REQUIRE(codec_.decode_head(head_, head));
        return head;
    }
    std::vector<Chunk> chunks() {
        std::vector<Chunk> out;
        for (const auto& [name, bytes] : chunks_) {
            check_known_to_protobuf<store::Chunk>(std::string_view(bytes).substr(1));
            const SealedField field = *SealedField::parse(name);
            REQUIRE(field.head.partition == partition_);
            const auto has_hop = [&](const Resolution& r) { return r.hop == field.hop; };
            const auto& all = plan_->resolutions();
            const auto resolution = std::find_if(all.begin(), all.end(), has_hop) - all.begin();
            REQUIRE(codec_.decode_chunk(static_cast<std::size_t>(resolution), field.chunk, partition_, bytes,
                                        out.emplace_back()));
        }
        return out;
    }

    const std::string& head_bytes() const { return head_; }
    const std::map<std::string, std::string>& chunk_bytes() const { return chunks_; }

private:
    std::string name(const HeadView& head, const EntityWindows::ChunkId& id) const {
        return SealedField{
            {head.partition, head.stamp.generation}, plan_->resolutions()[id.resolution].hop, id.number}
            .text();
    }

    // What is read without decoding the head equals what is read from the decoded one.
    void check_straight_reads() {
        straight_.clear();
        REQUIRE(straight_.add(head_));
        const Head* one[] = {&reused_};
        for (const Resolution& resolution : plan_->resolutions()) {
            for (int hops = 0; hops < 3; ++hops) {
                const Timestamp t = reused_.newest + hops * resolution.hop;
                const bool serves = straight_.serves(t, all_);
                REQUIRE(serves == reader_.serves(one, t, all_));
                if (!serves) continue;
                const auto answer = straight_.read(all_);
                REQUIRE(answer);
                REQUIRE(same(**answer, reader_.read(one, t, all_)));
            }
        }
    }

    // Nor does it matter where head and chunks are read at a time that the head alone does not serve.
    void check_straight_unfolded_reads() {
        straight_.clear();
        REQUIRE(straight_.add(head_));
        for (const auto& [name, bytes] : chunks_)
            REQUIRE(straight_.add_sealed(*SealedField::parse(name), bytes));
        straight_.unfold();
        Head whole = head();
        unfold(whole, chunks());
        const Head* one[] = {&whole};
        for (const Resolution& resolution : plan_->resolutions()) {
            const TileNumber longest = std::min(resolution.windows.back().tiles, TileNumber{200});
            for (const TileNumber hops : {-longest, -longest / 2, TileNumber{-3}, TileNumber{0}, TileNumber{20},
                                          longest / 2, longest, longest + 1}) {
                const Timestamp t = whole.newest + hops * resolution.hop;
                REQUIRE(straight_.serves(t, all_));
                const auto answer = straight_.read(all_);
                REQUIRE(answer);
                REQUIRE(same(**answer, reader_.read(one, t, all_)));
            }
        }
    }

    const ViewPlan* plan_;
    PartialCodec codec_;
    StoredHeads straight_;
    FeatureReader reader_;
    std::vector<std::size_t> all_;
    PartitionId partition_{};
    std::string head_;
    Head reused_;
    std::map<std::string, std::string> chunks_;
    int saved_sealed_ = 0;
};

}  // namespace freshet::testing
