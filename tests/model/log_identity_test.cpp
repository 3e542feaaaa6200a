#include "model/log_identity.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace freshet;

namespace {

LogMark message(std::int64_t offset, std::uint64_t content = 1) {
    return {Offset{offset}, from_unix_ms(1000 * offset), content};
}
using Found = std::vector<std::optional<LogMark>>;
const LogIdentity kThree{{}, {}, {}, {message(0), message(20), message(39)}};

LogVerdict judge(const Found& found, std::int64_t low, std::int64_t end, std::int64_t read_to = 40) {
    return judge_log(kThree, found, {Offset{low}, Offset{end}}, Offset{read_to});
}

}  // namespace

TEST_CASE("a log in which every mark stands is the same") {
    CHECK(judge({message(0), message(20), message(39)}, 0, 50) == LogVerdict::same);
}

TEST_CASE("messages gone by retention say nothing") {
    CHECK(judge({std::nullopt, std::nullopt, message(39)}, 30, 50) == LogVerdict::same);
    CHECK(judge({std::nullopt, std::nullopt, std::nullopt}, 45, 50) == LogVerdict::same);
}

TEST_CASE("a log without any of the marks was made anew") {
    CHECK(judge({message(0, 2), message(20, 2), message(39, 2)}, 0, 50) == LogVerdict::made_anew);
    CHECK(judge({message(0, 2), std::nullopt, std::nullopt}, 0, 9) == LogVerdict::made_anew);
    CHECK(judge({std::nullopt, std::nullopt, std::nullopt}, 0, 0) == LogVerdict::made_anew);
}

TEST_CASE("a log with the older marks and without the newer ones was truncated") {
    CHECK(judge({message(0), message(20), std::nullopt}, 0, 30) == LogVerdict::truncated);
    CHECK(judge({message(0), message(20), message(39, 2)}, 0, 60) == LogVerdict::truncated);
    CHECK(judge({message(0), message(20, 2), message(39)}, 0, 60) == LogVerdict::truncated);
}

TEST_CASE("where retention took the proof, nothing is counted twice") {
    CHECK(judge({std::nullopt, message(20, 2), message(39, 2)}, 10, 60) == LogVerdict::truncated);
    CHECK(judge({std::nullopt, std::nullopt, message(39, 2)}, 30, 60) == LogVerdict::truncated);
}

TEST_CASE("a log shorter than what was counted is not the same, marks or not") {
    CHECK(judge({message(0), message(20), message(39)}, 0, 40, 41) == LogVerdict::truncated);
    CHECK(judge_log(LogIdentity{}, {}, {Offset{0}, Offset{9}}, Offset{10}) == LogVerdict::truncated);
    CHECK(judge_log(LogIdentity{}, {}, {Offset{0}, Offset{9}}, Offset{9}) == LogVerdict::same);
}

TEST_CASE("a log of which nothing was read was made anew if its low end fell") {
    const LogIdentity known{{}, {}, Offset{5}, {}};
    CHECK(judge_log(known, {}, {Offset{0}, Offset{9}}, Offset{5}) == LogVerdict::made_anew);
    CHECK(judge_log(known, {}, {Offset{5}, Offset{9}}, Offset{5}) == LogVerdict::same);
    // Replicas age each for themselves, so a new leader may have older messages again.
    const LogIdentity read{{}, {}, Offset{5}, {message(5)}};
    CHECK(judge_log(read, Found{message(5)}, {Offset{3}, Offset{9}}, Offset{6}) == LogVerdict::same);
}

TEST_CASE("a low end that fell speaks against a log whose marks are all gone") {
    const LogIdentity known{{}, {}, Offset{5}, {message(2)}};
    CHECK(judge_log(known, Found{std::nullopt}, {Offset{3}, Offset{9}}, Offset{5}) == LogVerdict::truncated);
    CHECK(judge_log(known, Found{std::nullopt}, {Offset{6}, Offset{9}}, Offset{5}) == LogVerdict::same);
}

TEST_CASE("of a truncated log those marks stand that nothing speaks against") {
    const Found found{std::nullopt, message(20), message(39, 2)};
    CHECK(standing_marks(kThree, found, {Offset{5}, Offset{60}}) ==
          std::vector<LogMark>{message(0), message(20)});
}

TEST_CASE("marks keep the first and the newest message, and are sparser the older they are") {
    std::mt19937_64 random(7);
    for (int run = 0; run < 100; ++run) {
        std::vector<LogMark> marks;
        std::int64_t offset = 5;
        add_mark(marks, message(offset));
        for (int i = 0; i < 1000; ++i) {
            offset += std::uniform_int_distribution<std::int64_t>(1, 1000)(random);
            add_mark(marks, message(offset));
            REQUIRE(marks.size() <= kMostMarks);
            REQUIRE(marks.front().offset == Offset{5});
            REQUIRE(marks.back().offset == Offset{offset});
        }
        for (std::size_t i = 1; i + 1 < marks.size(); ++i) {
            REQUIRE(marks[i - 1].offset < marks[i].offset);
            // At least a tenth of what a truncation must take to reach the next older mark.
            const auto reach = [&](std::size_t m) { return offset - marks[m].offset.value; };
            CHECK(reach(i - 1) <= 40 * reach(i) + 4000);
        }
    }
}

TEST_CASE("an older mark changes nothing") {
    std::vector<LogMark> marks{message(3), message(9)};
    add_mark(marks, message(9, 2));
    add_mark(marks, message(4));
    CHECK(marks == std::vector<LogMark>{message(3), message(9)});
}

TEST_CASE("a mark tells an empty value from none, and key from value") {
    const auto mark = [](std::string_view key, std::optional<std::string_view> value) {
        return mark_of(Offset{1}, from_unix_ms(5), key, value);
    };
    CHECK(mark("k", "v") == mark("k", "v"));
    CHECK_FALSE(mark("k", "") == mark("k", std::nullopt));
    CHECK_FALSE(mark("k", "v") == mark("v", "k"));
    CHECK_FALSE(mark("kv", "") == mark("k", "v"));
}
