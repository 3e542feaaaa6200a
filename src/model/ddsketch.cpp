#include "model/ddsketch.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

namespace freshet {
namespace {

constexpr double kZeroBelow = 1e-9;
constexpr double kLogGamma = 0.020000666706669435;  // ln(1.01 / 0.99)
constexpr double kBucketsPerLog = 1 / kLogGamma;
constexpr char kVersion = 1;

// The bucket of a magnitude x is ceil(log_gamma(x)); its level is that less the bucket of 1e-9, plus 1, so that
// levels run from 1 to kTopLevel, the bucket of the largest double. A key is kZeroKey plus or minus the level.
constexpr int kLevelOfOne = 1037;
constexpr std::uint32_t kTopLevel = 36525;
constexpr std::uint32_t kZeroKey = 1u << 16;
constexpr std::uint32_t kSpan = DDSketch::kBucketsPerSign - 1;
constexpr int kCountBits = 47;
constexpr std::size_t kMostBuckets = 2 * DDSketch::kBucketsPerSign + 1;

constexpr std::uint32_t key_of(std::uint64_t word) { return static_cast<std::uint32_t>(word >> kCountBits); }
constexpr std::uint64_t count_of(std::uint64_t word) { return word & DDSketch::kMaxBucketCount; }
constexpr std::uint64_t word_of(std::uint32_t key, std::uint64_t count) {
    return std::uint64_t{key} << kCountBits | count;
}

// Saturating, and so still independent of order.
void increase(std::uint64_t& word, std::uint64_t count) {
    word += std::min(count, DDSketch::kMaxBucketCount - count_of(word));
}

std::uint32_t key_for(double x) {
    const double magnitude = std::fabs(x);
    if (magnitude < kZeroBelow) return kZeroKey;
    const int bucket = static_cast<int>(std::ceil(std::log(magnitude) * kBucketsPerLog));
    const auto level = static_cast<std::uint32_t>(bucket + kLevelOfOne);
    return x < 0 ? kZeroKey - level : kZeroKey + level;
}

// The value with equal relative distance to both ends of the bucket (gamma^(b-1), gamma^b]:
// 2 gamma^b / (gamma + 1), which is 0.99 gamma^b.
double value_of(std::uint32_t key) {
    if (key == kZeroKey) return 0;
    const bool negative = key < kZeroKey;
    const std::uint32_t level = negative ? kZeroKey - key : key - kZeroKey;
    const double bucket = static_cast<double>(level) - kLevelOfOne;
    // Only the topmost bucket reaches beyond the largest double.
    const double magnitude =
        std::min((1 - DDSketch::kAccuracy) * std::exp(bucket * kLogGamma), std::numeric_limits<double>::max());
    return negative ? -magnitude : magnitude;
}

char* put_varint(char* out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) *out++ = static_cast<char>(value | 0x80);
    *out++ = static_cast<char>(value);
    return out;
}

// A varint of least length and at most 63 bits, and what is behind it; null: there is none. By value, so that
// who walks over bytes keeps their place in a register.
struct Varint {
    std::uint64_t value;
    const char* behind;
};
Varint long_varint(const char* at, const char* end) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 63 && at != end; shift += 7) {
        const auto byte = static_cast<unsigned char>(*at++);
        value |= std::uint64_t{byte & 0x7fu} << shift;
        if (byte < 0x80) return {value, byte == 0 && shift > 0 ? nullptr : at};
    }
    return {0, nullptr};
}
inline Varint varint(const char* at, const char* end) {
    if (at != end && static_cast<unsigned char>(*at) < 0x80) return {static_cast<unsigned char>(*at), at + 1};
    return long_varint(at, end);
}

constexpr std::uint64_t zigzag(std::int64_t value) {
    return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}

constexpr std::int64_t unzigzag(std::uint64_t value) {
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

Error corrupt(const char* what) { return {Errc::corrupt, std::string("ddsketch: ") + what}; }

std::uint64_t rank_of(double q, std::uint64_t count) {
    return std::min(count - 1, static_cast<std::uint64_t>(q * static_cast<double>(count - 1)));
}

// As stored: distance is 0 without a gap. `behind` is null where there is none.
struct Bucket {
    std::uint64_t count;
    std::uint64_t distance;
    bool gap;
    const char* behind;
};

Bucket bucket_at(const char* at, const char* end) {
    constexpr Bucket none{0, 0, false, nullptr};
    const auto [tagged, behind] = varint(at, end);
    const std::uint64_t count = tagged >> 1;
    if (!behind || count == 0 || count > DDSketch::kMaxBucketCount) return none;
    if ((tagged & 1) == 0) return {count, 0, false, behind};
    const auto [distance, last] = varint(behind, end);
    if (!last || distance > 4 * kZeroKey) return none;
    return {count, distance, true, last};
}

// The common case of a bucket that has another behind it: two bytes that do not go on. Nothing depends on
// whether there is a gap, since no branch could foretell it.
inline Bucket small_bucket_at(const char* at, const char* end) {
    if (end - at < 2) return {0, 0, false, nullptr};
    const unsigned bytes =
        static_cast<unsigned char>(at[0]) | static_cast<unsigned>(static_cast<unsigned char>(at[1])) << 8;
    const unsigned gap = bytes & 1;
    const bool is_one = (bytes & (0x80 | gap << 15)) == 0 && (bytes & 0x7e) != 0;
    return {(bytes & 0x7f) >> 1, (bytes >> 8) & (0U - gap), gap != 0, is_one ? at + 1 + gap : nullptr};
}

struct KeyRange {
    std::uint32_t lowest = 1;
    std::uint32_t highest = 0;  // below `lowest`: no bucket
};

// Hands key and count of each bucket of a stored sketch to `bucket`, ascending, and tells their range; both
// also of what is refused in the end. Says what is wrong, null if nothing is.
const char* walk_buckets(std::string_view bytes, KeyRange& range, const auto& bucket) {
    if (bytes.empty() || bytes.front() != kVersion) return "unknown version";
    const char* const end = bytes.data() + bytes.size();
    const auto [buckets, first_at] = varint(bytes.data() + 1, end);
    if (!first_at || buckets > kMostBuckets || buckets > static_cast<std::size_t>(end - first_at))
        return "bad number of buckets";
    if (buckets == 0) return first_at == end ? nullptr : "bytes after the last bucket";
    const Bucket first = bucket_at(first_at, end);
    if (!first.behind) return "bad bucket";
    if (!first.gap) return "bad distance";
    const std::int64_t first_key = kZeroKey + unzigzag(first.distance);
    if (first_key < kZeroKey - kTopLevel || first_key > kZeroKey + kTopLevel) return "bucket out of range";
    auto key = static_cast<std::uint32_t>(first_key);
    range = {key, key};
    bucket(key, first.count);
    const char* at = first.behind;
    for (std::uint64_t left = buckets - 1; left > 0; --left) {
        Bucket next = small_bucket_at(at, end);
        if (!next.behind) next = bucket_at(at, end);
        if (!next.behind) return "bad bucket";
        const std::uint64_t next_key = key + next.distance + next.gap + 1;
        if (next_key > kZeroKey + kTopLevel) return "bucket out of range";
        key = static_cast<std::uint32_t>(next_key);
        range.highest = key;
        bucket(key, next.count);
        at = next.behind;
    }
    return at == end ? nullptr : "bytes after the last bucket";
}

// Also refuses more buckets than a sign may keep; few sketches are wide enough for that to need a second look.
const char* read_buckets(std::string_view bytes, KeyRange& range, const auto& bucket) {
    const char* const wrong = walk_buckets(bytes, range, bucket);
    if (wrong || range.highest < range.lowest || range.highest - range.lowest <= kSpan) return wrong;
    std::uint32_t last_negative = range.lowest;
    std::uint32_t first_positive = range.highest;
    KeyRange again;
    (void)walk_buckets(bytes, again, [&](std::uint32_t key, std::uint64_t) {
        if (key < kZeroKey) last_negative = key;
        if (key > kZeroKey) first_positive = std::min(first_positive, key);
    });
    const bool too_many = last_negative - range.lowest > kSpan || range.highest - first_positive > kSpan;
    return too_many ? "more buckets than a sign may keep" : nullptr;
}

}  // namespace

void DDSketch::add(double x) {
    assert(std::isfinite(x));
    std::uint32_t key = key_for(x);
    if (empty()) return words_.push_back(word_of(key, 1));
    if (key > kZeroKey) key = std::max(key, key_of(words_.back()) - kSpan);
    if (key < kZeroKey) key = std::min(key, key_of(words_.front()) + kSpan);
    const std::size_t at = position(key);
    if (at < words_.size() && key_of(words_[at]) == key) return increase(words_[at], 1);
    const bool new_extreme = at == 0 || at == words_.size();
    words_.insert(words_.begin() + static_cast<std::ptrdiff_t>(at), word_of(key, 1));
    if (new_extreme) collapse();
}

void DDSketch::merge(const DDSketch& other) {
    if (empty()) {
        words_ = other.words_;
        return;
    }
    // First the buckets both have; sketches of like data mostly share them.
    std::size_t missing = 0;
    for (const std::uint64_t word : other.words_) {
        const std::size_t at = position(key_of(word));
        if (at < words_.size() && key_of(words_[at]) == key_of(word)) {
            increase(words_[at], count_of(word));
        } else {
            ++missing;
        }
    }
    if (missing == 0) return;
    // Then the others, from the back, so that every word moves once.
    std::size_t mine = words_.size();
    std::size_t theirs = other.words_.size();
    words_.resize(mine + missing);
    for (std::size_t to = words_.size(); to > mine;) {
        const std::uint64_t next = other.words_[theirs - 1];
        if (mine > 0 && key_of(words_[mine - 1]) >= key_of(next)) {
            if (key_of(words_[mine - 1]) == key_of(next)) --theirs;
            words_[--to] = words_[--mine];
        } else {
            words_[--to] = next;
            --theirs;
        }
    }
    collapse();
}

// The first position whose key is not below `key`; the sketch is not empty. As keys are unique, the distances
// to the first and the last key bound it: where buckets are contiguous, to one place.
std::size_t DDSketch::position(std::uint32_t key) const {
    const std::uint32_t first = key_of(words_.front());
    const std::uint32_t last = key_of(words_.back());
    if (key <= first) return 0;
    if (key > last) return words_.size();
    const std::size_t top = words_.size() - 1;
    const std::size_t low = top - std::min<std::size_t>(top, last - key);
    const std::size_t high = std::min<std::size_t>(top, key - first);
    const auto begin = words_.begin();
    const auto at = std::lower_bound(begin + static_cast<std::ptrdiff_t>(low),
                                     begin + static_cast<std::ptrdiff_t>(high), word_of(key, 0));
    return static_cast<std::size_t>(at - begin);
}

// Restores the limit of buckets a sign.
void DDSketch::collapse() {
    const std::uint32_t smallest = key_of(words_.front());
    const std::uint32_t largest = key_of(words_.back());
    if (largest > kZeroKey + kSpan) fold(kZeroKey + 1, largest - kSpan, largest - kSpan);
    if (smallest + kSpan < kZeroKey) fold(smallest + kSpan, kZeroKey - 1, smallest + kSpan);
}

// Makes one bucket `into`, which is `from` or `to`, of all buckets between these two, both included.
void DDSketch::fold(std::uint32_t from, std::uint32_t to, std::uint32_t into) {
    const auto first = std::lower_bound(words_.begin(), words_.end(), word_of(from, 0));
    const auto last = std::lower_bound(first, words_.end(), word_of(to + 1, 0));
    if (first == last) return;
    std::uint64_t sum = word_of(into, 0);
    for (auto it = first; it != last; ++it) increase(sum, count_of(*it));
    *first = sum;
    words_.erase(first + 1, last);
}

std::optional<double> DDSketch::quantile(double q) const {
    if (empty() || !(q >= 0 && q <= 1)) return std::nullopt;
    const std::uint64_t rank = rank_of(q, count());
    std::uint64_t below = 0;
    for (const std::uint64_t word : words_) {
        below += count_of(word);
        if (below > rank) return value_of(key_of(word));
    }
    return value_of(key_of(words_.back()));
}

std::uint64_t DDSketch::count() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t word : words_) sum += count_of(word);
    return sum;
}

void DDSketch::append_to(std::string& out) const {
    const std::size_t before = out.size();
    out.resize(before + most_stored_bytes());
    out.resize(static_cast<std::size_t>(store(out.data() + before) - out.data()));
}

// A count takes 48 bits with its tag, so 7 bytes; a distance 18, so 3.
char* DDSketch::store(char* out) const {
    *out++ = kVersion;
    out = put_varint(out, words_.size());
    std::int64_t before = kZeroKey;
    for (std::size_t i = 0; i < words_.size(); ++i) {
        const std::int64_t key = key_of(words_[i]);
        const std::int64_t distance = key - std::exchange(before, key);
        const bool gap = i == 0 || distance != 1;
        out = put_varint(out, count_of(words_[i]) << 1 | (gap ? 1 : 0));
        if (gap) out = put_varint(out, i == 0 ? zigzag(distance) : static_cast<std::uint64_t>(distance - 2));
    }
    return out;
}

Result<DDSketch> DDSketch::parse(std::string_view bytes) {
    DDSketch sketch;
    KeyRange range;
    const char* const wrong = read_buckets(bytes, range, [&](std::uint32_t key, std::uint64_t count) {
        sketch.words_.push_back(word_of(key, count));
    });
    if (wrong) return corrupt(wrong);
    return sketch;
}

std::size_t DDSketch::memory_bytes() const {
    const bool in_place = words_.capacity() <= decltype(words_){}.capacity();
    return sizeof(*this) + (in_place ? 0 : words_.capacity() * sizeof(std::uint64_t));
}

void DDSketchUnion::clear() {
    if (count_ > 0) std::fill(counts_.begin() + (lowest_ - base_), counts_.begin() + (highest_ - base_ + 1), 0);
    count_ = 0;
}

Result<void> DDSketchUnion::add(std::string_view bytes) {
    std::uint64_t added = 0;
    KeyRange range;
    std::span<std::uint64_t> counts = counts_;
    std::uint32_t base = base_;
    const char* const wrong = read_buckets(bytes, range, [&](std::uint32_t key, std::uint64_t n) {
        if (key - base >= counts.size()) {  // also where key < base
            make_room(key);
            counts = counts_;
            base = base_;
        }
        counts[key - base] += n;
        added += n;
    });
    if (added > 0) {
        lowest_ = count_ == 0 ? range.lowest : std::min(lowest_, range.lowest);
        highest_ = count_ == 0 ? range.highest : std::max(highest_, range.highest);
        count_ += added;
    }
    if (wrong) return corrupt(wrong);
    return {};
}

void DDSketchUnion::make_room(std::uint32_t key) {
    constexpr std::uint32_t kMargin = 64;
    const auto end = base_ + static_cast<std::uint32_t>(counts_.size());
    const std::uint32_t new_base = counts_.empty() ? key - kMargin : std::min(base_, key - kMargin);
    const std::uint32_t new_end = std::max(end, key + kMargin);
    std::vector<std::uint64_t> counts(new_end - new_base);
    if (!counts_.empty()) std::copy(counts_.begin(), counts_.end(), counts.begin() + (base_ - new_base));
    counts_ = std::move(counts);
    base_ = new_base;
}

std::optional<double> DDSketchUnion::quantile(double q) const {
    if (count_ == 0 || !(q >= 0 && q <= 1)) return std::nullopt;
    const std::uint64_t above = count_ - rank_of(q, count_);  // elements from the wanted one to the largest
    std::uint32_t key = highest_;
    for (std::uint64_t seen = counts_[key - base_]; seen < above;) seen += counts_[--key - base_];
    // Where the merge would have collapsed buckets.
    if (key > kZeroKey) key = std::max(key, highest_ - kSpan);
    if (key < kZeroKey) key = std::min(key, lowest_ + kSpan);
    return value_of(key);
}

}  // namespace freshet
