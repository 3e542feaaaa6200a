#include "io/http/http_message.hpp"

#include <openssl/evp.h>

#include <algorithm>

#include "io/sha256.hpp"

namespace freshet {

namespace {

std::string_view name_of(unsigned status) {
    switch (status) {
        case 200:
            return "OK";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 431:
            return "Request Header Fields Too Large";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        default:
            return "Error";
    }
}

// Of a name or value in a query.
std::optional<std::string> decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        const auto byte = from_hex(text.substr(i + 1, 2));
        if (!byte || byte->size() != 1) return std::nullopt;
        out += *byte;
        i += 2;
    }
    return out;
}

bool is_base64(std::string_view text) {
    const auto padding =
        text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    return padding == std::string_view::npos ||
           (text.size() - padding <= 2 && text.find_first_not_of('=', padding) == std::string_view::npos);
}

std::optional<std::string> from_base64(std::string_view text) {
    if (text.empty() || text.size() % 4 != 0 || !is_base64(text)) return std::nullopt;
    std::string bytes(text.size() / 4 * 3, '\0');
    const int size =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (size < 0) return std::nullopt;
    // Padding is decoded to zeros.
    bytes.resize(static_cast<std::size_t>(size) - static_cast<std::size_t>(std::ranges::count(text, '=')));
    return bytes;
}

}  // namespace

std::optional<std::string> HttpRequest::one(std::string_view name) const {
    const auto found = std::ranges::find(query, name, &std::pair<std::string, std::string>::first);
    return found == query.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> HttpRequest::all(std::string_view name) const {
    std::vector<std::string> values;
    for (const auto& [key, value] : query)
        if (key == name) values.push_back(value);
    return values;
}

std::string HttpResponse::bytes(bool with_body) const {
    std::string out = "HTTP/1.1 " + std::to_string(status) + " " + std::string(name_of(status)) + "\r\n";
    const auto header = [&](std::string_view name, std::string_view value) {
        out.append(name).append(": ").append(value).append("\r\n");
    };
    header("Content-Type", type);
    header("Content-Length", std::to_string(body.size()));
    header("Connection", "close");
    header("Cache-Control", "no-store");
    header("X-Content-Type-Options", "nosniff");
    header("Referrer-Policy", "no-referrer");
    header("Content-Security-Policy",
           "default-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'");
    for (const auto& [name, value] : headers) header(name, value);
    out += "\r\n";
    if (with_body) out += body;
    return out;
}

HttpResponse plain_text(unsigned status, std::string text) {
    return {status, "text/plain; charset=utf-8", std::move(text)};
}

std::optional<HttpRequest> parse_target(std::string_view target) {
    if (!target.starts_with('/')) return std::nullopt;
    const std::size_t mark = std::min(target.find('?'), target.size());
    HttpRequest request;
    request.path = target.substr(0, mark);
    for (std::size_t begin = mark + 1; begin < target.size();) {
        const std::size_t end = std::min(target.find('&', begin), target.size());
        const std::string_view pair = target.substr(begin, end - begin);
        begin = end + 1;
        if (pair.empty()) continue;
        const std::size_t equals = std::min(pair.find('='), pair.size());
        auto name = decoded(pair.substr(0, equals));
        auto value = decoded(pair.substr(std::min(equals + 1, pair.size())));
        if (!name || !value) return std::nullopt;
        request.query.emplace_back(*std::move(name), *std::move(value));
    }
    return request;
}

std::optional<Credentials> basic_credentials(std::string_view authorization) {
    constexpr std::string_view kBasic = "basic ";
    const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
    if (!std::ranges::equal(authorization.substr(0, kBasic.size()), kBasic, same)) return std::nullopt;
    const auto text = from_base64(authorization.substr(kBasic.size()));
    const std::size_t colon = text ? text->find(':') : std::string::npos;
    if (colon == std::string::npos) return std::nullopt;
    return Credentials{text->substr(0, colon), text->substr(colon + 1)};
}

}  // namespace freshet
