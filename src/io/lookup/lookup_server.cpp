#include "io/lookup/lookup_server.hpp"

#include <utility>

#include "io/asio.hpp"
#include "io/lookup/lookup_loop.hpp"

namespace freshet {

namespace {

using asio::ip::tcp;
using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

Error cannot_listen(const Endpoint& at, const asio::error_code& error) {
    return {Errc::unavailable, "cannot listen on " + at.text() + " (lookup.listen): " + error.message()};
}

Result<tcp::endpoint> resolve(asio::io_context& io, const Endpoint& at) {
    asio::error_code error;
    const auto found =
        tcp::resolver(io).resolve(at.host, std::to_string(at.port), tcp::resolver::passive, error);
    if (error) return cannot_listen(at, error);
    return found.begin()->endpoint();
}

// A listening socket; the caller owns it.
Result<int> listen_on(asio::io_context& io, const Endpoint& at, const tcp::endpoint& address, bool shared) {
    asio::error_code error;
    tcp::acceptor acceptor(io);
    acceptor.open(address.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && shared) acceptor.set_option(ReusePort(true), error);
    if (!error) acceptor.bind(address, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return cannot_listen(at, error);
    return acceptor.release();
}

// One socket a reader. Readers share the port, and so could a stranger: a first socket that does not share
// finds out.
Result<std::vector<int>> listen_for_all(asio::io_context& io, const Endpoint& at, int readers) {
    auto resolved = resolve(io, at);
    if (!resolved) return resolved.error();
    tcp::endpoint address = *resolved;
    if (readers > 1 && at.port != 0) {
        auto alone = listen_on(io, at, address, false);
        if (!alone) return alone.error();
        ::close(*alone);
    }
    std::vector<int> sockets;
    for (int i = 0; i < readers; ++i) {
        auto socket = listen_on(io, at, address, readers > 1);
        if (!socket) {
            for (const int open : sockets) ::close(open);
            return socket.error();
        }
        sockets.push_back(*socket);
        address = tcp::acceptor(io, address.protocol(), ::dup(*socket)).local_endpoint();
    }
    return sockets;
}

std::uint16_t port_of(int socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                               : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

}  // namespace

LookupOptions LookupOptions::from(const LookupConfig& config) {
    LookupOptions options;
    options.listen = {config.listen};
    options.users = config.users;
    options.tls = config.tls;
    options.readers = config.readers;
    options.cache_bytes = static_cast<std::size_t>(config.cache);
    options.max_connections = config.max_connections;
    options.max_request_bytes = static_cast<std::size_t>(config.max_request_bytes);
    options.max_entities = static_cast<std::size_t>(config.max_entities);
    return options;
}

struct LookupServer::Impl {
    Impl(LookupOptions options, Definitions definitions, RedisConfig redis,
         std::shared_ptr<ClusterTopology> cluster, std::shared_ptr<SentinelWatch> sentinels,
         LookupObserver& observer, StatusProvider status)
        : shared(std::move(options), std::move(definitions), std::move(redis), std::move(cluster),
                 std::move(sentinels), observer, std::move(status)) {}

    LookupShared shared;
    std::vector<std::unique_ptr<LookupLoop>> loops;
};

LookupServer::LookupServer(LookupOptions options, Definitions definitions, RedisConfig redis,
                           LookupObserver& observer, StatusProvider status,
                           std::shared_ptr<ClusterTopology> cluster, std::shared_ptr<SentinelWatch> sentinels)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(definitions), std::move(redis),
                                   std::move(cluster), std::move(sentinels), observer, std::move(status))) {}

LookupServer::~LookupServer() { stop(); }

Result<void> LookupServer::reload_certificates() {
    if (impl_->shared.options.tls.certificate.empty()) return {};
    auto loaded = TlsContext::load(impl_->shared.options.tls, "lookup.tls.");
    if (!loaded) return loaded.error();
    impl_->shared.tls = *loaded;
    return {};
}

Result<void> LookupServer::start() {
    const LookupOptions& options = impl_->shared.options;
    if (auto loaded = reload_certificates(); !loaded) return loaded;
    asio::io_context io;
    std::vector<std::vector<int>> by_reader(static_cast<std::size_t>(options.readers));
    for (const Endpoint& at : options.listen) {
        auto sockets = listen_for_all(io, at, options.readers);
        if (!sockets) {
            for (const auto& of_reader : by_reader)
                for (const int socket : of_reader) ::close(socket);
            return sockets.error();
        }
        impl_->shared.ports.push_back(port_of(sockets->front()));
        for (std::size_t i = 0; i < by_reader.size(); ++i) by_reader[i].push_back((*sockets)[i]);
    }
    for (const auto& sockets : by_reader)
        impl_->loops.push_back(std::make_unique<LookupLoop>(impl_->shared, sockets));
    for (const auto& loop : impl_->loops) loop->start(loop == impl_->loops.front());
    return {};
}

void LookupServer::stop() {
    for (const auto& loop : impl_->loops) loop->begin_stop();
    for (const auto& loop : impl_->loops) loop->join();
    impl_->loops.clear();
}

void LookupServer::ask(std::string user, std::vector<std::string> command,
                       std::function<void(std::string)> reply) {
    impl_->loops.front()->ask(std::move(user), std::move(command), std::move(reply));
}

LookupReport LookupServer::report(Timestamp now) const {
    const LookupShared& shared = impl_->shared;
    return {shared.options.version, shared.uptime(), shared.connections.load(), shared.requests.load(),
            shared.freshness.report(now)};
}

const std::vector<std::uint16_t>& LookupServer::ports() const { return impl_->shared.ports; }

}  // namespace freshet
