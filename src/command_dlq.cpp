#include <simdjson.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "command_support.hpp"
#include "commands.hpp"
#include "dlq_request.hpp"

namespace freshet {

namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

int finished() {
    std::cout.flush();
    if (!std::cout) return failed({Errc::unavailable, "the output cannot be written"}, kFailed);
    return kDone;
}

bool is_text(std::string_view bytes) {
    if (!simdjson::validate_utf8(bytes.data(), bytes.size())) return false;
    std::string without_breaks(bytes);
    std::erase_if(without_breaks, [](char c) { return c == '\n' || c == '\r' || c == '\t'; });
    return printable(without_breaks) == without_breaks;
}

std::string hex(std::string_view bytes) {
    std::string out;
    char digits[3];
    for (const char c : bytes) {
        std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(c));
        out += digits;
    }
    return out;
}

void put_bytes(Json& line, const std::string& name, const std::optional<std::string_view>& bytes) {
    if (!bytes) {
        line[name] = nullptr;
    } else if (is_text(*bytes)) {
        line[name] = *bytes;
    } else {
        line[name + "_hex"] = hex(*bytes);
    }
}

std::string shown(const std::optional<std::string_view>& bytes) {
    if (!bytes) return "none";
    return is_text(*bytes) ? printable(*bytes) : "hex " + hex(*bytes);
}

// What show prints of each letter.
class LetterPrinter {
public:
    LetterPrinter(const DlqRequest& request, const LetterBox& box, bool json)
        : request_(request), box_(box), json_(json) {}

    void print(const Letter& letter, const TopicRecord& record) const {
        if (json_) {
            print_json(letter, record);
        } else {
            print_text(letter, record);
        }
    }

private:
    void print_json(const Letter& letter, const TopicRecord& record) const {
        const LetterEvent& event = letter.event;
        Json line{{"letter", letter.place.text()},
                  {"letter_topic", box_.topic()},
                  {"written", unix_ms(letter.written)},
                  {"source", request_.source_of(event.origin.topic)},
                  {"topic", event.origin.topic},
                  {"partition", event.origin.id.value},
                  {"offset", event.offset.value},
                  {"timestamp", unix_ms(event.timestamp)},
                  {"reason", letter.reason},
                  {"message", letter.message},
                  {"view", letter.view.empty() ? Json(nullptr) : Json(letter.view)},
                  {"replayed", box_.ledger().replayed(event)}};
        put_bytes(line, "key", record.key);
        put_bytes(line, "value", record.value);
        std::cout << text_of(line) << "\n";
    }

    void print_text(const Letter& letter, const TopicRecord& record) const {
        const LetterEvent& event = letter.event;
        std::cout << printable(box_.topic()) << " " << letter.place.text() << "  " << printable(letter.reason)
                  << "  from " << printable(event.origin.topic) << " " << event.origin.id.value << ":"
                  << event.offset.value << "  " << utc_text(event.timestamp)
                  << (box_.ledger().replayed(event) ? "  replayed" : "") << "\n";
        if (!letter.view.empty()) std::cout << "  view   " << printable(letter.view) << "\n";
        std::cout << "  why    " << printable(letter.message) << "\n";
        if (record.key) std::cout << "  key    " << shown(record.key) << "\n";
        std::cout << "  value  " << shown(record.value) << "\n";
    }

    const DlqRequest& request_;
    const LetterBox& box_;
    const bool json_;
};

void list_json(const DlqRequest& request, const LetterBox& box) {
    for (const auto& [key, count] : box.ledger().counts(request.filter)) {
        const Json line{{"letter_topic", box.topic()},
                        {"source", request.source_of(key.first)},
                        {"topic", key.first},
                        {"reason", key.second},
                        {"letters", count.letters},
                        {"replayed", count.replayed},
                        {"first", unix_ms(count.first)},
                        {"last", unix_ms(count.last)}};
        std::cout << text_of(line) << "\n";
    }
}

void list_rows(const DlqRequest& request, const LetterBox& box, Rows& rows) {
    for (const auto& [key, count] : box.ledger().counts(request.filter))
        rows.push_back({printable(box.topic()), printable(key.first), printable(key.second),
                        std::to_string(count.letters), std::to_string(count.replayed), utc_text(count.first),
                        utc_text(count.last)});
}

// Prints up to `left` letters, and takes them off.
Result<void> show_box(const DlqRequest& request, LetterBox& box, bool json, std::uint64_t& left) {
    const LetterPrinter printer(request, box, json);
    return box.each(request.filter, [&](const Letter& letter, const TopicRecord& record) {
        printer.print(letter, record);
        return --left > 0 && std::cout.good();
    });
}

}  // namespace

int command_dlq_list(const DlqOptions& options) {
    const auto request = dlq_request(options);
    if (!request) return failed(request.error(), kUsage);
    Rows rows{{"DEAD LETTERS IN", "TOPIC", "REASON", "LETTERS", "REPLAYED", "FIRST", "LAST"}};
    for (const std::string& topic : (*request)->boxes()) {
        const auto box = LetterBox::open((*request)->kafka, topic);
        if (!box) return failed(box.error(), dlq_status(box.error()));
        warn_of_strange(**box);
        if (options.json) {
            list_json(**request, **box);
        } else {
            list_rows(**request, **box, rows);
        }
    }
    if (rows.size() > 1) {
        std::cout << table_of(rows);
    } else if (!options.json) {
        std::cout << "no dead letters\n";
    }
    return finished();
}

int command_dlq_show(const DlqOptions& options) {
    const auto request = dlq_request(options);
    if (!request) return failed(request.error(), kUsage);
    std::uint64_t left = options.limit.value_or(std::numeric_limits<std::uint64_t>::max());
    if (left == 0) return failed({Errc::invalid_argument, "--limit: write a number from 1"}, kUsage);
    for (const std::string& topic : (*request)->boxes()) {
        if (left == 0) break;
        const auto box = LetterBox::open((*request)->kafka, topic);
        if (!box) return failed(box.error(), dlq_status(box.error()));
        warn_of_strange(**box);
        if (auto shown = show_box(**request, **box, options.json, left); !shown)
            return failed(shown.error(), kFailed);
    }
    return finished();
}

}  // namespace freshet
