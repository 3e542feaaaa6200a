#include "model/ddsketch.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

using freshet::DDSketch;
using freshet::DDSketchUnion;
using freshet::Errc;

namespace {

using Values = std::vector<double>;
using Random = std::mt19937_64;

Values draw(std::size_t n, std::uint64_t seed, const std::function<double(Random&)>& next) {
    Random random(seed);
    Values out(n);
    for (double& x : out) x = next(random);
    return out;
}

double uniform(Random& random) { return std::uniform_real_distribution<double>(0, 1000)(random); }
double lognormal(Random& random) { return std::lognormal_distribution<double>(3, 2)(random); }
double exponential(Random& random) { return std::exponential_distribution<double>(0.01)(random); }
double normal(Random& random) { return std::normal_distribution<double>(0, 50)(random); }
double integer(Random& random) { return static_cast<double>(random() % 41) - 20; }
// Both signs, over 16 orders of magnitude: within the 2,048 buckets of a sign.
double mixed(Random& random) {
    const double x = std::pow(10.0, std::uniform_real_distribution<double>(-8, 8)(random));
    return random() % 2 == 0 ? x : -x;
}
// Both signs, over more magnitudes than a sign keeps, and zeros.
double extreme(Random& random) {
    const double x = std::pow(10.0, std::uniform_real_distribution<double>(-12, 300)(random));
    return random() % 5 == 0 ? 0 : random() % 2 == 0 ? x : -x;
}

DDSketch sketch_of(const Values& values) {
    DDSketch sketch;
    for (const double x : values) sketch.add(x);
    return sketch;
}

std::string bytes_of(const DDSketch& sketch) {
    std::string out;
    sketch.append_to(out);
    return out;
}

bool is_corrupt(std::string_view bytes) {
    const auto parsed = DDSketch::parse(bytes);
    return !parsed && parsed.error().code == Errc::corrupt;
}

void check_quantiles(Values values) {
    const DDSketch sketch = sketch_of(values);
    std::sort(values.begin(), values.end());
    REQUIRE(sketch.count() == values.size());
    for (const double q : {0.0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0}) {
        double exact = values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
        if (std::fabs(exact) < 1e-9) exact = 0;
        CAPTURE(q);
        CAPTURE(exact);
        REQUIRE(std::fabs(*sketch.quantile(q) - exact) <= (0.01 + 1e-12) * std::fabs(exact));
    }
}

// Whatever parse accepts must be written back as it was read, and bear use.
void check_rejected_or_canonical(const std::string& bytes) {
    if (is_corrupt(bytes)) return;
    auto parsed = DDSketch::parse(bytes);
    REQUIRE(parsed);
    REQUIRE(bytes_of(*parsed) == bytes);
    REQUIRE(parsed->quantile(0.5).has_value() != parsed->empty());
    for (const double x : {1.0, -1e300, 1e300, 0.0}) parsed->add(x);
    parsed->merge(sketch_of({-3, 0, 3}));
}

}  // namespace

TEST_CASE("an empty DDSketch has no quantile and survives storage") {
    const DDSketch sketch;
    CHECK(sketch.empty());
    CHECK(sketch.count() == 0);
    CHECK_FALSE(sketch.quantile(0.5).has_value());
    CHECK(*DDSketch::parse(bytes_of(sketch)) == sketch);
}

TEST_CASE("DDSketch refuses a q outside zero to one") {
    for (const double q : {-0.1, 1.1, std::nan("")}) CHECK_FALSE(sketch_of({1, 2, 3}).quantile(q).has_value());
}

TEST_CASE("a quantile is within 1 % of the element of its rank, whatever the distribution") {
    for (const auto& next : {uniform, lognormal, exponential, normal, integer, mixed}) {
        for (const std::size_t n : {1, 2, 3, 10, 101, 20'000}) check_quantiles(draw(n, n, next));
    }
    for (const double x : {7.25, -7.25, 0.0}) check_quantiles(Values(1000, x));
    check_quantiles({0.0, -0.0, 9e-10, -9e-10, 5e-324});
}

TEST_CASE("every magnitude from 1e-9 to the largest double is within 1 %") {
    Random random(3);
    for (int i = 0; i < 20'000; ++i) {
        const double x = std::pow(10.0, std::uniform_real_distribution<double>(-9, 308.2)(random));
        REQUIRE(std::fabs(*sketch_of({x}).quantile(0) - x) <= (0.01 + 1e-12) * x);
        REQUIRE(*sketch_of({-x}).quantile(0) == -*sketch_of({x}).quantile(0));
    }
    check_quantiles({1e-9, 1.0});
    check_quantiles({std::numeric_limits<double>::max(), std::numeric_limits<double>::lowest()});
    CHECK(*sketch_of({std::nextafter(1e-9, 0)}).quantile(0) == 0);
}

TEST_CASE("ranks run from the largest negative magnitude over zeros to the largest positive") {
    const DDSketch sketch = sketch_of({5, 0, -1, -100, 0});
    CHECK(*sketch.quantile(0) == doctest::Approx(-100).epsilon(0.01));
    CHECK(*sketch.quantile(0.25) == doctest::Approx(-1).epsilon(0.01));
    CHECK((*sketch.quantile(0.5) == 0 && *sketch.quantile(0.75) == 0));
    CHECK(*sketch.quantile(1) == doctest::Approx(5).epsilon(0.01));
}

TEST_CASE("magnitudes too small beside the largest of their sign are raised, the other sign is untouched") {
    const DDSketch sketch = sketch_of({1, 2, 1e30, -1, -2, 0});
    const double bound = 1e30 / std::exp(2048 * std::log(1.01 / 0.99));
    CHECK(sketch.count() == 6);
    CHECK(*sketch.quantile(0) == doctest::Approx(-2).epsilon(0.01));
    CHECK(*sketch.quantile(0.2) == doctest::Approx(-1).epsilon(0.01));
    CHECK(*sketch.quantile(0.4) == 0);
    CHECK(*sketch.quantile(0.6) == doctest::Approx(bound).epsilon(0.03));
    CHECK(*sketch.quantile(0.8) == *sketch.quantile(0.6));
    CHECK(*sketch.quantile(1) == doctest::Approx(1e30).epsilon(0.01));
}

TEST_CASE("neither order nor grouping changes a DDSketch, even where buckets collapse") {
    Random random(4);
    for (const auto& next : {lognormal, normal, integer, mixed, extreme}) {
        for (const std::size_t n : {1, 4, 30, 3000}) {
            const Values values = draw(n, n, next);
            const DDSketch whole = sketch_of(values);
            for (int round = 0; round < 8; ++round) {
                Values shuffled = values;
                std::shuffle(shuffled.begin(), shuffled.end(), random);
                std::vector<DDSketch> parts(1 + random() % 9);
                for (const double x : shuffled) parts[random() % parts.size()].add(x);
                while (parts.size() > 1) {  // merge any two, in either direction, until one is left
                    std::shuffle(parts.begin(), parts.end(), random);
                    const DDSketch last = parts.back();
                    parts.pop_back();
                    parts.back().merge(last);
                }
                REQUIRE(parts[0] == whole);
                REQUIRE(bytes_of(parts[0]) == bytes_of(whole));
            }
            Values sorted = values;
            std::sort(sorted.begin(), sorted.end());
            REQUIRE(sketch_of(sorted) == whole);
            std::reverse(sorted.begin(), sorted.end());
            REQUIRE(sketch_of(sorted) == whole);
        }
    }
}

TEST_CASE("a union of stored DDSketches answers what their merge answers, even where buckets collapse") {
    Random random(6);
    DDSketchUnion together;
    for (const auto& next : {lognormal, normal, integer, mixed, extreme}) {
        for (const std::size_t n : {0, 1, 4, 30, 3000}) {
            const Values values = draw(n, n, next);
            const DDSketch whole = sketch_of(values);
            std::vector<DDSketch> parts(1 + random() % 9);
            for (const double x : values) parts[random() % parts.size()].add(x);
            together.clear();
            for (const DDSketch& part : parts) REQUIRE(together.add(bytes_of(part)));
            for (const double q : {0.0, 0.01, 0.5, 0.95, 1.0, -0.1, 1.1})
                CHECK(together.quantile(q) == whole.quantile(q));
        }
    }
    CHECK(!together.add("\x02"));
}

TEST_CASE("merging a DDSketch with an empty one changes nothing, with itself doubles every count") {
    const Values values = draw(500, 5, normal);
    const DDSketch before = sketch_of(values);
    DDSketch sketch = before;
    sketch.merge(DDSketch());
    CHECK(sketch == before);
    DDSketch twice;
    twice.merge(before);
    CHECK(twice == before);
    for (const double x : values) twice.add(x);
    sketch.merge(sketch);
    CHECK(sketch == twice);
}

TEST_CASE("a bucket's count stops at its limit and stays storable") {
    DDSketch sketch = sketch_of({1, 1, 1, 2});
    for (int i = 0; i < 60; ++i) sketch.merge(sketch);
    CHECK(sketch.count() == 2 * DDSketch::kMaxBucketCount);
    sketch.add(1);
    CHECK(sketch.count() == 2 * DDSketch::kMaxBucketCount);
    CHECK(*sketch.quantile(1) == doctest::Approx(2).epsilon(0.01));
    CHECK(*DDSketch::parse(bytes_of(sketch)) == sketch);
}

TEST_CASE("a stored DDSketch is read back equal, and one value takes few bytes") {
    for (const auto& next : {uniform, lognormal, normal, integer, mixed, extreme}) {
        for (const std::size_t n : {1, 2, 5, 100, 10'000}) {
            const DDSketch sketch = sketch_of(draw(n, n + 1, next));
            REQUIRE(*DDSketch::parse(bytes_of(sketch)) == sketch);
            CHECK((n > 1 || bytes_of(sketch).size() <= 6));
        }
    }
}

TEST_CASE("a DDSketch holding few values or a full range of buckets stays small") {
    CHECK(DDSketch().memory_bytes() <= 32);
    CHECK(sketch_of({1, 1e6, -3}).memory_bytes() <= sizeof(DDSketch) + 4 * 8);
    const DDSketch full = sketch_of(draw(200'000, 6, extreme));
    CHECK(full.memory_bytes() <= sizeof(DDSketch) + 2 * 8 * (2 * 2048 + 1));
}

TEST_CASE("a DDSketch that is not in its one stored form is corrupt") {
    const std::string one = bytes_of(sketch_of({0}));
    REQUIRE(one == std::string("\x01\x01\x03\x00", 4));  // version, one bucket, count 1 with gap, at zero
    CHECK(is_corrupt(""));
    CHECK(is_corrupt(one + '\0'));
    CHECK(is_corrupt('\x02' + one.substr(1)));
    CHECK(is_corrupt(std::string("\x01\x81\x00\x03\x00", 5)));              // number of buckets too long
    CHECK(is_corrupt(std::string("\x01\x01\x01\x00", 4)));                  // count zero
    CHECK(is_corrupt(std::string("\x01\x01\x02", 3)));                      // first bucket without distance
    CHECK(is_corrupt(std::string("\x01\x01\x03\x80\x00", 5)));              // distance too long
    CHECK(is_corrupt("\x01\x01\x03\xff\xff\x7f"));                          // far below the lowest bucket
    CHECK(is_corrupt("\x01\x01\x03\xff\xff\xff\xff\xff\xff\xff\xff\x7f"));  // 63 bits
    CHECK(is_corrupt("\x01\x01\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    CHECK(is_corrupt("\x01\xff\xff\xff\xff\xff\xff\xff\x7f"));    // buckets beyond reason
    CHECK_FALSE(is_corrupt("\x01\x02\x03\x02\x03\xfd\x0f"));      // positive buckets 2,047 apart
    CHECK(is_corrupt("\x01\x02\x03\x02\x03\xfe\x0f"));            // 2,048 apart
    CHECK(is_corrupt("\x01\x02\x03\x81\x20\x03\xfe\x0f"));        // negative ones
    CHECK_FALSE(is_corrupt("\x01\x02\x03\x81\x20\x03\xfd\x0f"));  // negative ones, 2,047 apart
}

TEST_CASE("no damage to stored bytes makes DDSketch's parse fail otherwise than by corrupt") {
    Random random(9);
    for (const auto& next : {lognormal, normal, integer, extreme}) {
        for (const std::size_t n : {1, 3, 50, 2000}) {
            const std::string good = bytes_of(sketch_of(draw(n, n, next)));
            for (int round = 0; round < 100; ++round) {
                REQUIRE(is_corrupt(good.substr(0, random() % good.size())));
                std::string damaged = good;
                for (std::uint64_t flips = 1 + random() % 3; flips > 0; --flips) {
                    damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
                }
                check_rejected_or_canonical(damaged);
            }
        }
    }
    for (int round = 0; round < 20'000; ++round) {
        std::string noise(random() % 40, '\0');
        for (char& c : noise) c = static_cast<char>(random());
        if (round % 2 == 0) noise.insert(0, {1, static_cast<char>(1 + random() % 6)});
        check_rejected_or_canonical(noise);
    }
}
