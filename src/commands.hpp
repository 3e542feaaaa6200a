// The program's commands, one file each. Each returns the exit status: 0 done, 1 it failed (said on standard
// error), 2 the command line or the configuration is wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/config/config.hpp"

namespace freshet {

struct RunOptions {
    std::string config;
};
int command_run(const RunOptions& options);

struct DemoOptions {
    std::string config;
    std::string events;     // JSON lines, replayed into the source
    std::string source;     // may be empty when the config has one
    std::string record_to;  // the events as Kafka holds them, for an oracle; may be empty
    bool stay = true;       // until SIGTERM
};
int command_demo(const DemoOptions& options);

struct CheckOptions {
    std::string config;
    std::optional<std::uint64_t> entities;  // for the total in Redis
    bool json = false;
};
int command_check(const CheckOptions& options);

struct EvalOptions {
    std::string config;
    std::string events;
    std::string source;           // of plain events; may be empty when the config has one
    bool records = false;         // the file holds records (topic, partition, offset, timestamp, value)
    std::vector<std::string> at;  // unix ms, or "clock"
    std::vector<std::string> views;
};
int command_eval(const EvalOptions& options);

struct TestOptions {
    std::vector<std::string> files;
    std::vector<std::string> only;  // tests by name; empty: all
    bool json = false;
};
int command_test(const TestOptions& options);

struct ReplayOptions {
    std::string config;
    std::string events;
    std::string source;
    bool records = false;    // the file's partitions and timestamps are kept
    std::string record_to;   // what Kafka acknowledged, as records
    std::uint64_t rate = 0;  // events a second; 0: as fast as Kafka takes them
};
int command_replay(const ReplayOptions& options);

struct DlqOptions {
    std::string config;
    std::string source;  // empty: all
    std::string reason;  // empty: any
    bool json = false;   // of list and show
    std::optional<std::uint64_t> limit;
    std::optional<std::int32_t> partition;  // with the offset: one letter, to be replayed
    std::optional<std::int64_t> offset;
    bool dry_run = false;
    bool yes = false;
};
int command_dlq_list(const DlqOptions& options);
int command_dlq_show(const DlqOptions& options);
int command_dlq_replay(const DlqOptions& options);

struct AskOptions {
    std::string config;   // for lookup.listen; or
    std::string address;  // host:port
    std::string user;     // of the node's lookup.users, with $FRESHET_PASSWORD
    ClientTlsConfig tls;  // on also where the configuration has lookup.tls
    std::string view;     // of get
    std::vector<std::string> entities;
    std::optional<std::int64_t> at;
    double watch = 0;  // of status: again after so many seconds, until a signal; 0: once
    bool json = false;
};
int command_get(const AskOptions& options);
int command_status(const AskOptions& options);

}  // namespace freshet
