#include "model/fence.hpp"

#include <doctest/doctest.h>

#include "model/claims.hpp"
#include "model/flush_queue.hpp"
#include "model/record_rules.hpp"

using namespace freshet;
using namespace freshet::test;

namespace {

struct Call {
    Fence fence;
    int id;
};
using Queue = FlushQueue<Call, int>;

Error unavailable() { return {Errc::unavailable, "no answer"}; }

}  // namespace

TEST_CASE("a call is fenced by the epoch that is held and by what was acked last") {
    FenceBook book;
    CHECK_FALSE(book.fence(kPartition, Epoch{5}));
    book.taken(kPartition, Epoch{5}, 1);
    CHECK(book.acked(kPartition, Epoch{5}, 4));
    REQUIRE(book.fence(kPartition, Epoch{5}));
    CHECK(book.fence(kPartition, Epoch{5})->acked_calls == 4);
    CHECK_FALSE(book.fence(kPartition, Epoch{4}));
}

TEST_CASE("answers of a former epoch are not taken for acks of this one") {
    FenceBook book;
    book.taken(kPartition, Epoch{5}, 9);
    book.taken(kPartition, Epoch{6}, 2);
    CHECK(book.acked(kPartition, Epoch{5}, 12));
    CHECK(book.fence(kPartition, Epoch{6})->acked_calls == 2);
}

TEST_CASE(
    "a primary that fell back between two calls of a pipeline is found out by the number it counts twice") {
    FenceBook book;
    book.taken(kPartition, Epoch{5}, 4);
    Queue queue;
    queue.add(7, kPartition, Epoch{5}, {{{}, 1}, {{}, 2}});
    auto calls = queue.next_pipeline(book);
    const std::vector<Result<std::uint64_t>> results{std::uint64_t{5}, std::uint64_t{5}};
    const auto answer = queue.answered(book, std::move(calls), results);
    REQUIRE(answer.settled.size() == 1);
    CHECK(answer.settled[0].outcome.error().code == Errc::lost_writes);
}

TEST_CASE("of a half-answered pipeline only what was not answered is repeated, with newer fences") {
    FenceBook book;
    book.taken(kPartition, Epoch{5}, 1);
    Queue queue;
    queue.add(7, kPartition, Epoch{5}, {{{}, 1}, {{}, 2}});
    queue.add(8, kPartition, Epoch{5}, {{{}, 3}});
    auto calls = queue.next_pipeline(book);
    REQUIRE(calls.size() == 3);
    const std::vector<Result<std::uint64_t>> results{std::uint64_t{2}, unavailable(), unavailable()};
    auto answer = queue.answered(book, std::move(calls), results);
    CHECK(answer.unavailable);
    CHECK(answer.settled.empty());
    calls = queue.next_pipeline(book);
    REQUIRE(calls.size() == 2);
    CHECK(calls[0].id == 2);
    CHECK(calls[1].id == 3);
    CHECK(calls[0].fence.acked_calls == 2);
    const std::vector<Result<std::uint64_t>> all{std::uint64_t{3}, std::uint64_t{4}};
    answer = queue.answered(book, std::move(calls), all);
    REQUIRE(answer.settled.size() == 2);
    CHECK(answer.settled[0].token == 7);
    CHECK(answer.settled[0].outcome);
    CHECK(queue.empty());
}

TEST_CASE("a flush of a life that is over sends nothing and says so") {
    FenceBook book;
    book.taken(kPartition, Epoch{6}, 1);
    Queue queue;
    queue.add(7, kPartition, Epoch{5}, {{{}, 1}});
    auto calls = queue.next_pipeline(book);
    CHECK(calls.empty());
    const auto answer = queue.answered(book, std::move(calls), {});
    REQUIRE(answer.settled.size() == 1);
    CHECK(answer.settled[0].outcome.error().code == Errc::fenced);
}

TEST_CASE("a refused flush is not repeated, even if a call of it was not answered") {
    FenceBook book;
    book.taken(kPartition, Epoch{5}, 1);
    Queue queue;
    queue.add(7, kPartition, Epoch{5}, {{{}, 1}, {{}, 2}});
    auto calls = queue.next_pipeline(book);
    const std::vector<Result<std::uint64_t>> results{Error{Errc::fenced, "another"}, unavailable()};
    const auto answer = queue.answered(book, std::move(calls), results);
    REQUIRE(answer.settled.size() == 1);
    CHECK(answer.settled[0].outcome.error().code == Errc::fenced);
    CHECK(queue.empty());
}

TEST_CASE("a record lets only the epoch it holds pass, and only while it has not fallen back") {
    std::optional<ProgressRecord> record;
    const TakenEpoch first = record_rules::take_epoch(record, kClaim, kNow);
    CHECK(first.before == std::nullopt);
    Fence fence{kPartition, first.epoch, first.calls};
    CHECK(record_rules::check(&*record, fence));
    fence.acked_calls += 1;
    CHECK(record_rules::check(&*record, fence).error().code == Errc::lost_writes);
    CHECK(record_rules::check(nullptr, fence).error().code == Errc::lost_writes);
    const TakenEpoch second = record_rules::take_epoch(record, kClaim, kNow);
    CHECK(second.epoch > first.epoch);
    CHECK(record_rules::check(&*record, fence).error().code == Errc::fenced);
}

TEST_CASE("flushes that give way leave one a pipeline, behind those that do not, and all leave in the end") {
    FenceBook book;
    const Partition urgent{"payments", PartitionId{0}};
    book.taken(kPartition, Epoch{5}, 0);
    book.taken(urgent, Epoch{9}, 0);
    Queue queue;
    for (const int id : {1, 2, 3}) queue.add(id, kPartition, Epoch{5}, {{{}, id}}, true);
    queue.add(4, urgent, Epoch{9}, {{{}, 4}});
    std::vector<int> left;
    std::vector<std::size_t> sizes;
    for (std::uint64_t acked = 1; !queue.empty(); ++acked) {
        auto calls = queue.next_pipeline(book);
        sizes.push_back(calls.size());
        for (const Call& call : calls) left.push_back(call.id);
        const std::vector<Result<std::uint64_t>> results(calls.size(), acked);
        const auto answer = queue.answered(book, std::move(calls), results);
        for (const auto& settled : answer.settled) CHECK(settled.outcome);
        if (acked == 1) queue.add(5, urgent, Epoch{9}, {{{}, 5}});
    }
    CHECK(left == std::vector{4, 1, 5, 2, 3});
    CHECK(sizes == std::vector<std::size_t>{2, 2, 1});
}

TEST_CASE("a flush that gave way and was not answered goes again before those that wait behind it") {
    FenceBook book;
    book.taken(kPartition, Epoch{5}, 0);
    Queue queue;
    for (const int id : {1, 2}) queue.add(id, kPartition, Epoch{5}, {{{}, id}}, true);
    auto calls = queue.next_pipeline(book);
    REQUIRE(calls.size() == 1);
    const std::vector<Result<std::uint64_t>> none{unavailable()};
    CHECK(queue.answered(book, std::move(calls), none).settled.empty());
    calls = queue.next_pipeline(book);
    REQUIRE(calls.size() == 1);
    CHECK(calls[0].id == 1);
}
