// simulation [--schedules N] [--seed S] [--steps M] [--plant FAULT] [--only I,I,...]
//
// Runs N schedules of M steps, of the seeds S, S + 1 and so on, and compares each end with the oracle. Stops at
// the first failure, leaves out all steps that it can do without, and prints what is left. With --plant the
// world has that fault, and not to find it is the failure. --only runs the named steps of one seed, and prints
// them.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "world.hpp"

using namespace freshet::simulation;

namespace {

using Steps = std::vector<std::uint64_t>;

constexpr std::uint64_t kEnough = 1000;  // schedules, to meet everything

struct Options {
    std::uint64_t schedules = 20'000;
    std::uint64_t seed = 1;
    std::uint64_t steps = 240;
    Plant plant = Plant::none;
    Steps only;
};

struct Outcome {
    std::optional<std::string> failure;
    std::string trace;
    Counts counts;
};

Outcome run(std::uint64_t seed, const Steps& steps, Plant plant, bool trace = false) {
    World world(seed, plant, trace);
    for (const std::uint64_t step : steps) {
        world.step(step);
        if (world.failure()) return {world.failure(), world.trace(), world.counts()};
    }
    world.heal_and_compare();
    return {world.failure(), world.trace(), world.counts()};
}

// Leaves out runs of steps, shorter and shorter ones, as long as it fails.
Steps shrink(std::uint64_t seed, Steps steps, Plant plant) {
    for (std::size_t length = steps.size() / 2; length > 0;) {
        bool shorter = false;
        for (std::size_t at = 0; at + length <= steps.size();) {
            Steps without(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(at));
            without.insert(without.end(), steps.begin() + static_cast<std::ptrdiff_t>(at + length),
                           steps.end());
            if (run(seed, without, plant).failure) {
                steps = std::move(without);
                shorter = true;
            } else {
                at += length;
            }
        }
        if (!shorter || length > 1) length = length > 1 ? length / 2 : 0;
    }
    return steps;
}

std::string text_of(const Steps& steps) {
    std::string text;
    for (const std::uint64_t step : steps) text += (text.empty() ? "" : ",") + std::to_string(step);
    return text;
}

void print(std::uint64_t seed, const Steps& steps, Plant plant) {
    const Outcome outcome = run(seed, steps, plant, true);
    std::printf("%s%s\n", outcome.trace.c_str(),
                outcome.failure ? outcome.failure->c_str() : "nothing is wrong");
    std::printf("again: simulation --seed %llu --only %s%s%s\n", static_cast<unsigned long long>(seed),
                text_of(steps).c_str(), plant == Plant::none ? "" : " --plant ",
                plant == Plant::none ? "" : kPlantNames[static_cast<std::size_t>(plant)]);
}

bool parse(std::string_view text, std::uint64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

bool parse(std::string_view text, Plant& plant) {
    const auto found = std::find(kPlantNames.begin(), kPlantNames.end(), text);
    plant = static_cast<Plant>(found - kPlantNames.begin());
    return found != kPlantNames.end();
}

bool parse(std::string_view text, Steps& steps) {
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(','));
        if (!parse(word, steps.emplace_back())) return false;
        text.remove_prefix(std::min(text.size(), word.size() + 1));
    }
    return true;
}

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i], value = argv[i + 1];
        const bool parsed = name == "--schedules" ? parse(value, options.schedules)
                            : name == "--seed"    ? parse(value, options.seed)
                            : name == "--steps"   ? parse(value, options.steps)
                            : name == "--plant"   ? parse(value, options.plant)
                            : name == "--only"    ? parse(value, options.only)
                                                  : false;
        if (!parsed) return false;
    }
    return argc % 2 == 1;
}

// Whether each of what the schedules are for was met.
bool print(const Counts& counts) {
    bool all = true;
    for (std::size_t i = 0; i < kMetNames.size(); ++i) {
        std::printf("%s %llu%s", kMetNames[i], static_cast<unsigned long long>(counts[i]),
                    i + 1 < kMetNames.size() ? ", " : "\n");
        all = all && counts[i] > 0;
    }
    return all;
}

// Whether a schedule failed, or all of them together missed what they are for.
bool search(const Options& options) {
    Steps steps(options.steps);
    std::iota(steps.begin(), steps.end(), std::uint64_t{0});
    Counts counts;
    const auto began = std::chrono::steady_clock::now();
    const auto report = [&](std::uint64_t schedules) {
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - began;
        std::printf("%llu schedules of %llu steps in %.1f s, %.0f a second\n",
                    static_cast<unsigned long long>(schedules), static_cast<unsigned long long>(options.steps),
                    time.count(), static_cast<double>(schedules) / time.count());
    };
    for (std::uint64_t n = 0; n < options.schedules; ++n) {
        const std::uint64_t seed = options.seed + n;
        const Outcome outcome = run(seed, steps, options.plant);
        counts.add(outcome.counts);
        if (!outcome.failure) continue;
        report(n + 1);
        std::printf("seed %llu fails; shrunk:\n", static_cast<unsigned long long>(seed));
        print(seed, shrink(seed, steps, options.plant), options.plant);
        return true;
    }
    report(options.schedules);
    std::printf("no mismatch\n");
    return !print(counts) && options.schedules >= kEnough;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        std::fprintf(
            stderr,
            "usage: simulation [--schedules N] [--seed S] [--steps M] [--plant FAULT] [--only I,I,...]\n");
        return 2;
    }
    if (!options.only.empty()) {
        print(options.seed, options.only, options.plant);
        return 0;
    }
    const bool wanted = options.plant != Plant::none;
    return search(options) == wanted ? 0 : 1;
}
