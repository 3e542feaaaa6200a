// Strangers who send anything, in any pieces, over several connections at once, to a real look-up server that
// has small limits, beside a client that behaves. Whatever they do: the one that behaves gets right answers at
// once, each stranger gets well-formed replies and an end, and no memory, connection or descriptor stays
// behind.
#define DOCTEST_CONFIG_IMPLEMENT
#include <fuzzer/FuzzedDataProvider.h>
#include <netinet/in.h>
#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "support/lookup_for_tests.hpp"

namespace {

using namespace freshet;
using namespace freshet::testing;

constexpr std::size_t kStrangers = 5;
constexpr int kMostActs = 100;
constexpr std::ptrdiff_t kMostKept = 1 << 20;  // by buffers that have grown, over a whole run

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "lookup_server_fuzz: %s\n", what.c_str());
    std::abort();
}

std::ptrdiff_t allocated() { return static_cast<std::ptrdiff_t>(__sanitizer_get_current_allocated_bytes()); }

std::ptrdiff_t descriptors() { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); }

std::string open_files() {
    std::string text;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        text +=
            "\n" + entry.path().filename().string() + " " + std::filesystem::read_symlink(entry, gone).string();
    }
    return text;
}

class House {
public:
    House() {
        context_.setAsDefaultForAssertsOutOfTestCases();
        fixture_.emplace();
        LookupOptions& options = fixture_->options;
        options.max_connections = kStrangers;  // the one that behaves is one of them
        options.max_request_bytes = 2000;
        options.max_entities = 20;
        options.max_pending_requests = 8;
        options.max_pending_entities = 30;
        options.max_unsent_bytes = 4000;
        options.most_unsent_bytes = 20'000;
        options.most_unsent_time = 50ms;
        options.max_commands = 100;
        options.redis_silence = 20s;  // a busy machine is no finding
        fixture_->store("spend", "a", {{kNoon, 5}});
        fixture_->store("pairs", "a|NL", {{kNoon, 7}});
        fixture_->store("now", "a", {{kNoon, 9}});
        fixture_->record_all(kNoon);
        known_.emplace(fixture_->port());
        check_answers();
    }

    std::uint16_t port() { return fixture_->port(); }

    void check_answers() {
        if (const std::string reply = (*known_)("FS.GET spend a FEATURES 1 spent_1h"); reply != "[5]")
            fail("the client that behaves was answered " + reply);
    }
    void check_nothing_is_left(std::ptrdiff_t open, std::ptrdiff_t before) {
        if (!becomes_true(
                [&] { return (*known_)("INFO").find("connected_clients:1\r\n") != std::string::npos; }))
            fail("connections stay behind");
        check_answers();  // a turn later, when what has closed is freed too
        if (!becomes_true([&] { return descriptors() <= open; }))
            fail("more than " + std::to_string(open) + " descriptors:" + open_files());
        if (!becomes_true([&] { return kept_ + allocated() - before < kMostKept; }))
            fail("memory stays behind: " + std::to_string(kept_ + allocated() - before) + " bytes");
        kept_ += allocated() - before;
    }

private:
    doctest::Context context_;
    std::optional<LookupFixture> fixture_;
    std::optional<TestClient> known_;
    std::ptrdiff_t kept_ = 0;
};

// AFTER may rightly take a minute.
bool asks_to_wait(std::string_view bytes) {
    constexpr std::string_view kWord = "after";
    return std::search(bytes.begin(), bytes.end(), kWord.begin(), kWord.end(), [](char a, char b) {
               return std::tolower(static_cast<unsigned char>(a)) == b;
           }) != bytes.end();
}

class Stranger {
public:
    explicit Stranger(std::uint16_t port)
        : socket_(::socket(AF_INET, SOCK_STREAM, 0)), replies_(redisReaderCreate()) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int small = 4096;
        setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        const timeval at_most{0, 500'000};
        setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &at_most, sizeof at_most);
        connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }
    ~Stranger() {
        ::close(socket_);
        redisReaderFree(replies_);
    }
    Stranger(const Stranger&) = delete;
    Stranger& operator=(const Stranger&) = delete;

    // After thousands of connections in a minute the machine may have no port left: no finding.
    bool connected() const { return connected_; }
    // What the server does not take at once is lost.
    void send(std::string_view bytes) {
        if (asks_to_wait(bytes)) return;
        (void)::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    void end_sending() { ::shutdown(socket_, SHUT_WR); }
    void reset_on_close() {
        const linger at_once{1, 0};
        setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    // Reads what is there; false when the connection has ended.
    bool read() {
        std::array<char, 4096> bytes;
        const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (count < 0 && errno == EAGAIN) return true;
        if (count <= 0) return false;
        if (speaks_resp3_) return true;
        redisReaderFeed(replies_, bytes.data(), static_cast<std::size_t>(count));
        for (void* reply = next_reply(); reply; reply = next_reply()) {
            if (refused_) fail("a reply after a protocol error");
            refused_ = text_of(*static_cast<redisReply*>(reply)).starts_with("-ERR Protocol error");
            freeReplyObject(reply);
        }
        return true;
    }
    // Until the server closes.
    void read_all() {
        end_sending();
        const auto ended = [&] {
            pollfd waiting{socket_, POLLIN, 0};
            ::poll(&waiting, 1, 1000);
            return !read();
        };
        if (!becomes_true(ended, 8s)) fail("a connection has no end");
    }

private:
    void* next_reply() {
        void* reply = nullptr;
        if (redisReaderGetReply(replies_, &reply) == REDIS_OK) return reply;
        // A map, which answers HELLO 3: beyond this reader.
        speaks_resp3_ = std::string_view(replies_->errstr).find("got \"%\"") != std::string_view::npos;
        if (!speaks_resp3_) fail(std::string("replies are no RESP: ") + replies_->errstr);
        return nullptr;
    }

    int socket_;
    redisReader* replies_;
    bool connected_ = false;
    bool refused_ = false;
    bool speaks_resp3_ = false;
};

const char* const kWords[] = {
    "FS.GET",  "FS.MGET",  "FS.VIEWS", "FS.STATUS", "FS.EXPLAIN", "PING",         "ECHO",
    "HELLO",   "CLIENT",   "INFO",     "COMMAND",   "CONFIG",     "SELECT",       "QUIT",
    "spend",   "pairs",    "now",      "strict",    "a",          "NL",           "FEATURES",
    "AT",      "META",     "1",        "2",         "20",         "-1",           "18446744073709551616",
    "0",       "spent_1h", "SETNAME",  "LIST",      "GET",        "payments_5m",  "1700000400000",
    "nowhere", "DOCS",     "AUTH",     "2000",      "",           "1699999999999"};

std::string request(FuzzedDataProvider& input) {
    const auto words = input.ConsumeIntegralInRange<int>(1, 8);
    const bool honest = input.ConsumeIntegralInRange<int>(0, 7) != 0;
    std::string text = "*" + std::to_string(honest ? words : input.ConsumeIntegral<int>()) + "\r\n";
    for (int i = 0; i < words; ++i) {
        const std::string word = input.ConsumeIntegralInRange<int>(0, 7) == 0
                                     ? input.ConsumeRandomLengthString(40)
                                     : input.PickValueInArray(kWords);
        const bool right = honest || input.ConsumeBool();
        text +=
            "$" +
            std::to_string(right ? static_cast<long long>(word.size()) : input.ConsumeIntegral<long long>()) +
            "\r\n" + word + "\r\n";
    }
    return text;
}

void act(FuzzedDataProvider& input, std::optional<Stranger>& stranger, std::uint16_t port) {
    if (!stranger) stranger.emplace(port);
    if (!stranger->connected()) return stranger.reset();
    switch (input.ConsumeIntegralInRange<int>(0, 8)) {
        case 0:
            return stranger->send(input.ConsumeRandomLengthString(200));
        case 1: {  // one piece of a request
            const std::string whole = request(input);
            return stranger->send(
                std::string_view(whole).substr(0, input.ConsumeIntegralInRange<std::size_t>(0, whole.size())));
        }
        case 2: {  // many at once
            const std::string one = request(input);
            std::string many;
            for (int left = input.ConsumeIntegralInRange<int>(1, 200); left > 0; --left) many += one;
            return stranger->send(many);
        }
        case 3: {  // about as long as a request may be, or far longer
            const auto size =
                input.ConsumeIntegralInRange<std::size_t>(1900, input.ConsumeBool() ? 2100 : 100'000);
            return stranger->send("*2\r\n$4\r\nECHO\r\n$" + std::to_string(size) + "\r\n" +
                                  std::string(size, 'x') + "\r\n");
        }
        case 4:
            stranger->read();
            return;
        case 5:
            return stranger->end_sending();
        case 6:
            if (input.ConsumeBool()) stranger->reset_on_close();
            return stranger.reset();
        default:
            return stranger->send(request(input));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static House house;
    const std::ptrdiff_t open = descriptors(), before = allocated();
    {
        FuzzedDataProvider input(data, size);
        std::array<std::optional<Stranger>, kStrangers> strangers;
        for (int acts = 0; acts < kMostActs && input.remaining_bytes() > 0; ++acts) {
            act(input, strangers[input.ConsumeIntegralInRange<std::size_t>(0, kStrangers - 1)], house.port());
            if (input.ConsumeIntegralInRange<int>(0, 3) == 0) house.check_answers();
        }
        house.check_answers();
        for (auto& stranger : strangers)
            if (stranger) stranger->read_all();
    }
    house.check_nothing_is_left(open, before);
    return 0;
}
