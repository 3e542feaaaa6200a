#include "model/hyperloglog.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using freshet::Errc;
using freshet::HyperLogLog;

namespace {

std::vector<std::uint64_t> random_hashes(std::size_t n, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<std::uint64_t> out(n);
    for (auto& hash : out) hash = random();
    return out;
}

HyperLogLog hll_of(const std::vector<std::uint64_t>& hashes) {
    HyperLogLog sketch;
    for (const auto hash : hashes) sketch.add(hash);
    return sketch;
}

std::string bytes_of(const HyperLogLog& sketch) {
    std::string out;
    sketch.append_to(out);
    return out;
}

bool is_corrupt_hll(std::string_view bytes) {
    const auto parsed = HyperLogLog::parse(bytes);
    return !parsed && parsed.error().code == Errc::corrupt;
}

// Whatever parse accepts must be written back as it was read, and bear use.
void check_hll_rejected_or_canonical(const std::string& bytes) {
    auto parsed = HyperLogLog::parse(bytes);
    if (!parsed) {
        REQUIRE(parsed.error().code == Errc::corrupt);
        return;
    }
    REQUIRE(bytes_of(*parsed) == bytes);
    REQUIRE(parsed->estimate() >= 0);
    parsed->add(42);
    parsed->merge(hll_of(random_hashes(200, 1)));
}

}  // namespace

TEST_CASE("an empty HyperLogLog estimates zero and survives storage") {
    const HyperLogLog sketch;
    CHECK(sketch.empty());
    CHECK(sketch.is_exact());
    CHECK(sketch.estimate() == 0);
    CHECK(sketch.memory_bytes() == sizeof(HyperLogLog));
    CHECK(*HyperLogLog::parse(bytes_of(sketch)) == sketch);
    CHECK(sizeof(HyperLogLog) <= 32);
}

TEST_CASE("HyperLogLog counts exactly up to 128 different hashes, repeated or not") {
    const auto hashes = random_hashes(129, 2);
    HyperLogLog sketch;
    for (std::size_t i = 0; i < 128; ++i) {
        for (std::size_t j = 0; j <= i; j += 7) sketch.add(hashes[j]);
        sketch.add(hashes[i]);
        REQUIRE(sketch.estimate() == static_cast<std::int64_t>(i + 1));
        REQUIRE(sketch.is_exact());
    }
    sketch.add(hashes[128]);
    CHECK_FALSE(sketch.is_exact());
    CHECK(sketch.estimate() >= 129);
}

TEST_CASE("HyperLogLog counts the hashes zero and all-ones like any other") {
    HyperLogLog sketch = hll_of({0, ~std::uint64_t{0}, 0});
    CHECK(sketch.estimate() == 2);
    sketch.merge(hll_of(random_hashes(500, 3)));
    CHECK(*HyperLogLog::parse(bytes_of(sketch)) == sketch);
}

TEST_CASE("a dense HyperLogLog has no bias and a standard error of 1.63 % at every size") {
    const std::vector<std::size_t> sizes = {129,  200,  400,   800,   1500,  3000, 5000,
                                            7000, 9000, 11000, 14000, 17000, 20000};
    constexpr int kRuns = 200;
    std::vector<double> bias(sizes.size()), square(sizes.size());
    for (int run = 0; run < kRuns; ++run) {
        std::mt19937_64 random(1000 + static_cast<std::uint64_t>(run));
        HyperLogLog sketch;
        std::size_t n = 0;
        for (std::size_t s = 0; s < sizes.size(); ++s) {
            for (; n < sizes[s]; ++n) sketch.add(random());
            const double error = static_cast<double>(sketch.estimate()) / static_cast<double>(n) - 1;
            bias[s] += error / kRuns;
            square[s] += error * error / kRuns;
        }
    }
    for (std::size_t s = 0; s < sizes.size(); ++s) {
        CAPTURE(sizes[s]);
        CHECK(std::fabs(bias[s]) < 3.5 * 0.01625 / std::sqrt(kRuns));
        CHECK(std::sqrt(square[s]) < 1.15 * 0.01625);
    }
}

TEST_CASE("a large HyperLogLog stays within four standard errors") {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
        const double estimate = static_cast<double>(hll_of(random_hashes(1'000'000, seed)).estimate());
        CHECK(std::fabs(estimate / 1e6 - 1) < 4 * 0.01625);
    }
}

TEST_CASE("neither order nor grouping nor repetition changes a HyperLogLog") {
    std::mt19937_64 random(5);
    for (const std::size_t n : {1, 5, 64, 127, 128, 129, 130, 256, 300, 2000}) {
        const auto hashes = random_hashes(n, n);
        const HyperLogLog whole = hll_of(hashes);
        for (int round = 0; round < 20; ++round) {
            CAPTURE(n);
            auto shuffled = hashes;
            for (std::size_t i = 0; i < n / 3; ++i) shuffled.push_back(hashes[random() % n]);
            std::shuffle(shuffled.begin(), shuffled.end(), random);
            std::vector<HyperLogLog> parts(1 + random() % 9);
            for (const auto hash : shuffled) parts[random() % parts.size()].add(hash);
            while (parts.size() > 1) {  // merge any two, in either direction, until one is left
                std::shuffle(parts.begin(), parts.end(), random);
                const HyperLogLog last = parts.back();
                parts.pop_back();
                parts.back().merge(last);
            }
            REQUIRE(parts[0] == whole);
            REQUIRE(bytes_of(parts[0]) == bytes_of(whole));
            REQUIRE(parts[0].is_exact() == (n <= 128));
        }
    }
}

TEST_CASE("merging a HyperLogLog with itself or with an empty one changes nothing") {
    for (const std::size_t n : {0, 3, 128, 5000}) {
        const HyperLogLog before = hll_of(random_hashes(n, 6));
        HyperLogLog sketch = before;
        sketch.merge(sketch);
        sketch.merge(before);
        sketch.merge(HyperLogLog());
        CHECK(sketch == before);
        HyperLogLog from_empty;
        from_empty.merge(before);
        CHECK(from_empty == before);
    }
}

TEST_CASE("a stored HyperLogLog is read back equal, and is compact") {
    for (const std::size_t n : {0, 1, 10, 128, 129, 1000, 3000, 4000, 5000, 20'000, 100'000}) {
        CAPTURE(n);
        const HyperLogLog sketch = hll_of(random_hashes(n, n + 7));
        const std::string bytes = bytes_of(sketch);
        REQUIRE(*HyperLogLog::parse(bytes) == sketch);
        CHECK(bytes.size() <= (n <= 128 ? 2 + 8 * n : std::min<std::size_t>(3073, 1 + 2 * n + 22)));
    }
}

TEST_CASE("a HyperLogLog that is not in its one stored form is corrupt") {
    const std::string exact = bytes_of(hll_of({1, 2, 3}));
    CHECK(is_corrupt_hll(""));
    CHECK(is_corrupt_hll(exact.substr(0, 1)));
    CHECK(is_corrupt_hll(exact + '\0'));
    CHECK(is_corrupt_hll('\x21' + exact.substr(1)));
    CHECK(is_corrupt_hll('\x14' + exact.substr(1)));
    CHECK(is_corrupt_hll(exact.substr(0, 2) + exact.substr(10, 8) + exact.substr(2, 8) + exact.substr(18)));
    CHECK(is_corrupt_hll(exact.substr(0, 2) + exact.substr(2, 8) + exact.substr(2, 8) + exact.substr(18)));
    CHECK(is_corrupt_hll(std::string("\x11\x81") + std::string(129 * 8, 'x')));

    CHECK(is_corrupt_hll('\x12' + std::string(3072, '\0')));           // all zero, and runs are shorter
    CHECK(is_corrupt_hll('\x12' + std::string(3072, '\xff')));         // registers of 63
    CHECK(is_corrupt_hll('\x13' + std::string(4096, '\x01')));         // packed is shorter
    CHECK(is_corrupt_hll('\x13' + std::string(21, '\xff') + "\x7f"));  // all zero
    CHECK_FALSE(is_corrupt_hll('\x13' + std::string(21, '\xff') + "\x7e\x01"));               // 4095 + 1
    CHECK(is_corrupt_hll('\x13' + std::string(21, '\xff') + "\x7e\x36"));                     // 54
    CHECK(is_corrupt_hll('\x13' + std::string(21, '\xff') + "\x7f\x01"));                     // 4097
    CHECK(is_corrupt_hll('\x13' + std::string(21, '\xff') + "\x01"));                         // too few
    CHECK(is_corrupt_hll('\x13' + std::string(20, '\xff') + "\xfe\x7f\x01"));                 // split run
    CHECK(is_corrupt_hll('\x13' + std::string(21, '\xff') + "\x7e" + std::string(1, '\0')));  // zero value
}

TEST_CASE("no damage to stored bytes makes HyperLogLog's parse fail otherwise than by corrupt") {
    std::mt19937_64 random(8);
    for (const std::size_t n : {1, 20, 128, 140, 1000, 6000}) {
        const std::string good = bytes_of(hll_of(random_hashes(n, n)));
        for (int round = 0; round < 150; ++round) {
            REQUIRE(is_corrupt_hll(good.substr(0, random() % good.size())));
            std::string damaged = good;
            for (std::uint64_t flips = 1 + random() % 3; flips > 0; --flips) {
                damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
            }
            check_hll_rejected_or_canonical(damaged);
        }
    }
    for (int round = 0; round < 20'000; ++round) {
        std::string noise(random() % 60, '\0');
        for (char& c : noise) c = static_cast<char>(random());
        if (!noise.empty() && round % 2 == 0) noise[0] = static_cast<char>(0x11 + random() % 3);
        check_hll_rejected_or_canonical(noise);
    }
}

TEST_CASE("a HyperLogLog whose registers are all at their highest still has an estimate") {
    std::string bytes = "\x12";
    for (int i = 0; i < 1024; ++i) bytes += "\x75\x5d\xd7";  // four registers of 53
    const auto parsed = HyperLogLog::parse(bytes);
    REQUIRE(parsed);
    CHECK(parsed->estimate() == std::int64_t{1} << 62);
}
