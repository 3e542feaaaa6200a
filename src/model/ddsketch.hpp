// DDSketch: estimates quantiles with a relative accuracy of 1 %, in bounded memory.
#pragma once

#include <absl/container/inlined_vector.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.hpp"

namespace freshet {

// Counts values in buckets of width gamma = 1.01 / 0.99 on a logarithmic scale, for both signs, after
// C. Masson, J. Rim, H. Lee, "DDSketch: a fast and fully-mergeable quantile sketch" (2019).
//
// Magnitudes below 1e-9 count as zero. Each sign keeps kBucketsPerSign buckets counted from its largest
// magnitude; smaller magnitudes are raised to the lowest of them.
//
// The state is a function of the multiset of values alone: the order of add and merge and the grouping change
// neither ==, nor a quantile, nor the bytes.
class DDSketch {
public:
    static constexpr double kAccuracy = 0.01;
    static constexpr std::uint32_t kBucketsPerSign = 2048;
    // A bucket that has reached this count stays there.
    static constexpr std::uint64_t kMaxBucketCount = (std::uint64_t{1} << 47) - 1;

    // x must be finite.
    void add(double x);
    void merge(const DDSketch& other);

    // For the element x of rank floor(q * (count() - 1)), rank 0 being the smallest: a value v with
    // |v - x| <= kAccuracy * |x|, give or take rounding and the limits above. Nothing if the sketch is empty or
    // q is outside [0, 1].
    std::optional<double> quantile(double q) const;

    // The number of values added. Linear in the number of buckets in use.
    std::uint64_t count() const;
    bool empty() const { return words_.empty(); }

    // Appends the stored form; equal sketches have equal bytes: a version byte (1), the number of buckets in
    // use, then each bucket in ascending order of value as its count * 2 + gap, followed by its distance when
    // gap is 1. The distance of the first bucket (gap always 1) is from zero, in zigzag form; of another it is
    // from its predecessor, less 2, and gap 0 means the very next bucket. Numbers are LEB128 of least length.
    void append_to(std::string& out) const;
    // The same to memory with room for most_stored_bytes(); gives where it ends.
    char* store(char* out) const;
    std::size_t most_stored_bytes() const { return 6 + words_.size() * 12; }

    // Accepts exactly what append_to writes, to the last byte; anything else is Errc::corrupt.
    static Result<DDSketch> parse(std::string_view bytes);

    // Bytes held: the object itself and its heap.
    std::size_t memory_bytes() const;

    friend bool operator==(const DDSketch&, const DDSketch&) = default;

private:
    std::size_t position(std::uint32_t key) const;
    void fold(std::uint32_t from, std::uint32_t to, std::uint32_t into);
    void collapse();

    // One word a bucket in use: the key in the high 17 bits, the count (never 0) in the low 47. Ascending by
    // key, keys unique, and keys ascend with value: negatives, zero, positives. Most tiles hold a value or two.
    absl::InlinedVector<std::uint64_t, 2> words_;
};

// What DDSketch::quantile answers for the merge of stored sketches, without merging them: look-ups need no
// more. Reuses its memory; not for buckets near DDSketch::kMaxBucketCount.
class DDSketchUnion {
public:
    void clear();
    // Refuses what DDSketch::parse refuses; then clear() must follow.
    Result<void> add(std::string_view bytes);
    std::optional<double> quantile(double q) const;

private:
    void make_room(std::uint32_t key);

    // counts_[i] values lie in the bucket of key base_ + i; other than zero only from lowest_ to highest_.
    std::vector<std::uint64_t> counts_;
    std::uint32_t base_ = 0;
    std::uint32_t lowest_ = 0;
    std::uint32_t highest_ = 0;
    std::uint64_t count_ = 0;
};

}  // namespace freshet
