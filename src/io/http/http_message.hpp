// What a browser, Prometheus or a health check asks, and what it is answered (HTTP/1.1), apart from any
// connection.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet {

struct HttpRequest {
    std::string path;                                        // as sent, without the query
    std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
    std::string host;                                        // the header; a name and perhaps a port
    std::string authorization;                               // the header; empty: none

    // The first value of a name in the query; none: it is not there.
    std::optional<std::string> one(std::string_view name) const;
    std::vector<std::string> all(std::string_view name) const;
};

struct HttpResponse {
    unsigned status = 200;
    std::string type;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers = {};

    // With the headers that every response has; `with_body` is false for HEAD.
    std::string bytes(bool with_body) const;
};

HttpResponse plain_text(unsigned status, std::string text);

// Of a request's target, such as /api/lookup?view=a&entity=b%20c. None: it is not a path, or a % is not
// followed by two hexadecimal digits.
std::optional<HttpRequest> parse_target(std::string_view target);

struct Credentials {
    std::string user;
    std::string password;
};
// Of a header `Basic dXNlcjpwYXNz`. None: it is not one.
std::optional<Credentials> basic_credentials(std::string_view authorization);

}  // namespace freshet
