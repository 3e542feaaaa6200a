#include "io/lookup/lookup_commands.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>

#include "io/lookup/lookup_describe.hpp"
#include "io/redis/resp_writer.hpp"
#include "model/nearest_name.hpp"

namespace freshet {

namespace {

constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::int64_t uptime_seconds(const LookupShared& shared) {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - shared.started)
        .count();
}

// A connection's name may hold no blanks, as in Redis: it stands in CLIENT LIST.
bool is_client_name(std::string_view name) {
    return std::ranges::all_of(name, [](char c) { return c >= '!' && c <= '~'; });
}

std::string unknown_subcommand(Arguments arguments) {
    return "unknown subcommand '" + shown(arguments.front()) + "'";
}

constexpr std::string_view kNoPassword =
    "AUTH <password> called without any password configured for the default user. Are you sure your "
    "configuration "
    "is correct?";

}  // namespace

struct LookupCommands::Command {
    std::string_view name;  // in capitals
    std::size_t fewest;     // arguments, without the name
    std::size_t most;
    Handler handler;
    bool local = true;  // answered at once, without Redis
};

std::span<const LookupCommands::Command> LookupCommands::all() {
    static constexpr Command commands[] = {
        {"FS.GET", 0, kAny, &LookupCommands::fs_get, false},
        {"FS.MGET", 0, kAny, &LookupCommands::fs_mget, false},
        {"FS.VECTOR", 0, kAny, &LookupCommands::fs_vector, false},
        {"FS.VIEWS", 0, 1, &LookupCommands::fs_views},
        {"FS.FRESHNESS", 0, 2, &LookupCommands::fs_freshness, false},
        {"FS.STATUS", 0, 0, &LookupCommands::fs_status, false},
        {"FS.EXPLAIN", 0, kAny, &LookupCommands::fs_explain, false},
        {"PING", 0, 1, &LookupCommands::ping},
        {"ECHO", 1, 1, &LookupCommands::echo},
        {"HELLO", 0, kAny, &LookupCommands::hello},
        {"AUTH", 1, 2, &LookupCommands::auth},
        {"SELECT", 1, 1, &LookupCommands::select},
        {"CLIENT", 1, kAny, &LookupCommands::client},
        {"COMMAND", 0, kAny, &LookupCommands::command},
        {"INFO", 0, kAny, &LookupCommands::info},
        {"CONFIG", 1, kAny, &LookupCommands::config},
        {"QUIT", 0, kAny, &LookupCommands::quit},
    };
    return commands;
}

const LookupCommands::Command* LookupCommands::find(std::string_view name) {
    for (const Command& command : all())
        if (is_word(name, command.name)) return &command;
    return nullptr;
}

LookupCommands::LookupCommands(LookupShared& shared, LookupEngine& engine, ClientLister list_clients)
    : shared_(shared), engine_(engine), list_clients_(std::move(list_clients)) {}

void LookupCommands::execute(Arguments arguments, LookupSession& session) {
    shared_.requests.fetch_add(1, std::memory_order_relaxed);
    const Command* command = find(arguments.front());
    if (!command) return unknown(arguments, session);
    const Arguments rest = arguments.subspan(1);
    if (rest.size() < command->fewest || rest.size() > command->most)
        return error(session, "ERR", "wrong number of arguments for '" + lower(command->name) + "' command");
    (this->*command->handler)(rest, session);
    if (command->local) shared_.observer.answered(command->name, engine_.spent(), 0);
}

void LookupCommands::error(LookupSession& session, std::string_view code, std::string_view message) {
    engine_.count_error(code);
    session.writer().error(code, message);
}

void LookupCommands::unknown(Arguments arguments, LookupSession& session) {
    std::vector<std::string> known;
    for (const Command& command : all()) known.emplace_back(command.name);
    std::string message = "unknown command '" + shown(arguments.front()) + "'";
    if (const std::string nearest = nearest_name(arguments.front(), known); !nearest.empty())
        message += "; did you mean " + nearest + "?";
    error(session, "ERR", message);
}

void LookupCommands::look_up(LookupRequest::Kind kind, std::string_view name, Arguments arguments,
                             LookupSession& session) {
    LookupRequest& request = engine_.take();
    request.kind = kind;
    request.command = name;
    request.protocol = session.protocol;
    std::optional<CommandError> wrong;
    if (kind == LookupRequest::Kind::get) {
        wrong = parse_get(arguments, engine_.catalogue(), request.query);
    } else if (kind == LookupRequest::Kind::mget) {
        wrong = parse_mget(arguments, engine_.catalogue(), shared_.options.max_entities, request.query);
    } else if (kind == LookupRequest::Kind::vector) {
        wrong = parse_vector(arguments, engine_.catalogue(), shared_.options.max_entities, request.vector);
    } else if (kind == LookupRequest::Kind::explain) {
        wrong = parse_explain(arguments, engine_.catalogue(), request.query);
    } else if (kind == LookupRequest::Kind::freshness) {
        wrong = parse_freshness(arguments, engine_.catalogue(), request.query);
    }
    session.enqueue(request);
    if (wrong) return engine_.fail(request, wrong->code, wrong->message);
    engine_.start(request);
}

void LookupCommands::fs_get(Arguments arguments, LookupSession& session) {
    look_up(LookupRequest::Kind::get, "FS.GET", arguments, session);
}

void LookupCommands::fs_mget(Arguments arguments, LookupSession& session) {
    look_up(LookupRequest::Kind::mget, "FS.MGET", arguments, session);
}

void LookupCommands::fs_vector(Arguments arguments, LookupSession& session) {
    look_up(LookupRequest::Kind::vector, "FS.VECTOR", arguments, session);
}

void LookupCommands::fs_explain(Arguments arguments, LookupSession& session) {
    look_up(LookupRequest::Kind::explain, "FS.EXPLAIN", arguments, session);
}

void LookupCommands::fs_freshness(Arguments arguments, LookupSession& session) {
    look_up(LookupRequest::Kind::freshness, "FS.FRESHNESS", arguments, session);
}

void LookupCommands::fs_status(Arguments arguments, LookupSession& session) {
    look_up(LookupRequest::Kind::status, "FS.STATUS", arguments, session);
}

void LookupCommands::fs_views(Arguments arguments, LookupSession& session) {
    if (arguments.empty()) {
        RespWriter out = session.writer();
        return write_view_names(shared_.catalogue, out);
    }
    const ServedView* view = shared_.catalogue.find(arguments.front());
    if (!view) return error(session, "NOVIEW", shared_.catalogue.no_view(arguments.front()));
    RespWriter out = session.writer();
    write_view(*view, out);
}

void LookupCommands::write_status(const LookupShared& shared, LookupEngine& engine, RespWriter& out) {
    std::vector<std::pair<std::string, std::string>> lines{
        {"version", shared.options.version},
        {"uptime_s", std::to_string(uptime_seconds(shared))},
        {"readers", std::to_string(shared.options.readers)},
        {"clients", std::to_string(shared.connections.load())},
        {"requests", std::to_string(shared.requests.load())},
        {"second_steps", std::to_string(shared.second_steps.load())},
        {"redis", engine.router().connections()},
    };
    for (const auto& view : shared.catalogue.views()) {
        std::string text = "not known";
        const LookupRouter& router = engine.router();
        const LookupRouter::Overall overall = router.overall(*view);
        if (!overall.trouble.empty()) {
            text = overall.trouble;
        } else if (overall.settled) {
            ReadMoment moment{{}, overall.watermark, {}, router.redis_now(engine.now)};
            const auto staleness = moment.staleness();
            text =
                std::to_string(router.primaries().front()->progress.partitions(view->topic).size()) +
                " partitions, " +
                (staleness ? std::to_string(staleness->count()) + " ms behind" : "staleness not known") +
                (overall.foreign.empty() ? "" : ", " + overall.foreign + " counted under another definition");
        }
        lines.emplace_back("view " + view->plan.id(), std::move(text));
    }
    if (shared.status)
        for (auto& line : shared.status()) lines.push_back(std::move(line));
    out.pairs(lines.size());
    for (const auto& [name, value] : lines) {
        out.bulk(name);
        out.bulk(value);
    }
}

void LookupCommands::ping(Arguments arguments, LookupSession& session) {
    RespWriter out = session.writer();
    arguments.empty() ? out.status("PONG") : out.bulk(arguments.front());
}

void LookupCommands::echo(Arguments arguments, LookupSession& session) {
    session.writer().bulk(arguments.front());
}

void LookupCommands::hello(Arguments arguments, LookupSession& session) {
    if (!arguments.empty() && arguments.front() != "2" && arguments.front() != "3")
        return error(session, "NOPROTO", "unsupported protocol version");
    for (std::size_t i = 1; i < arguments.size();) {
        if (is_word(arguments[i], "SETNAME") && i + 1 < arguments.size() && is_client_name(arguments[i + 1])) {
            session.name = arguments[i + 1];
            i += 2;
        } else if (is_word(arguments[i], "AUTH")) {
            return error(session, "ERR", kNoPassword);
        } else {
            return error(session, "ERR", "syntax error in HELLO option '" + shown(arguments[i]) + "'");
        }
    }
    if (!arguments.empty()) session.protocol = arguments.front() == "3" ? Resp::v3 : Resp::v2;
    RespWriter out = session.writer();
    out.pairs(7);
    out.bulk("server");
    out.bulk("freshet");
    out.bulk("version");
    out.bulk(shared_.options.version);
    out.bulk("proto");
    out.integer(static_cast<std::int64_t>(session.protocol));
    out.bulk("id");
    out.integer(static_cast<std::int64_t>(session.id));
    out.bulk("mode");
    out.bulk("standalone");
    out.bulk("role");
    out.bulk("master");
    out.bulk("modules");
    out.array(0);
}

void LookupCommands::auth(Arguments, LookupSession& session) { error(session, "ERR", kNoPassword); }

void LookupCommands::select(Arguments arguments, LookupSession& session) {
    if (arguments.front() == "0") return session.writer().status("OK");
    const bool number = whole_number(arguments.front()).has_value();
    error(session, "ERR", number ? "DB index is out of range" : "value is not an integer or out of range");
}

void LookupCommands::client(Arguments arguments, LookupSession& session) {
    const std::string_view word = arguments.front();
    if (is_word(word, "SETNAME") && arguments.size() == 2) {
        if (!is_client_name(arguments[1]))
            return error(session, "ERR", "Client names cannot contain spaces, newlines or special characters.");
        session.name = arguments[1];
        return session.writer().status("OK");
    }
    RespWriter out = session.writer();
    if (is_word(word, "GETNAME") && arguments.size() == 1) {
        session.name.empty() ? out.null() : out.bulk(session.name);
    } else if (is_word(word, "SETINFO") && arguments.size() == 3) {
        out.status("OK");
    } else if (is_word(word, "ID") && arguments.size() == 1) {
        out.integer(static_cast<std::int64_t>(session.id));
    } else if (is_word(word, "INFO") && arguments.size() == 1) {
        out.bulk(client_line(session));
    } else if (is_word(word, "LIST")) {
        std::string lines;
        list_clients_(lines);
        out.bulk(lines);
    } else {
        engine_.count_error("ERR");
        out.error("ERR", unknown_subcommand(arguments));
    }
}

void LookupCommands::command(Arguments arguments, LookupSession& session) {
    RespWriter out = session.writer();
    if (!arguments.empty() && is_word(arguments.front(), "COUNT")) return out.integer(0);
    const bool by_name = !arguments.empty() && is_word(arguments.front(), "DOCS");
    by_name ? out.pairs(0) : out.array(0);
}

void LookupCommands::info(Arguments, LookupSession& session) {
    std::string text = "# Server\r\nfreshet_version:" + shared_.options.version +
                       "\r\nprocess_id:" + std::to_string(getpid()) +
                       "\r\ntcp_port:" + std::to_string(shared_.ports.empty() ? 0 : shared_.ports.front()) +
                       "\r\nuptime_in_seconds:" + std::to_string(uptime_seconds(shared_)) +
                       "\r\nredis_mode:standalone\r\n\r\n# Clients\r\nconnected_clients:" +
                       std::to_string(shared_.connections.load()) +
                       "\r\nmaxclients:" + std::to_string(shared_.options.max_connections) +
                       "\r\n\r\n# Persistence\r\nloading:0\r\n\r\n# Stats\r\ntotal_connections_received:" +
                       std::to_string(shared_.connections_ever.load()) +
                       "\r\ntotal_commands_processed:" + std::to_string(shared_.requests.load()) +
                       "\r\nsecond_steps:" + std::to_string(shared_.second_steps.load()) +
                       "\r\n\r\n# Replication\r\nrole:master\r\n";
    session.writer().bulk(text);
}

void LookupCommands::config(Arguments arguments, LookupSession& session) {
    if (!is_word(arguments.front(), "GET")) return error(session, "ERR", unknown_subcommand(arguments));
    session.writer().pairs(0);
}

void LookupCommands::quit(Arguments, LookupSession& session) {
    session.writer().status("OK");
    session.quit();
}

std::string client_line(const LookupSession& session) {
    return "id=" + std::to_string(session.id) + " addr=" + session.address + " name=" + session.name +
           " db=0 resp=" + std::to_string(static_cast<int>(session.protocol)) + "\n";
}

}  // namespace freshet
