#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "io/config/config_file.hpp"
#include "io/sha256.hpp"

using namespace freshet;

namespace {

const std::string kViews =
    "sources: {orders: {topic: orders, time: kafka, fields: {store: string}}}\n"
    "views: {store_a: {source: orders, entity: store, features: {n: {count: \"*\", window: 1h}}},\n"
    "        store_b: {source: orders, entity: store, features: {n: {count: \"*\", window: 1h}}},\n"
    "        rest: {source: orders, entity: store, features: {n: {count: \"*\", window: 1h}}}}\n";

Result<Config> read(const std::string& lookup, const std::string& file = "c.yaml") {
    return parse_config("lookup: " + lookup + "\n" + kViews, file);
}

std::vector<LookupUser> users(const std::string& list, const std::string& file = "c.yaml") {
    const auto config = read("{users: " + list + "}", file);
    if (!config) FAIL(config.error().message);
    return config->lookup.users;
}

std::string refusal(const std::string& lookup) {
    const auto config = read(lookup);
    return config ? "" : config.error().message;
}

}  // namespace

TEST_CASE("users have passwords and views, by name or by how names begin") {
    const std::string hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const std::vector<LookupUser> expected{{"default", sha256("abc"), {"store_a", "store_b", "rest"}},
                                           {"ranker", sha256("abc"), {"store_a", "store_b"}},
                                           {"fraud-model", sha256("pw"), {"rest"}}};
    CHECK(users("{default: {password: abc, views: \"*\"}, ranker: {password_sha256: \"" + hex +
                "\", views: [\"store_*\"]}, fraud-model: {password: pw, views: [rest]}}") == expected);
}

TEST_CASE("a password in a file is its first line; the path is relative to the configuration") {
    const auto folder = std::filesystem::temp_directory_path() / ("freshet-users-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "secret") << "from a file\nand more";
    const std::string file = (folder / "c.yaml").string();
    CHECK(users("{default: {password_file: secret, views: \"*\"}}", file)[0].password_sha256 ==
          sha256("from a file"));
    std::ofstream(folder / "secret", std::ios::trunc);
    const auto empty = read("{users: {default: {password_file: secret, views: \"*\"}}}", file);
    REQUIRE(!empty);
    CHECK(empty.error().message.ends_with("\"secret\" is empty; its first line is the password"));
    std::filesystem::remove_all(folder);
    const auto gone = read("{users: {default: {password_file: secret, views: \"*\"}}}", file);
    REQUIRE(!gone);
    CHECK(gone.error().message.ends_with("cannot be read; give its path, relative to this file"));
}

TEST_CASE("what is wrong with a user is told with its place") {
    const std::string how =
        "write one of password: \"${NAME}\", password_file: a path, password_sha256: 64 hex digits";
    CHECK(refusal("{users: {a: {views: \"*\"}}}") ==
          "c.yaml:1:18: lookup.users.a.password is wanted once; " + how);
    CHECK(refusal("{users: {a: {password: x, password_file: y, views: \"*\"}}}") ==
          "c.yaml:1:18: lookup.users.a.password is wanted once; " + how);
    CHECK(refusal("{users: {a: {password: \"\", views: \"*\"}}}") ==
          "c.yaml:1:18: lookup.users.a.password is empty; " + how);
    CHECK(refusal("{users: {a: {password_sha256: abcd, views: \"*\"}}}") ==
          "c.yaml:1:39: lookup.users.a.password_sha256 is no SHA-256; write 64 hex digits");
    CHECK(refusal("{users: {a: {password: x, views: [store_c]}}}") ==
          "c.yaml:1:43: lookup.users.a.views: unknown view \"store_c\"; did you mean \"store_a\"?");
    CHECK(refusal("{users: {a: {password: x}}}")
              .ends_with("has no \"views\"; add it, such as views: [\"*\"] for all of them"));
    CHECK(refusal("{users: {a: {pasword: x, views: \"*\"}}}").find("did you mean \"password\"?") !=
          std::string::npos);
    CHECK(refusal("{users: []}").ends_with("write a name and a colon before each user"));
}

TEST_CASE("beyond this machine look-ups want users, or to be called insecure") {
    for (const char* here : {"127.0.0.1:7600", "localhost:7600", "[::1]:7600", "127.9.9.9:7600"}) {
        CAPTURE(here);
        CHECK(refusal("{listen: \"" + std::string(here) + "\"}").empty());
    }
    CHECK(refusal("{listen: \"0.0.0.0:7600\"}") ==
          "c.yaml:1:18: lookup.listen: others than this machine could read everything at 0.0.0.0:7600; add "
          "`users:` to lookup, or `insecure: true` if the network is closed");
    CHECK(refusal("{listen: \"0.0.0.0:7600\", insecure: true}").empty());
    CHECK(refusal("{listen: \"feature.store:7600\", users: {default: {password: x, views: \"*\"}}}").empty());
    CHECK(refusal("{insecure: maybe}").find("lookup.insecure: unknown value \"maybe\"") != std::string::npos);
}

namespace {

Result<Config> read_metrics(const std::string& metrics, const std::string& lookup = "{}") {
    return parse_config("lookup: " + lookup + "\nmetrics: " + metrics + "\n" + kViews, "conf/c.yaml");
}

std::string refusal_of_metrics(const std::string& metrics) {
    const auto config = read_metrics(metrics);
    return config ? "" : config.error().message;
}

}  // namespace

TEST_CASE("the status page asks for users and speaks TLS where it is told to") {
    const auto config = read_metrics(
        "{listen: \"0.0.0.0:9464\", auth: true, insecure: true, tls: {certificate: node.pem, key: "
        "/etc/node.key}}",
        "{users: {default: {password: abc, views: \"*\"}}}");
    REQUIRE_MESSAGE(config, config.error().message);
    CHECK(config->metrics ==
          MetricsConfig{{"0.0.0.0", 9464}, true, true, {"conf/node.pem", "/etc/node.key", ""}});
}

TEST_CASE("what is wrong with the status page's options is told by its place") {
    CHECK(refusal_of_metrics("{auth: true}") ==
          "conf/c.yaml:2:17: metrics.auth: there are no users who could read /metrics; add `users:` to lookup");
    CHECK(refusal_of_metrics("{auth: maybe}") ==
          "conf/c.yaml:2:17: metrics.auth: unknown value \"maybe\"; there are: false, true");
    CHECK(refusal_of_metrics("{auht: true}") ==
          "conf/c.yaml:2:11: unknown key \"auht\"; did you mean \"auth\"? (in metrics)");
    CHECK(refusal_of_metrics("{tls: {certificate: a.pem}}") ==
          "conf/c.yaml:2:16: metrics.tls has no \"key\"; add it, such as key: node.key");
    CHECK(refusal_of_metrics("{tls: {certificate: a.pem, key: b, cert: c}}") ==
          "conf/c.yaml:2:45: unknown key \"cert\"; write \"certificate\" (in metrics.tls)");
    CHECK(refusal_of_metrics("{listen: \"9464\"}")
              .starts_with("conf/c.yaml:2:19: metrics.listen: \"9464\" is not an address"));
}

TEST_CASE("an address that only this machine reaches is told from others") {
    for (const char* host : {"127.0.0.1", "127.1.2.3", "localhost", "::1"})
        CHECK(Endpoint{host, 1}.on_this_machine());
    for (const char* host :
         {"", "0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example", "localhost.example", "128.0.0.1"}) {
        CAPTURE(host);
        CHECK(!Endpoint{host, 1}.on_this_machine());
    }
}
