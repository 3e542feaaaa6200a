// The command line: what can be said, and what each word is for. The commands are in command_*.cpp.
#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>

#include "command_support.hpp"
#include "commands.hpp"

#ifndef FRESHET_VERSION
#define FRESHET_VERSION "0.1.0"
#endif

namespace {

using namespace freshet;

// What was chosen on the command line, to be run after it was read to its end.
using Action = std::function<int()>;

constexpr const char* kConfigHelp = "The configuration (YAML)";
constexpr const char* kEventsHelp = "The events, one JSON object a line; - for the standard input";
constexpr const char* kSourceHelp = "The source of plain events; needed where the configuration has several";
constexpr const char* kRecordsHelp =
    "The file holds records: {\"topic\", \"partition\", \"offset\", \"timestamp\", \"value\"} on each line";

CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& what,
                      const std::string& examples) {
    CLI::App* command = app.add_subcommand(name, what);
    command->footer("\nExamples:\n" + examples);
    return command;
}

void add_run(CLI::App& app, Action& action) {
    auto options = std::make_shared<RunOptions>();
    auto* command =
        add_command(app, "run", "Run a node until SIGTERM: keep features up to date, answer look-ups",
                    "  freshet run -c flights.yaml\n");
    command->add_option("-c,--config", options->config, kConfigHelp)->required()->type_name("FILE");
    command->callback([options, &action] { action = [options] { return command_run(*options); }; });
}

void add_demo(CLI::App& app, Action& action) {
    auto options = std::make_shared<DemoOptions>();
    auto* command = add_command(
        app, "demo", "Run a node with a Kafka and a Redis of its own, and replay a file of events into it",
        "  freshet demo -c examples/flights.yaml flights-20k.jsonl\n"
        "  freshet demo -c examples/flights.yaml flights-20k.jsonl --record-to recorded.jsonl --exit\n");
    command->add_option("-c,--config", options->config, kConfigHelp)->required()->type_name("FILE");
    command->add_option("events", options->events, kEventsHelp)->type_name("FILE");
    command->add_option("--source", options->source, kSourceHelp)->type_name("NAME");
    command->add_option("--record-to", options->record_to, "Write the events as Kafka holds them")
        ->type_name("FILE");
    command->add_flag("!--exit", options->stay, "End when all events are counted, rather than at SIGTERM");
    command->callback([options, &action] { action = [options] { return command_demo(*options); }; });
}

void add_check(CLI::App& app, Action& action) {
    auto options = std::make_shared<CheckOptions>();
    auto* command = add_command(app, "check", "Check a configuration; show what it means and what it costs",
                                "  freshet check -c flights.yaml\n"
                                "  freshet check -c flights.yaml --entities 1000000\n");
    command->add_option("-c,--config", options->config, kConfigHelp)->required()->type_name("FILE");
    command->add_option("--entities", options->entities, "Estimate Redis's memory for so many entities a view")
        ->type_name("N");
    command->add_flag("--json", options->json, "Print JSON");
    command->callback([options, &action] { action = [options] { return command_check(*options); }; });
}

void add_eval(CLI::App& app, Action& action) {
    auto options = std::make_shared<EvalOptions>();
    auto* command = add_command(
        app, "eval", "Compute features over a file of events, without Kafka or Redis",
        "  freshet eval -c flights.yaml flights-20k.jsonl --at clock --view route_delays\n"
        "  freshet eval -c orders.yaml --records recorded.jsonl --at 1700000000000 --at 1700003600000\n");
    command->add_option("-c,--config", options->config, kConfigHelp)->required()->type_name("FILE");
    command->add_option("events", options->events, kEventsHelp)->required()->type_name("FILE");
    command
        ->add_option("--at", options->at,
                     "When to read: unix ms, or clock for the newest event; may be repeated")
        ->required()
        ->take_all()
        ->expected(1)
        ->type_name("T");
    command->add_option("--view", options->views, "Only this view; may be repeated")
        ->take_all()
        ->expected(1)
        ->type_name("NAME");
    command->add_option("--source", options->source, kSourceHelp)->type_name("NAME");
    command->add_flag("--records", options->records, kRecordsHelp)->excludes("--source");
    command->callback([options, &action] { action = [options] { return command_eval(*options); }; });
}

void add_test(CLI::App& app, Action& action) {
    auto options = std::make_shared<TestOptions>();
    auto* command = add_command(app, "test", "Check features against what files of tests expect of them",
                                "  freshet test examples/flights_test.yaml\n"
                                "  freshet test tests/*.yaml --only \"a late departure counts\"\n");
    command->add_option("files", options->files, "Tests (YAML): events, and what the features are then")
        ->required()
        ->type_name("FILE...");
    command->add_option("--only", options->only, "Only the test of this name; may be repeated")
        ->take_all()
        ->expected(1)
        ->type_name("NAME");
    command->add_flag("--json", options->json, "Print a JSON object a test");
    command->callback([options, &action] { action = [options] { return command_test(*options); }; });
}

// Of a client of a node.
void add_tls(CLI::App* command, ClientTlsConfig& tls) {
    command->add_flag("--tls", tls.on, "Speak TLS; goes without saying where -c has lookup.tls");
    const auto add_file = [&](const std::string& name, std::string& path, const std::string& what) {
        command
            ->add_option_function<std::string>(
                name, [&](const std::string& given) { path = given, tls.on = true; }, what)
            ->type_name("FILE");
    };
    add_file("--ca", tls.ca, "Who vouches for the node's certificate (PEM); default: whom this system trusts");
    add_file("--certificate", tls.certificate, "Where the node asks for one (PEM)");
    add_file("--key", tls.key, "Of --certificate (PEM)");
    command->get_option("--certificate")->needs(command->get_option("--key"));
    command->get_option("--key")->needs(command->get_option("--certificate"));
    command
        ->add_option("--server-name", tls.server_name,
                     "That the node's certificate bears; default: the host of its address")
        ->type_name("NAME");
}

// Of get and status: where the node is.
void add_address(CLI::App* command, const std::shared_ptr<AskOptions>& options) {
    auto* config =
        command->add_option("-c,--config", options->config, "The node's configuration, for lookup.listen");
    config->type_name("FILE");
    command
        ->add_option("-a,--address", options->address, "The node's look-up address, instead of lookup.listen")
        ->type_name("HOST:PORT");
    command
        ->add_option("--user", options->user,
                     "A user of the node, where it has users; the password is taken from FRESHET_PASSWORD")
        ->type_name("NAME")
        ->default_str("default");
    add_tls(command, options->tls);
    command->add_flag("--json", options->json, "Print JSON");
}

void add_get(CLI::App& app, Action& action) {
    auto options = std::make_shared<AskOptions>();
    auto* command = add_command(app, "get", "Ask a node for the features of one entity",
                                "  freshet get -c flights.yaml origin_delays SAN\n"
                                "  freshet get -c flights.yaml route_delays SAN SJC --json\n"
                                "  freshet get -a 10.0.0.7:7600 balances -- -17\n");
    add_address(command, options);
    command->add_option("--at", options->at, "As of this time; default: the view's clock")
        ->type_name("UNIX_MS");
    command->add_option("view", options->view, "A feature view")->required()->type_name("VIEW");
    command
        ->add_option("entity", options->entities, "The entity: a value for each of the view's entity columns")
        ->required()
        ->type_name("COLUMN...");
    command->callback([options, &action] { action = [options] { return command_get(*options); }; });
}

void add_status(CLI::App& app, Action& action) {
    auto options = std::make_shared<AskOptions>();
    auto* command = add_command(app, "status", "Ask a node how it is: partitions, progress, freshness",
                                "  freshet status -c flights.yaml\n"
                                "  freshet status -a 127.0.0.1:7600 --json\n"
                                "  freshet status -a 127.0.0.1:7600 --watch 1\n");
    add_address(command, options);
    command->add_option("--watch", options->watch, "Ask again after so many seconds, until interrupted")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.1, 3600.0));
    command->callback([options, &action] { action = [options] { return command_status(*options); }; });
}

void add_replay(CLI::App& app, Action& action) {
    auto options = std::make_shared<ReplayOptions>();
    auto* command =
        add_command(app, "replay", "Write a file of events into a source's topic in Kafka",
                    "  freshet replay -c flights.yaml flights-20k.jsonl\n"
                    "  freshet replay -c orders.yaml --records recorded.jsonl --rate 5000\n"
                    "  freshet replay -c flights.yaml flights-20k.jsonl --record-to recorded.jsonl\n");
    command->add_option("-c,--config", options->config, kConfigHelp)->required()->type_name("FILE");
    command->add_option("events", options->events, kEventsHelp)->required()->type_name("FILE");
    command->add_option("--source", options->source, kSourceHelp)->type_name("NAME");
    command
        ->add_flag("--records", options->records,
                   std::string(kRecordsHelp) + "; partition, timestamp, key are kept")
        ->excludes("--source");
    command->add_option("--record-to", options->record_to, "Write what Kafka acknowledged, as records")
        ->type_name("FILE");
    command->add_option("--rate", options->rate, "Events a second; default: as fast as Kafka takes them")
        ->type_name("N");
    command->callback([options, &action] { action = [options] { return command_replay(*options); }; });
}

CLI::App* add_dlq_command(CLI::App& dlq, const std::shared_ptr<DlqOptions>& options, const std::string& name,
                          const std::string& what, const std::string& examples) {
    CLI::App* command = add_command(dlq, name, what, examples);
    command->add_option("-c,--config", options->config, kConfigHelp)->required()->type_name("FILE");
    command->add_option("--source", options->source, "Only letters of this source")->type_name("NAME");
    return command;
}

void add_dlq_replay(CLI::App& dlq, Action& action, const std::string& reason_help) {
    auto options = std::make_shared<DlqOptions>();
    auto* command = add_dlq_command(dlq, options, "replay",
                                    "Send the events of dead letters to their topics again, each once",
                                    "  freshet dlq replay -c flights.yaml --dry-run\n"
                                    "  freshet dlq replay -c flights.yaml --reason wrong_type --yes\n"
                                    "  freshet dlq replay -c flights.yaml --partition 0 --offset 17\n");
    command->add_option("--reason", options->reason, reason_help)->type_name("REASON");
    auto* partition = command->add_option("--partition", options->partition,
                                          "With --offset: only the letter at this place, as show tells it");
    auto* offset = command->add_option("--offset", options->offset, "See --partition");
    partition->needs(offset)->type_name("P");
    offset->needs(partition)->type_name("O");
    command->add_flag("--dry-run", options->dry_run, "Say what would be sent, and send nothing");
    command->add_flag("--yes", options->yes, "Do not ask; needed where nobody can answer");
    command->callback([options, &action] { action = [options] { return command_dlq_replay(*options); }; });
}

void add_dlq(CLI::App& app, Action& action) {
    const std::string reason_help = "Only letters of this reason, such as malformed or wrong_type";
    auto* dlq = add_command(app, "dlq", "List and show dead letters; send their events again",
                            "  freshet dlq list -c flights.yaml\n"
                            "  freshet dlq replay -c flights.yaml --reason wrong_type --yes\n");
    dlq->require_subcommand(1);

    auto of_list = std::make_shared<DlqOptions>();
    auto* list = add_dlq_command(*dlq, of_list, "list", "Count dead letters by topic and reason",
                                 "  freshet dlq list -c flights.yaml\n"
                                 "  freshet dlq list -c flights.yaml --source flights --json\n");
    list->add_flag("--json", of_list->json, "Print a JSON object a line");
    list->callback([of_list, &action] { action = [of_list] { return command_dlq_list(*of_list); }; });

    auto of_show = std::make_shared<DlqOptions>();
    auto* show = add_dlq_command(*dlq, of_show, "show", "Show dead letters: where from, why, and the bytes",
                                 "  freshet dlq show -c flights.yaml --reason malformed --limit 10\n"
                                 "  freshet dlq show -c flights.yaml --json\n");
    show->add_option("--reason", of_show->reason, reason_help)->type_name("REASON");
    show->add_option("--limit", of_show->limit, "At most so many, from the oldest")->type_name("N");
    show->add_flag("--json", of_show->json, "Print a JSON object a letter");
    show->callback([of_show, &action] { action = [of_show] { return command_dlq_show(*of_show); }; });

    add_dlq_replay(*dlq, action, reason_help);
}

void add_version(CLI::App& app, Action& action) {
    app.add_subcommand("version", "Print the version")->callback([&action] {
        action = [] {
            std::cout << "freshet " FRESHET_VERSION "\n";
            return kDone;
        };
    });
}

}  // namespace

// jemalloc reads this when the program starts: memory that is free goes back to the system within a second, not
// ten.
extern "C" const char* const malloc_conf = "dirty_decay_ms:1000,muzzy_decay_ms:0";

int main(int argc, char** argv) {
    CLI::App app{
        "Freshet: a streaming feature store. Events from Kafka, windows in Redis, look-ups over Redis's "
        "protocol."};
    app.name("freshet");
    app.require_subcommand(1);
    app.get_formatter()->column_width(32);
    app.footer(
        "\nExit status: 0 done, 1 failed, 2 the command line or the configuration is wrong.\n"
        "freshet COMMAND --help shows a command's options and examples.");
    Action action;
    add_run(app, action);
    add_demo(app, action);
    add_check(app, action);
    add_eval(app, action);
    add_test(app, action);
    add_get(app, action);
    add_status(app, action);
    add_replay(app, action);
    add_dlq(app, action);
    add_version(app, action);
    try {
        app.parse(argc, argv);
        return action();
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kDone : kUsage;
    } catch (const std::exception& error) {
        return failed({Errc::unavailable, error.what()}, kFailed);
    }
}
