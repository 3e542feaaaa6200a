// The transcripts of docs/protocol.md, asked of a server and compared.
#include <doctest/doctest.h>

#include <fstream>

#include "support/lookup_for_tests.hpp"

namespace freshet::testing {
namespace {

struct Exchange {
    std::string command;
    std::vector<std::string> reply;  // lines, as redis-cli shows them
    bool raw;                        // as with its option --raw
};

// What is indented and begins with "> ", or with redis-cli in a shell.
std::vector<Exchange> transcripts_of(const std::string& path) {
    constexpr std::string_view kIndent = "    ";
    constexpr std::string_view kRaw = "--raw ";
    constexpr std::string_view kStarts[] = {"> ", "$ redis-cli -p 7600 "};
    std::ifstream file(path);
    REQUIRE(file);
    std::vector<Exchange> exchanges;
    bool within = false;
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(kIndent)) {
            within = false;
            continue;
        }
        line.erase(0, kIndent.size());
        bool starts = false;
        for (const std::string_view start : kStarts) {
            if (!line.starts_with(start)) continue;
            line.erase(0, start.size());
            const bool raw = line.starts_with(kRaw);
            exchanges.push_back({line.substr(raw ? kRaw.size() : 0), {}, raw});
            starts = within = true;
        }
        if (within && !starts) exchanges.back().reply.push_back(line);
    }
    return exchanges;
}

// Words between blanks; '...' is one word.
std::vector<std::string> words_of(const std::string& command) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < command.size();) {
        const bool quoted = command[at] == '\'';
        const std::size_t begin = at + (quoted ? 1 : 0);
        const std::size_t end = std::min(command.find(quoted ? '\'' : ' ', begin), command.size());
        words.push_back(command.substr(begin, end - begin));
        at = std::min(end + (quoted ? 2 : 1), command.size());
    }
    return words;
}

void show(const redisReply& reply, const std::string& prefix, std::string& out) {
    const std::string text = reply.type == REDIS_REPLY_ARRAY ? "" : text_of(reply);
    switch (reply.type) {
        case REDIS_REPLY_ARRAY: {
            const std::size_t width = std::to_string(reply.elements).size();
            for (std::size_t i = 0; i < static_cast<std::size_t>(reply.elements); ++i) {
                const std::string number = std::to_string(i + 1);
                out += (i > 0 ? prefix : "") + std::string(width - number.size(), ' ') + number + ") ";
                show(*reply.element[i], prefix + std::string(width + 2, ' '), out);
            }
            return;
        }
        case REDIS_REPLY_INTEGER:
            out += "(integer) " + text + "\n";
            return;
        case REDIS_REPLY_NIL:
            out += "(nil)\n";
            return;
        case REDIS_REPLY_ERROR:
            out += "(error) " + text.substr(1) + "\n";
            return;
        default:
            out += text + "\n";
    }
}

std::vector<std::string> ask(std::uint16_t port, const std::string& command, bool raw) {
    const std::unique_ptr<redisContext, decltype(&redisFree)> context(redisConnect("127.0.0.1", port),
                                                                      redisFree);
    REQUIRE(context->err == 0);
    const std::vector<std::string> words = words_of(command);
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const std::string& word : words) {
        texts.push_back(word.data());
        sizes.push_back(word.size());
    }
    auto* reply = static_cast<redisReply*>(
        redisCommandArgv(context.get(), static_cast<int>(words.size()), texts.data(), sizes.data()));
    REQUIRE(reply);
    std::string shown;
    show(*reply, "", shown);
    if (raw) shown = std::string(reply->str, static_cast<std::size_t>(reply->len)) + "\n";
    freeReplyObject(reply);
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < shown.size(); at = shown.find('\n', at) + 1)
        lines.push_back(shown.substr(at, shown.find('\n', at) - at));
    return lines;
}

// 412 in a transcript stands for any staleness.
bool agrees(std::string_view expected, std::string_view got) {
    constexpr std::string_view kAnyStaleness = "412";
    while (!expected.empty() || !got.empty()) {
        if (expected.starts_with(kAnyStaleness)) {
            const std::size_t digits = std::min(got.find_first_not_of("0123456789"), got.size());
            if (digits == 0) return false;
            expected.remove_prefix(kAnyStaleness.size());
            got.remove_prefix(digits);
            continue;
        }
        if (expected.empty() || got.empty() || expected.front() != got.front()) return false;
        expected.remove_prefix(1);
        got.remove_prefix(1);
    }
    return true;
}

// A line of "..." stands for any lines.
bool agrees(std::span<const std::string> expected, std::span<const std::string> got) {
    if (expected.empty()) return got.empty();
    if (expected.front() == "...") {
        for (std::size_t skipped = 0; skipped <= got.size(); ++skipped)
            if (agrees(expected.subspan(1), got.subspan(skipped))) return true;
        return false;
    }
    return !got.empty() && agrees(expected.front(), got.front()) && agrees(expected.subspan(1), got.subspan(1));
}

// The views and the payments that docs/protocol.md speaks of.
class DocumentedStore : public LookupFixture {
public:
    DocumentedStore() {
        options.max_record_age = 0ms;
        View spend = definitions.views[0];
        spend.features = {feature("payments_5m", Function::count, std::nullopt, 5min),
                          feature("mean_price_1h", Function::mean, 3, 1h),
                          feature("spent_1h", Function::sum, 2, 1h),
                          feature("last_country", Function::last, 1, 1h)};
        View pairs = definitions.views[1];
        pairs.freshness.max_staleness = 5s;
        definitions.views = {spend, pairs};
        definitions.services = {
            {"ranking", {{"spend", "last_country"}, {"pairs", "payments_5m"}, {"spend", "spent_1h"}}}};
        const std::vector<Payment> payments{
            {kNewest - 2min, 30, 12}, {kNewest - 1min, 40, 12.25}, {kNewest, 50, 12.5}};
        store("spend", "card-17", payments);
        store("pairs", "card-17|NL", payments);
    }

    // Renewed for each exchange, since the staleness is to be what it says.
    void renew_records() {
        const auto watermark = from_unix_ms(redis_ms() - 412);
        for (std::int32_t partition = 0; partition < 8; ++partition) {
            auto spend = progress("spend", kNewest, watermark);
            spend.next = Offset{41873};
            record(partition, 8, {{"spend", spend}, {"pairs", progress("pairs", kNewest, watermark)}});
        }
    }

private:
    static constexpr Timestamp kNewest = from_unix_ms(1'700'000'399'120);
};

TEST_CASE_FIXTURE(DocumentedStore, "docs/protocol.md shows what a server answers") {
    const auto exchanges = transcripts_of(FRESHET_SOURCE_DIR "/docs/protocol.md");
    CHECK(exchanges.size() >= 15);
    start();
    for (const Exchange& exchange : exchanges) {
        renew_records();
        const auto got = ask(port(), exchange.command, exchange.raw);
        std::string shown = exchange.command + " gave:\n";
        for (const std::string& line : got) shown += line + "\n";
        CHECK_MESSAGE(agrees(exchange.reply, got), shown);
    }
}

}  // namespace
}  // namespace freshet::testing
