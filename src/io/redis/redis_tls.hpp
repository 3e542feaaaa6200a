// TLS to Redis, the same for all connections of the process.
#pragma once

#include <memory>
#include <string>

#include "io/config/config.hpp"
#include "io/tls.hpp"
#include "model/result.hpp"

namespace freshet {

// For a connection that begins now; null where `config` asks for none. The files are read once, and again by
// reload_redis_tls(). Thread-safe, both.
Result<std::shared_ptr<TlsContext>> redis_tls(const ClientTlsConfig& config);
// For connections from now on. On failure the former files stay in use.
Result<void> reload_redis_tls();

// The client's end of a connection to the server of `config`; null for a plain one.
Result<std::unique_ptr<TlsStream>> redis_tls_stream(const RedisConfig& config);

// What is put behind the reason when a connection ends before the server's first answer. `silent`: it never
// came.
std::string hint_at_greeting(const RedisConfig& config, bool silent);

}  // namespace freshet
