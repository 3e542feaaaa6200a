// What clients ask of any Redis: greetings, who they are, facts about the server.
#include <unistd.h>

#include <algorithm>

#include "io/lookup/lookup_commands.hpp"

namespace freshet {

namespace {

// A connection's name may hold no blanks, as in Redis: it stands in CLIENT LIST.
bool is_client_name(std::string_view name) {
    return std::ranges::all_of(name, [](char c) { return c >= '!' && c <= '~'; });
}

std::string unknown_subcommand(Arguments arguments) {
    return "unknown subcommand '" + shown(arguments.front()) + "'";
}

constexpr std::string_view kNoUsers = "no users are configured (lookup.users): connect without a password";

}  // namespace

void LookupCommands::ping(Arguments arguments, LookupSession& session) {
    RespWriter out = session.writer();
    arguments.empty() ? out.status("PONG") : out.bulk(arguments.front());
}

void LookupCommands::echo(Arguments arguments, LookupSession& session) {
    session.writer().bulk(arguments.front());
}

bool LookupCommands::authenticate(std::string_view name, std::string_view password, LookupSession& session) {
    if (shared_.access.open()) {
        error(session, "ERR", kNoUsers);
        return false;
    }
    const LookupAccess::Account* account = shared_.access.authenticate(name, password);
    if (!account) {
        error(session, "WRONGPASS", "there is no such user, or it has another password");
        return false;
    }
    session.account = account;
    return true;
}

void LookupCommands::who_are_you(LookupSession& session) {
    error(session, "NOAUTH", "authentication required: AUTH user password, or HELLO 3 AUTH user password");
}

void LookupCommands::hello(Arguments arguments, LookupSession& session) {
    if (!arguments.empty() && arguments.front() != "2" && arguments.front() != "3")
        return error(session, "NOPROTO", "unsupported protocol version");
    for (std::size_t i = 1; i < arguments.size();) {
        if (is_word(arguments[i], "SETNAME") && i + 1 < arguments.size() && is_client_name(arguments[i + 1])) {
            session.name = arguments[i + 1];
            i += 2;
        } else if (is_word(arguments[i], "AUTH") && i + 2 < arguments.size()) {
            if (!authenticate(arguments[i + 1], arguments[i + 2], session)) return;
            i += 3;
        } else {
            return error(session, "ERR", "syntax error in HELLO option '" + shown(arguments[i]) + "'");
        }
    }
    if (!shared_.access.open() && !session.account) return who_are_you(session);
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

void LookupCommands::auth(Arguments arguments, LookupSession& session) {
    const std::string_view name = arguments.size() == 2 ? arguments[0] : "default";
    if (authenticate(name, arguments.back(), session)) session.writer().status("OK");
}

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
                       "\r\nuptime_in_seconds:" + std::to_string(shared_.uptime().count()) +
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

}  // namespace freshet
