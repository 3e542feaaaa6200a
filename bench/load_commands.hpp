// The commands a load generator sends: templates with a random key, or lines of a file in random order.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace freshet::bench {

// A command of words; each `{key}` in it is replaced by the number of a key of its own.
class CommandTemplate {
public:
    CommandTemplate(const std::string& line) {
        std::istringstream words(line);
        for (std::string word; words >> word;) add(word);
        if (words_ == 0) throw std::invalid_argument("an empty command");
        parts_.front().text = "*" + std::to_string(words_) + "\r\n" + parts_.front().text;
    }

    // `next_key` gives the number of a key at each call.
    template <class NextKey>
    void append(NextKey&& next_key, std::string& out) const {
        for (const Part& part : parts_) {
            out += part.text;
            if (part.key_word_bytes == kNoKey) continue;
            const std::string_view key = next_key();
            out += '$';
            out += std::to_string(part.key_word_bytes + key.size());
            out += "\r\n";
            out += part.before_key;
            out += key;
        }
    }

private:
    static constexpr std::size_t kNoKey = static_cast<std::size_t>(-1);
    struct Part {
        std::string text;  // as it is
        std::size_t key_word_bytes = kNoKey;
        std::string before_key;
    };

    void add(const std::string& word) {
        ++words_;
        const std::size_t place = word.find("{key}");
        if (place == std::string::npos) {
            parts_.back().text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
            return;
        }
        parts_.back().key_word_bytes = word.size() - 5;
        parts_.back().before_key = word.substr(0, place);
        parts_.push_back({word.substr(place + 5) + "\r\n", kNoKey, {}});
    }

    std::vector<Part> parts_{1};
    std::size_t words_ = 0;
};

struct KeyChoice {
    std::uint64_t keys = 100'000;
    double zipf = 0;  // exponent; 0: uniform
    std::uint64_t seed = 1;
};

// The numbers of `count` keys.
inline std::vector<std::uint32_t> draw_keys(const KeyChoice& choice, std::size_t count) {
    std::mt19937_64 random(choice.seed);
    std::vector<double> sums;
    double sum = 0;
    for (std::uint64_t k = 1; choice.zipf > 0 && k <= choice.keys; ++k)
        sums.push_back(sum += std::pow(static_cast<double>(k), -choice.zipf));
    std::uniform_real_distribution<double> share(0, choice.zipf > 0 ? sum : 1);
    std::vector<std::uint32_t> keys;
    keys.reserve(count);
    while (keys.size() < count) {
        std::uint64_t key = random() % choice.keys;
        if (!sums.empty()) {
            const auto place = std::upper_bound(sums.begin(), sums.end(), share(random));
            key = std::min<std::uint64_t>(static_cast<std::uint64_t>(place - sums.begin()), choice.keys - 1);
        }
        keys.push_back(static_cast<std::uint32_t>(key));
    }
    return keys;
}

// What to send next, drawn before the run so that drawing costs the run nothing.
class LoadCommands {
public:
    LoadCommands(const std::vector<std::string>& lines, const KeyChoice& choice) {
        for (const std::string& line : lines) templates_.emplace_back(line);
        keys_.reserve(kDrawn);
        for (const std::uint32_t key : draw_keys(choice, kDrawn)) keys_.push_back(std::to_string(key));
        std::mt19937_64 random(choice.seed + 1);
        for (auto& which : template_order_) which = static_cast<std::uint32_t>(random() % templates_.size());
    }

    void append_next(std::string& out) {
        const std::size_t which = templates_.size() == 1 ? 0 : template_order_[next_++ % kDrawn];
        templates_[which].append([&]() -> std::string_view { return keys_[next_++ % kDrawn]; }, out);
    }

private:
    static constexpr std::size_t kDrawn = 1 << 20;

    std::vector<CommandTemplate> templates_;
    std::vector<std::string> keys_;
    std::vector<std::uint32_t> template_order_ = std::vector<std::uint32_t>(kDrawn);
    std::size_t next_ = 0;
};

inline std::vector<std::string> read_lines(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::invalid_argument("cannot read " + path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);)
        if (!line.empty()) lines.push_back(line);
    return lines;
}

}  // namespace freshet::bench
