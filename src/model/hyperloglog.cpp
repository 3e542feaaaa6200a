#include "model/hyperloglog.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace freshet {
namespace {

constexpr int kIndexBits = 12;
constexpr int kValueBits = 64 - kIndexBits;
constexpr int kMaxRegister = kValueBits + 1;
constexpr std::size_t kDenseWords = HyperLogLog::kRegisters / sizeof(std::uint64_t);
constexpr std::size_t kPackedBytes = HyperLogLog::kRegisters * 6 / 8;
constexpr std::size_t kLongestRun = 192;
constexpr unsigned kRunBase = 0x40;
constexpr char kExactTag = 0x11;
constexpr char kPackedTag = 0x12;
constexpr char kRunsTag = 0x13;

static_assert(HyperLogLog::kRegisters == std::size_t{1} << kIndexBits);
static_assert(kDenseWords > HyperLogLog::kExactLimit, "the size of words_ tells the two forms apart");

void raise_register(std::uint8_t* registers, std::uint64_t hash) {
    const std::uint64_t low = hash << kIndexBits;
    const int value = low == 0 ? kMaxRegister : std::countl_zero(low) + 1;
    std::uint8_t& slot = registers[hash >> kValueBits];
    if (slot < value) slot = static_cast<std::uint8_t>(value);
}

void raise_all(std::uint8_t* __restrict mine, const std::uint8_t* __restrict theirs) {
    for (std::size_t i = 0; i < HyperLogLog::kRegisters; ++i) {
        mine[i] = mine[i] < theirs[i] ? theirs[i] : mine[i];
    }
}

// Ertl's correction for the share x < 1 of registers at zero: x + sum over k >= 1 of x^(2^k) 2^(k-1).
double low_range_term(double x) {
    double sum = x;
    double before = 0;
    for (double scale = 1; sum != before; scale *= 2) {
        x *= x;
        before = sum;
        sum += x * scale;
    }
    return sum;
}

// Ertl's correction for the share x of registers below the highest value:
// (1 - x - sum over k >= 1 of (1 - x^(2^-k))^2 2^-k) / 3.
double high_range_term(double x) {
    if (x == 0 || x == 1) return 0;
    double sum = 1 - x;
    double before = 0;
    for (double scale = 0.5; sum != before; scale *= 0.5) {
        x = std::sqrt(x);
        before = sum;
        sum -= (1 - x) * (1 - x) * scale;
    }
    return sum / 3;
}

std::size_t zero_run(const std::uint8_t* registers, std::size_t from) {
    const std::size_t end = std::min(HyperLogLog::kRegisters, from + kLongestRun);
    std::size_t i = from;
    while (i < end && registers[i] == 0) ++i;
    return i - from;
}

// The body of the runs form, or nothing if the packed form is not longer.
std::string shorter_runs(const std::uint8_t* registers) {
    // A register that is not zero takes a byte of its own.
    const auto zeros = std::count(registers, registers + HyperLogLog::kRegisters, 0);
    if (HyperLogLog::kRegisters - static_cast<std::size_t>(zeros) >= kPackedBytes) return {};
    std::string out;
    for (std::size_t i = 0; i < HyperLogLog::kRegisters;) {
        const std::size_t run = zero_run(registers, i);
        out.push_back(static_cast<char>(run == 0 ? registers[i] : kRunBase + run - 1));
        i += std::max<std::size_t>(run, 1);
    }
    return out.size() < kPackedBytes ? out : std::string();
}

Error no_sketch(const char* what) { return {Errc::corrupt, std::string("hyperloglog: ") + what}; }

}  // namespace

void HyperLogLog::add(std::uint64_t hash) {
    if (!is_exact()) return raise_register(registers(), hash);
    const auto at = std::lower_bound(words_.begin(), words_.end(), hash);
    if (at != words_.end() && *at == hash) return;
    words_.insert(at, hash);
    if (words_.size() > kExactLimit) {
        const std::vector<std::uint64_t> hashes = std::move(words_);
        make_dense(hashes.data(), hashes.data() + hashes.size());
    }
}

void HyperLogLog::merge(const HyperLogLog& other) {
    if (this == &other || other.empty()) return;
    if (empty()) {
        words_ = other.words_;
    } else if (is_exact() && other.is_exact()) {
        std::array<std::uint64_t, 2 * kExactLimit> both;
        const auto end = std::set_union(words_.begin(), words_.end(), other.words_.begin(), other.words_.end(),
                                        both.begin());
        if (static_cast<std::size_t>(end - both.begin()) <= kExactLimit) {
            words_.assign(both.begin(), end);
        } else {
            make_dense(both.data(), both.data() + (end - both.begin()));
        }
    } else if (other.is_exact()) {
        for (const std::uint64_t hash : other.words_) raise_register(registers(), hash);
    } else if (is_exact()) {
        const std::vector<std::uint64_t> hashes = std::move(words_);
        words_ = other.words_;
        for (const std::uint64_t hash : hashes) raise_register(registers(), hash);
    } else {
        raise_all(registers(), other.registers());
    }
}

void HyperLogLog::make_dense(const std::uint64_t* first, const std::uint64_t* last) {
    words_ = std::vector<std::uint64_t>(kDenseWords);
    for (; first != last; ++first) raise_register(registers(), *first);
}

std::int64_t HyperLogLog::estimate() const {
    if (is_exact()) return static_cast<std::int64_t>(words_.size());
    std::array<int, kMaxRegister + 1> having{};  // having[v]: the number of registers of value v
    std::array<int, kMaxRegister + 1> odd{};     // apart, so that equal neighbours do not wait for each other
    const std::uint8_t* r = registers();
    for (std::size_t i = 0; i < kRegisters; i += 2) {
        ++having[r[i]];
        ++odd[r[i + 1]];
    }
    for (std::size_t value = 0; value < having.size(); ++value) having[value] += odd[value];

    constexpr double m = kRegisters;
    double sum = m * high_range_term(1 - having[kMaxRegister] / m);
    for (std::size_t value = kValueBits; value >= 1; --value) sum = (sum + having[value]) / 2;
    sum += m * low_range_term(having[0] / m);
    const double raw = m * m / (2 * std::log(2.0) * sum);
    // Exact sketches turn dense only above the limit; stored registers may claim more than an int64 holds.
    return std::llround(std::clamp(raw, kExactLimit + 1.0, 0x1p62));
}

void HyperLogLog::append_to(std::string& out) const {
    if (is_exact()) {
        out.push_back(kExactTag);
        out.push_back(static_cast<char>(words_.size()));
        for (const std::uint64_t hash : words_) {
            for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(hash >> shift & 0xff));
        }
        return;
    }
    const std::uint8_t* r = registers();
    if (const std::string runs = shorter_runs(r); !runs.empty()) {
        out.push_back(kRunsTag);
        out += runs;
        return;
    }
    out.push_back(kPackedTag);
    std::array<char, kPackedBytes> packed;
    for (std::size_t i = 0, to = 0; i < kRegisters; i += 4) {
        const unsigned group =
            r[i] | unsigned{r[i + 1]} << 6 | unsigned{r[i + 2]} << 12 | unsigned{r[i + 3]} << 18;
        for (int shift = 0; shift < 24; shift += 8) packed[to++] = static_cast<char>(group >> shift & 0xff);
    }
    out.append(packed.data(), packed.size());
}

Result<HyperLogLog> HyperLogLog::parse(std::string_view bytes) {
    if (bytes.empty()) return no_sketch("no bytes");
    const std::string_view body = bytes.substr(1);
    if (bytes.front() == kExactTag) return parse_exact(body);
    if (bytes.front() == kPackedTag) return parse_packed(body);
    if (bytes.front() == kRunsTag) return parse_runs(body);
    return no_sketch("unknown version or form");
}

Result<HyperLogLog> HyperLogLog::parse_exact(std::string_view body) {
    if (body.empty()) return no_sketch("no number of hashes");
    const std::size_t count = static_cast<unsigned char>(body.front());
    body.remove_prefix(1);
    if (count > kExactLimit) return no_sketch("too many hashes for the exact form");
    if (body.size() != count * 8) return no_sketch("number of hashes and length disagree");
    HyperLogLog sketch;
    sketch.words_.resize(count);
    for (std::size_t i = 0; i < body.size(); ++i) {
        sketch.words_[i / 8] |= std::uint64_t{static_cast<unsigned char>(body[i])} << (i % 8 * 8);
    }
    const auto& words = sketch.words_;
    const auto not_ascending = [](std::uint64_t a, std::uint64_t b) { return a >= b; };
    if (std::adjacent_find(words.begin(), words.end(), not_ascending) != words.end()) {
        return no_sketch("hashes are not ascending and unique");
    }
    return sketch;
}

Result<HyperLogLog> HyperLogLog::parse_packed(std::string_view body) {
    if (body.size() != kPackedBytes) return no_sketch("wrong length of packed registers");
    HyperLogLog sketch;
    sketch.words_.resize(kDenseWords);
    std::uint8_t* out = sketch.registers();
    for (std::size_t i = 0; i < kPackedBytes; i += 3) {
        unsigned group = 0;
        for (std::size_t j = 0; j < 3; ++j)
            group |= unsigned{static_cast<unsigned char>(body[i + j])} << (8 * j);
        for (int shift = 0; shift < 24; shift += 6) *out++ = static_cast<std::uint8_t>(group >> shift & 0x3f);
    }
    const std::uint8_t* r = sketch.registers();
    if (*std::max_element(r, r + kRegisters) > kMaxRegister) return no_sketch("register out of range");
    if (!shorter_runs(r).empty()) return no_sketch("packed registers where runs are shorter");
    return sketch;
}

Result<HyperLogLog> HyperLogLog::parse_runs(std::string_view body) {
    if (body.size() >= kPackedBytes) return no_sketch("runs where packed registers are shorter");
    HyperLogLog sketch;
    sketch.words_.resize(kDenseWords);
    std::uint8_t* r = sketch.registers();
    std::size_t at = 0;
    std::size_t previous_run = kLongestRun;  // a shorter run must not be followed by another
    for (const char c : body) {
        const unsigned byte = static_cast<unsigned char>(c);
        const std::size_t run = byte < kRunBase ? 0 : byte - kRunBase + 1;
        if (kRegisters - at < std::max<std::size_t>(run, 1)) return no_sketch("more runs than registers");
        if (run == 0) {
            if (byte == 0 || byte > kMaxRegister) return no_sketch("register out of range");
            r[at++] = static_cast<std::uint8_t>(byte);
        } else if (previous_run < kLongestRun) {
            return no_sketch("a run of zeros is split");
        }
        at += run;
        previous_run = run == 0 ? kLongestRun : run;
    }
    if (at != kRegisters) return no_sketch("runs end early");
    if (*std::max_element(r, r + kRegisters) == 0) return no_sketch("all registers are zero");
    return sketch;
}

std::size_t HyperLogLog::memory_bytes() const {
    return sizeof(*this) + words_.capacity() * sizeof(std::uint64_t);
}

}  // namespace freshet
