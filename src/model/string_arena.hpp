// Keeps the strings of a batch of events together, so that a decoded event costs no allocation of its own.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace freshet {

// Views handed out stay valid until clear() or destruction. Not thread-safe.
class StringArena {
public:
    std::string_view copy(std::string_view text) {
        if (text.empty()) return {};
        char* place = allocate(text.size());
        std::memcpy(place, text.data(), text.size());
        return {place, text.size()};
    }

    // Uninitialised room for `size` bytes.
    char* allocate(std::size_t size) {
        if (size > left_) grow(size);
        char* place = next_;
        next_ += size;
        left_ -= size;
        return place;
    }

    std::size_t memory_bytes() const { return total_; }

private:
    static constexpr std::size_t kChunk = 64 * 1024;

    void grow(std::size_t size) {
        const std::size_t chunk = std::max(size, kChunk);
        chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk));
        next_ = chunks_.back().get();
        left_ = chunk;
        total_ += chunk;
    }

    std::vector<std::unique_ptr<char[]>> chunks_;
    char* next_ = nullptr;
    std::size_t left_ = 0;
    std::size_t total_ = 0;
};

}  // namespace freshet
