#include <doctest/doctest.h>

#include "io/sha256.hpp"
#include "support/lookup_for_tests.hpp"

namespace freshet::testing {
namespace {

struct GuardedFixture : LookupFixture {
    GuardedFixture() {
        options.users = {{"default", sha256("all of it"), {"spend", "pairs", "now", "strict", "hiding"}},
                         {"ranker", sha256("some"), {"spend", "pairs"}}};
        store("spend", "a", {{kNoon, 5}});
        record_all(kNoon);
    }
};

TEST_CASE_FIXTURE(GuardedFixture, "who has not told who it is may tell, or quit, and nothing else") {
    TestClient c(port());
    for (const char* line : {"PING", "FS.GET spend a", "FS.VIEWS", "FS.STATUS", "INFO", "CLIENT LIST",
                             "COMMAND", "NOSUCH", "CONFIG GET *", "HELLO", "HELLO 3"}) {
        CAPTURE(line);
        CHECK(c(line).starts_with("-NOAUTH authentication required"));
    }
    CHECK(c("AUTH all").starts_with("-WRONGPASS"));
    CHECK(c("AUTH ranker wrong").starts_with("-WRONGPASS"));
    CHECK(c("AUTH nobody some").starts_with("-WRONGPASS"));
    CHECK(c("HELLO 3 AUTH ranker wrong").starts_with("-WRONGPASS"));
    CHECK(c("PING").starts_with("-NOAUTH"));
    CHECK(c("QUIT") == "+OK");
    CHECK(c.receive() == "closed");
}

TEST_CASE_FIXTURE(GuardedFixture, "a password alone is the default user's, and opens one connection") {
    TestClient c(port());
    CHECK(c.ask({"AUTH", "all of it"}) == "+OK");
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h") == "[5]");
    CHECK(c("FS.VIEWS") == R"(["spend" "pairs" "now" "strict" "hiding"])");
    CHECK(c("FS.STATUS").starts_with("[\"version\""));
    CHECK(TestClient(port())("PING").starts_with("-NOAUTH"));
    CHECK(c("AUTH ranker wrong").starts_with("-WRONGPASS"));
    CHECK(c("PING") == "+PONG");  // what it was before
}

TEST_CASE_FIXTURE(GuardedFixture, "a user reads its views and no other, whatever the command") {
    TestClient c(port());
    CHECK(c("HELLO 2 AUTH ranker some SETNAME model").starts_with("[\"server\" \"freshet\""));
    CHECK(c("CLIENT GETNAME") == "\"model\"");
    CHECK(c("FS.GET spend a FEATURES 1 spent_1h") == "[5]");
    CHECK(c("FS.VIEWS") == R"(["spend" "pairs"])");
    CHECK(c("FS.SERVICES") == R"(["cards" "ranking"])");
    CHECK(c("FS.VECTOR cards KEYS 1 card ROWS 1 a").starts_with("["));
    CHECK(c("FS.FRESHNESS spend").starts_with("["));
    for (const char* line : {"FS.GET strict a", "FS.MGET strict 1 a", "FS.VIEWS strict", "FS.SERVICES guarded",
                             "FS.FRESHNESS strict", "FS.FRESHNESS strict.spent_1h 5",
                             "FS.EXPLAIN strict a spent_1h", "FS.VECTOR guarded KEYS 1 card ROWS 1 a"}) {
        CAPTURE(line);
        CHECK(c(line) == "-NOPERM user 'ranker' may not read view strict");
    }
    CHECK(c("FS.STATUS") == "-NOPERM user 'ranker' may not read all views, of which FS.STATUS tells");
    CHECK(c("FS.FRESHNESS") == "-NOPERM user 'ranker' may not read all views, of which FS.FRESHNESS tells");
    CHECK(c("PING") == "+PONG");
    CHECK(c.ask({"AUTH", "default", "all of it"}) == "+OK");
    CHECK(c("FS.VIEWS strict").starts_with("["));
}

TEST_CASE("SHA-256 is what the standard says, and digits are read or refused") {
    CHECK(sha256("abc") == *from_hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    CHECK(from_hex("0aF") == std::nullopt);
    CHECK(from_hex("0x") == std::nullopt);
    CHECK(from_hex("-1") == std::nullopt);
    CHECK(from_hex("00ff") == std::string("\0\xff", 2));
    CHECK(equal_in_constant_time("abc", "abc"));
    CHECK_FALSE(equal_in_constant_time("abc", "abd"));
    CHECK_FALSE(equal_in_constant_time("abc", "ab"));
}

}  // namespace
}  // namespace freshet::testing
