#include "io/log.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

namespace freshet {
namespace {

TEST_CASE("a message of several lines is one line of text, and changes no terminal") {
    CHECK(log::one_line("no such topic: käse\r\n\tcreate it\x1b[31m\x7f") ==
          "no such topic: käse\\x0d\\n\\tcreate it\\x1b[31m\\x7f");
}

TEST_CASE("a line of JSON has fields for what it is about, and only for that") {
    const Partition partition{"orders", PartitionId{3}};
    CHECK(log::json_members("it stands", {.partition = partition, .offset = Offset{17}, .epoch = Epoch{5}}) ==
          R"("message":"it stands","topic":"orders","partition":3,"offset":17,"epoch":5})");
    CHECK(log::json_members("late", {.view = "spend@2"}) == R"("message":"late","view":"spend@2"})");
    CHECK(log::json_members("stopped", {}) == R"("message":"stopped"})");
}

TEST_CASE("whatever a message holds, it is one line of JSON that says it") {
    const std::string message = "a \"quoted\" \\ name\nwith\tcontrols \x01 and ü";
    const std::string line = "{" + log::json_members(message, {});
    CHECK(line.find('\n') == std::string::npos);
    CHECK(nlohmann::json::parse(line)["message"] == message);
    CHECK(nlohmann::json::parse("{" + log::json_members("no UTF-8: \xff", {}))["message"] ==
          "no UTF-8: \xef\xbf\xbd");
}

}  // namespace
}  // namespace freshet
