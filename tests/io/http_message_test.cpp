// Requests and responses of the status site, apart from any connection.
#include "io/http/http_message.hpp"

#include <doctest/doctest.h>

using namespace freshet;

TEST_CASE("a path and its query are told apart, and names may come several times") {
    const auto request = parse_target("/api/lookup?view=pairs&entity=card-17&entity=NL&flag&empty=");
    REQUIRE(request);
    CHECK(request->path == "/api/lookup");
    CHECK(request->one("view") == "pairs");
    CHECK(request->all("entity") == std::vector<std::string>{"card-17", "NL"});
    CHECK(request->one("flag") == "");
    CHECK(request->one("empty") == "");
    CHECK(!request->one("none"));
    CHECK(parse_target("/")->query.empty());
    CHECK(parse_target("/?")->query.empty());
}

TEST_CASE("names and values in a query are any bytes") {
    const auto request = parse_target("/?a%26b=x+y%20z%3D%00%ff%2B");
    REQUIRE(request);
    CHECK(request->one("a&b") == std::string("x y z=\0\xff+", 9));
}

TEST_CASE("what does not decode is no request") {
    for (const char* target : {"", "*", "http://a/", "/?a=%", "/?a=%2", "/?a=%zz", "/?%g0=1"}) {
        CAPTURE(target);
        CHECK(!parse_target(target));
    }
}

TEST_CASE("a user and its password are taken from a header; the password may hold colons") {
    const auto given = basic_credentials("Basic YWRtaW46YWxsOiBvZiBpdA==");
    REQUIRE(given);
    CHECK(given->user == "admin");
    CHECK(given->password == "all: of it");
    CHECK(basic_credentials("bAsIc YTpi")->password == "b");
    CHECK(basic_credentials("Basic Og==")->user.empty());
}

TEST_CASE("what holds no user is none") {
    for (const char* header : {"", "Basic", "Basic ", "Bearer YTpi", "Basic YQ==", "Basic YTp", "Basic Y===",
                               "Basic ====", "Basic YT=i", "Basic YTpi YTpi", "Basic \n\n\n\n", "BasicYTpi"}) {
        CAPTURE(header);
        CHECK(!basic_credentials(header));
    }
}

TEST_CASE("a response to HEAD has the length of the body, and no body") {
    const HttpResponse response{200, "text/plain", "hello"};
    CHECK(response.bytes(true).starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(response.bytes(true).ends_with("\r\n\r\nhello"));
    CHECK(response.bytes(false).ends_with("\r\n\r\n"));
    CHECK(response.bytes(false).find("Content-Length: 5\r\n") != std::string::npos);
    CHECK((HttpResponse{503, "text/plain", "no"})
              .bytes(true)
              .starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
}
