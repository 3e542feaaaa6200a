// What several commands share: exit statuses, errors on standard error, names looked up with a hint, tables and
// JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "io/config/config.hpp"
#include "io/kafka/kafka_settings.hpp"
#include "model/accumulator.hpp"
#include "model/definition.hpp"
#include "model/result.hpp"
#include "resp_client.hpp"

namespace freshet {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;  // the command line or the configuration is wrong

// Says so on standard error and returns `status`.
int failed(const Error& error, int status);

Error unknown_view(const Definitions& definitions, const std::string& name);
// The source called `name`; the only one when it is empty.
Result<const Source*> choose_source(const Definitions& definitions, const std::string& name);
// That of a dead letter; empty stands for any.
Result<void> check_reason(const std::string& name);
// For a program beside the nodes; an error with an embedded Kafka, which no other program reaches. `path`: of
// the configuration.
Result<KafkaSettings> outside_settings(const std::string& path, const Config& config);

// The node that get and status ask.
constexpr Duration kAskTimeout{5000};
struct AskTarget {
    std::optional<Config> config;  // where one was given
    Endpoint address;
};
Result<AskTarget> find_node(const AskOptions& options);
// A connection to it, and who asks told where FRESHET_PASSWORD is set.
Result<std::unique_ptr<RespClient>> connect_to(const AskTarget& target, const AskOptions& options);

nlohmann::ordered_json json_of(const Scalar& value);
// In one line; bytes that are not UTF-8 are replaced.
std::string text_of(const nlohmann::ordered_json& json);
// The same, for people: "-" for null, and strings without quotes.
std::string shown_value(const nlohmann::ordered_json& json);

// For a terminal: control characters, and bytes that are not UTF-8, as \\xNN.
std::string printable(std::string_view bytes);

// Columns as wide as their widest cell, two blanks between them; each row ends its line.
std::string table_of(const std::vector<std::vector<std::string>>& rows);
// 2024-05-01T10:00:00.250Z
std::string utc_text(Timestamp time);

}  // namespace freshet
