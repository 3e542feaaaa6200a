#include "resp_client.hpp"

#include <optional>
#include <utility>

#include "io/redis/resp_writer.hpp"

namespace freshet {

Result<std::unique_ptr<RespClient>> RespClient::connect(const Endpoint& address, Duration timeout,
                                                        std::unique_ptr<TlsStream> tls) {
    auto connected = BlockingSocket::connect(address, timeout);
    if (!connected)
        return Error{Errc::unavailable, "no node answers at " + address.text() + ": " +
                                            connected.error().message +
                                            "; is it running, and is lookup.listen this address?"};
    std::unique_ptr<RespClient> client(new RespClient(*std::move(connected), address.text()));
    if (!tls) return client;
    if (auto spoken = client->socket_.speak(std::move(tls)); !spoken)
        return client->failed(spoken.error().message + "; does it speak TLS (lookup.tls)?");
    return client;
}

Error RespClient::failed(const std::string& what) const {
    return {Errc::unavailable, "the node at " + address_ + ": " + what};
}

Result<void> RespClient::ask(const std::vector<std::string>& command, const Handle& handle) {
    std::string request;
    RespWriter writer(request);
    writer.array(command.size());
    for (const std::string& argument : command) writer.bulk(argument);
    if (auto sent = socket_.send(request); !sent) return failed(sent.error().message);

    std::optional<Error> refused;
    bool answered = false;
    while (!answered) {
        const auto received = socket_.receive(replies_.room());
        if (!received)
            return failed(received.error().message +
                          (heard_ ? "" : "; does it want TLS (--tls) or a certificate?"));
        const auto taken = replies_.received(*received, [&](const RedisAnswer& answer) {
            answered = true;
            if (answer.is_error()) {
                refused = Error{Errc::refused, std::string(answer.text)};
            } else {
                handle(answer);
            }
            return false;
        });
        if (!taken) return failed("it does not speak the look-up protocol: " + taken.error().message);
        heard_ = true;
    }
    if (refused) return *refused;
    return {};
}

}  // namespace freshet
