// What a client gets that asked for RESP3.
#include <doctest/doctest.h>

#include <cstdio>

#include "support/lookup_for_tests.hpp"

namespace freshet::testing {
namespace {

// Checks the bytes of an answer.
void check(TestClient& c, const std::string& line, std::string_view expected) {
    INFO(line);
    CHECK(c.bytes_of(line, expected) == expected);
}

constexpr std::string_view kVersion = "$5\r\n0.1.0\r\n";

std::string hello(const std::string& frame, const std::string& version) {
    return frame + "$6\r\nserver\r\n$7\r\nfreshet\r\n$7\r\nversion\r\n" + std::string(kVersion) +
           "$5\r\nproto\r\n:" + version +
           "\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$"
           "7\r\nmodules\r\n*0\r\n";
}

std::string output_of(const std::string& command) {
    FILE* pipe = popen(command.c_str(), "r");
    REQUIRE(pipe);
    std::string text;
    char buffer[4096];
    while (const std::size_t got = fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, got);
    CHECK(pclose(pipe) == 0);
    return text;
}

TEST_CASE_FIXTURE(LookupFixture, "HELLO 3 switches to RESP3 and HELLO 2 back, each between two requests") {
    store("spend", "a", {{kNoon, 7, 0.5, "NL", true}});
    record_all(kNoon);
    TestClient c(port());
    const std::string named = "$8\r\nspent_1h\r\n:7\r\n$13\r\nmean_price_1h\r\n";
    check(c, "HELLO 3", hello("%7\r\n", "3"));
    check(c, "HELLO", hello("%7\r\n", "3"));
    check(c, "FS.GET spend a",
          "%5\r\n$11\r\npayments_5m\r\n:1\r\n" + named +
              ",0.5\r\n$12\r\nlast_country\r\n$2\r\nNL\r\n$7\r\nlast_ok\r\n#t\r\n");
    check(c, "FS.GET spend a FEATURES 2 mean_price_1h last_ok", "*2\r\n,0.5\r\n#t\r\n");
    check(c, "FS.MGET spend 2 a nobody FEATURES 1 spent_1h", "*2\r\n*1\r\n:7\r\n*1\r\n_\r\n");
    check(c, "FS.VECTOR ranking KEYS 2 card country ROWS 1 a NL",
          "*1\r\n*5\r\n$2\r\nNL\r\n_\r\n:7\r\n,0.5\r\n_\r\n");
    check(c, "CLIENT GETNAME", "_\r\n");
    check(c, "CONFIG GET save", "%0\r\n");
    check(c, "COMMAND DOCS", "%0\r\n");
    check(c, "FS.GET spent a", "-NOVIEW no view 'spent'; did you mean 'spend'?\r\n");
    check(c, "FS.VIEWS pairs", "%11\r\n$4\r\nname\r\n$5\r\npairs\r\n");
    TestClient other(port());
    CHECK(other("CLIENT LIST").find("resp=3") != std::string::npos);
    TestClient pipelining(port());
    pipelining.send_raw("FS.GET spend a FEATURES 1 mean_price_1h\r\nHELLO 3\r\nHELLO 2\r\n");
    CHECK(pipelining.receive() == "[\"0.5\"]");
}

TEST_CASE_FIXTURE(LookupFixture, "HELLO 2 answers in RESP2 again") {
    store("spend", "a", {{kNoon, 7, 0.5}});
    record_all(kNoon);
    TestClient c(port());
    check(c, "HELLO 3", hello("%7\r\n", "3"));
    check(c, "HELLO 2", hello("*14\r\n", "2"));
    CHECK(c("FS.GET spend a FEATURES 2 mean_price_1h last_ok") == "[\"0.5\" 1]");
    CHECK(c("HELLO 4") == "-NOPROTO unsupported protocol version");
    CHECK(c("FS.GET spend nobody FEATURES 1 spent_1h") == "[nil]");
}

TEST_CASE_FIXTURE(LookupFixture, "redis-cli reads every reply in RESP3") {
    store("spend", "a", {{kNoon, 7, 0.5}});
    record_all(kNoon);
    const std::string cli = "redis-cli -3 -p " + std::to_string(port()) + " ";
    CHECK(output_of(cli + "--json FS.GET spend a FEATURES 3 spent_1h mean_price_1h last_ok") ==
          "[7,0.5,true]\n");
    CHECK(output_of(cli + "--json FS.MGET spend 1 nobody FEATURES 1 spent_1h") == "[[null]]\n");
    CHECK(output_of(cli + "--json FS.VIEWS pairs").starts_with("{\"name\":\"pairs\",\"version\":1,"));
    CHECK(output_of(cli + "--json FS.EXPLAIN spend a spent_1h").find("\"origins\":[{\"partition\":0,") !=
          std::string::npos);
    CHECK(output_of(cli + "--json FS.STATUS").starts_with("{\"version\":\"0.1.0\","));
}

}  // namespace
}  // namespace freshet::testing
