// A guess which entities of a view have rested for so long that their heads do not serve: those that needed
// their sealed tiles when they were read last. A wrong guess costs some time and nothing else.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

namespace freshet {

class RestingEntities {
public:
    bool contains(std::string_view entity) const { return bits_[place(entity)]; }
    void set(std::string_view entity, bool rests) { bits_[place(entity)] = rests; }

private:
    static constexpr std::size_t kBits = std::size_t{1} << 17;

    // Entities whose hashes end alike share a bit.
    static std::size_t place(std::string_view entity) {
        return std::hash<std::string_view>{}(entity) & (kBits - 1);
    }

    std::vector<bool> bits_ = std::vector<bool>(kBits);
};

}  // namespace freshet
