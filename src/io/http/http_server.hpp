// A small HTTP/1.1 server, with TLS or without, on one thread of its own: GET and HEAD, one request a
// connection. What it serves is short, and nobody may hold it up: headers, connections and the time that each
// may take are bounded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "io/config/config.hpp"
#include "io/http/http_message.hpp"
#include "model/ids.hpp"
#include "model/result.hpp"

namespace freshet {

struct HttpLimits {
    std::size_t connections = 64;  // when there are more, the oldest gives way
    std::size_t header_bytes = 8192;
    Duration asking{10'000};    // until the request is there,
    Duration answering{5'000};  // until it is answered; then the answer is 504,
    Duration taking{10'000};    // until the client has taken the answer
};

class HttpServer {
public:
    // To be called once, from any thread, while there is the server; it need not run any more.
    using Respond = std::function<void(HttpResponse)>;
    // Called from the server's thread, which it must not hold up.
    using Handler = std::function<void(HttpRequest, Respond)>;

    explicit HttpServer(Handler handler, HttpLimits limits = {});
    ~HttpServer();

    // `section`: what the listening address and the files are of, for errors, such as `metrics`. The port that
    // was taken is returned.
    Result<std::uint16_t> start(const Endpoint& listen, const TlsConfig& tls, const std::string& section);
    // Calls `work` from the server's thread, again and again; before start().
    void every(Duration period, std::function<void()> work);
    // Reads the files of TLS again, for connections from now on. On failure the former ones stay.
    Result<void> reload_certificates();
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace freshet
