#include "io/lookup/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <new>

namespace freshet {

namespace {

// What OpenSSL complained of first, in its words; later complaints only follow from it.
std::string reason() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* const text = code == 0 ? nullptr : ERR_reason_error_string(code);
    return text ? text : "unknown reason";
}

Error bad_file(std::string_view section, std::string_view key, const std::string& file) {
    return {Errc::invalid_argument,
            std::string(section) + "." + std::string(key) + ": '" + file + "' cannot be used: " + reason()};
}

}  // namespace

void TlsContext::Free::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }

Result<std::shared_ptr<TlsContext>> TlsContext::load(const TlsConfig& config, std::string_view section) {
    auto made = std::make_shared<TlsContext>();
    made->context_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX* const context = made->get();
    if (!context) throw std::bad_alloc();
    ERR_clear_error();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_use_certificate_chain_file(context, config.certificate.c_str()) != 1)
        return bad_file(section, "certificate", config.certificate);
    if (SSL_CTX_use_PrivateKey_file(context, config.key.c_str(), SSL_FILETYPE_PEM) != 1)
        return bad_file(section, "key", config.key);
    if (config.client_ca.empty()) return made;
    if (SSL_CTX_load_verify_locations(context, config.client_ca.c_str(), nullptr) != 1)
        return bad_file(section, "client_ca", config.client_ca);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    return made;
}

void TlsStream::Free::operator()(SSL* ssl) const { SSL_free(ssl); }

TlsStream::TlsStream(std::shared_ptr<TlsContext> context)
    : context_(std::move(context)), ssl_(SSL_new(context_->get())) {
    BIO* const in = BIO_new(BIO_s_mem());
    BIO* const out = BIO_new(BIO_s_mem());
    if (!ssl_ || !in || !out) throw std::bad_alloc();
    SSL_set_bio(ssl_.get(), in, out);
    SSL_set_accept_state(ssl_.get());
}

void TlsStream::received(std::string_view encrypted) {
    BIO_write(SSL_get_rbio(ssl_.get()), encrypted.data(), static_cast<int>(encrypted.size()));
}

Result<std::size_t> TlsStream::decrypt(std::span<char> room) {
    ERR_clear_error();
    const int bytes = SSL_read(ssl_.get(), room.data(), static_cast<int>(room.size()));
    const int error = bytes > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), bytes);
    collect();
    if (bytes > 0) return static_cast<std::size_t>(bytes);
    if (error == SSL_ERROR_WANT_READ) return std::size_t{0};
    if (error == SSL_ERROR_ZERO_RETURN) return Error{Errc::unavailable, "ended by the peer"};
    return Error{Errc::unavailable, "TLS: " + reason()};
}

std::size_t TlsStream::encrypt(std::string_view plain) {
    if (plain.empty() || !SSL_is_init_finished(ssl_.get())) return 0;
    ERR_clear_error();
    const int taken =
        SSL_write(ssl_.get(), plain.data(), static_cast<int>(std::min(plain.size(), std::size_t{1} << 30)));
    collect();
    return taken > 0 ? static_cast<std::size_t>(taken) : 0;
}

void TlsStream::end() {
    if (!SSL_is_init_finished(ssl_.get())) return;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    collect();
}

void TlsStream::sent(std::size_t bytes) {
    sent_ += bytes;
    if (sent_ < outgoing_.size()) return;
    outgoing_.clear();
    sent_ = 0;
}

void TlsStream::collect() {
    BIO* const out = SSL_get_wbio(ssl_.get());
    char* bytes = nullptr;
    const long count = BIO_get_mem_data(out, &bytes);
    if (count <= 0) return;
    outgoing_.append(bytes, static_cast<std::size_t>(count));
    (void)BIO_reset(out);
}

}  // namespace freshet
