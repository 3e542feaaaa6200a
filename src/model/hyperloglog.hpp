// HyperLogLog: estimates how many different 64-bit hashes were added, in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.hpp"

namespace freshet {

// Exact up to kExactLimit different hashes; beyond that kRegisters registers with a standard error of
// 1.04 / sqrt(kRegisters) = 1.63 %, by the improved raw estimator of O. Ertl, "New cardinality estimation
// algorithms for HyperLogLog sketches" (2017), which has no noticeable bias at any cardinality.
//
// The state is a function of the set of hashes alone: the order of add and merge, repetition and grouping
// change neither ==, nor the estimate, nor the bytes. Hashes must be uniform over all 64 bits.
class HyperLogLog {
public:
    static constexpr std::size_t kExactLimit = 128;
    static constexpr std::size_t kRegisters = 4096;

    void add(std::uint64_t hash);
    void merge(const HyperLogLog& other);

    // The number of different hashes: exact while is_exact(), never below kExactLimit + 1 afterwards.
    std::int64_t estimate() const;

    bool is_exact() const { return words_.size() <= kExactLimit; }
    bool empty() const { return words_.empty(); }

    // Appends the stored form; equal sketches have equal bytes. The first byte holds the version (high four
    // bits, now 1) and the form (low four bits):
    //   1 exact:  a byte with the number of hashes, then the hashes ascending, 8 bytes each, little endian.
    //   2 packed: 6 bits a register, four registers in three bytes, little endian.
    //   3 runs:   bytes 1..53 are the value of one register, 0x40 + k is k + 1 zero registers; runs are as
    //             long as possible. Used where it is shorter than packed.
    void append_to(std::string& out) const;

    // Accepts exactly what append_to writes, to the last byte; anything else is Errc::corrupt.
    static Result<HyperLogLog> parse(std::string_view bytes);

    // Bytes held: the object itself and its heap.
    std::size_t memory_bytes() const;

    friend bool operator==(const HyperLogLog&, const HyperLogLog&) = default;

private:
    // Registers are bytes inside words_, in memory order.
    std::uint8_t* registers() { return reinterpret_cast<std::uint8_t*>(words_.data()); }
    const std::uint8_t* registers() const { return reinterpret_cast<const std::uint8_t*>(words_.data()); }

    void make_dense(const std::uint64_t* first, const std::uint64_t* last);

    static Result<HyperLogLog> parse_exact(std::string_view body);
    static Result<HyperLogLog> parse_packed(std::string_view body);
    static Result<HyperLogLog> parse_runs(std::string_view body);

    // Up to kExactLimit words: the hashes, ascending and unique. Otherwise kRegisters registers, a byte each.
    std::vector<std::uint64_t> words_;
};

}  // namespace freshet
