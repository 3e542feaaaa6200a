#include "io/tls.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <new>
#include <utility>

namespace freshet {

namespace {

// What OpenSSL complained of first; later complaints only follow from it. 0: of nothing.
unsigned long first_complaint() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    return code;
}

std::string text_of(unsigned long complaint) {
    const char* const text = complaint == 0 ? nullptr : ERR_reason_error_string(complaint);
    return text ? text : "unknown reason";
}

Error bad_file(std::string_view key, const std::string& file) {
    return {Errc::invalid_argument,
            std::string(key) + ": '" + file + "' cannot be used: " + text_of(first_complaint())};
}

Result<void> use_certificate(SSL_CTX* context, std::string_view key, const std::string& certificate,
                             const std::string& private_key) {
    if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1)
        return bad_file(std::string(key) + "certificate", certificate);
    if (SSL_CTX_use_PrivateKey_file(context, private_key.c_str(), SSL_FILETYPE_PEM) != 1)
        return bad_file(std::string(key) + "key", private_key);
    return {};
}

// The caller owns it.
SSL_CTX* make_context(const SSL_METHOD* method) {
    SSL_CTX* const context = SSL_CTX_new(method);
    if (!context) throw std::bad_alloc();
    ERR_clear_error();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return context;
}

bool is_ip_address(const std::string& host) {
    in6_addr parsed;
    return inet_pton(AF_INET, host.c_str(), &parsed) == 1 || inet_pton(AF_INET6, host.c_str(), &parsed) == 1;
}

std::string rejection(long verdict, const std::string& server_name) {
    switch (verdict) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return "its certificate has expired, or one that vouches for it";
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return "its certificate is not valid yet; compare the clocks of the two machines";
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "its certificate does not bear the name " + server_name +
                   "; if it bears another that is right, write it as tls.server_name";
        default:
            return "nobody in tls.ca vouches for its certificate (" +
                   std::string(X509_verify_cert_error_string(verdict)) + ")";
    }
}

}  // namespace

void TlsContext::Free::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }

Result<std::shared_ptr<TlsContext>> TlsContext::load(const TlsConfig& config, std::string_view key) {
    auto made = std::make_shared<TlsContext>();
    made->context_.reset(make_context(TLS_server_method()));
    SSL_CTX* const context = made->get();
    if (auto used = use_certificate(context, key, config.certificate, config.key); !used) return used.error();
    if (config.client_ca.empty()) return made;
    if (SSL_CTX_load_verify_locations(context, config.client_ca.c_str(), nullptr) != 1)
        return bad_file(std::string(key) + "client_ca", config.client_ca);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    return made;
}

Result<std::shared_ptr<TlsContext>> TlsContext::load(const ClientTlsConfig& config, std::string_view key) {
    auto made = std::make_shared<TlsContext>();
    made->context_.reset(make_context(TLS_client_method()));
    SSL_CTX* const context = made->get();
    if (!config.certificate.empty())
        if (auto used = use_certificate(context, key, config.certificate, config.key); !used)
            return used.error();
    const bool trusts = config.ca.empty()
                            ? SSL_CTX_set_default_verify_paths(context) == 1
                            : SSL_CTX_load_verify_locations(context, config.ca.c_str(), nullptr) == 1;
    if (!trusts) return bad_file(std::string(key) + "ca", config.ca);
    SSL_CTX_set_verify(context, config.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
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

TlsStream::TlsStream(std::shared_ptr<TlsContext> context, const std::string& server_name)
    : TlsStream(std::move(context)) {
    server_name_ = server_name;
    SSL_set_connect_state(ssl_.get());
    if (is_ip_address(server_name)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), server_name.c_str());
    } else {
        SSL_set1_host(ssl_.get(), server_name.c_str());
        SSL_set_tlsext_host_name(ssl_.get(), server_name.c_str());
    }
    (void)shake_hands();  // so that the greeting is in outgoing()
}

void TlsStream::received(std::string_view encrypted) {
    BIO_write(SSL_get_rbio(ssl_.get()), encrypted.data(), static_cast<int>(encrypted.size()));
}

Error TlsStream::failure(int error) const {
    if (error == SSL_ERROR_ZERO_RETURN) return {Errc::unavailable, "ended by the peer"};
    const unsigned long complaint = first_complaint();
    const bool is_client = SSL_is_server(ssl_.get()) == 0;
    if (is_client && ERR_GET_REASON(complaint) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return {Errc::refused, rejection(SSL_get_verify_result(ssl_.get()), server_name_)};
    if (is_client && ERR_GET_REASON(complaint) == SSL_R_WRONG_VERSION_NUMBER)
        return {Errc::refused, "it does not speak TLS"};
    return {Errc::refused, "TLS: " + text_of(complaint)};
}

Result<bool> TlsStream::shake_hands() {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_.get());
    const int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), done);
    collect();
    if (done == 1) return true;
    if (error == SSL_ERROR_WANT_READ) return false;
    return failure(error);
}

Result<std::size_t> TlsStream::decrypt(std::span<char> room) {
    ERR_clear_error();
    const int bytes = SSL_read(ssl_.get(), room.data(), static_cast<int>(room.size()));
    const int error = bytes > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), bytes);
    if (error == SSL_ERROR_NONE || error == SSL_ERROR_WANT_READ) encrypt_early();
    collect();
    if (bytes > 0) return static_cast<std::size_t>(bytes);
    if (error == SSL_ERROR_WANT_READ) return std::size_t{0};
    return failure(error);
}

void TlsStream::encrypt_early() {
    if (early_.empty() || !SSL_is_init_finished(ssl_.get())) return;
    const std::string plain = std::exchange(early_, {});
    encrypt(plain);
}

std::size_t TlsStream::encrypt(std::string_view plain) {
    if (plain.empty()) return 0;
    if (!SSL_is_init_finished(ssl_.get())) {
        early_ += plain;
        return plain.size();
    }
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
