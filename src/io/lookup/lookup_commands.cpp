#include "io/lookup/lookup_commands.hpp"

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

// How many features of the view are incomplete now.
std::string told_incomplete(const ServedView& view, const LookupRouter::Overall& overall, Timestamp now) {
    const bool wall = view.plan.view().clock == View::Clock::wall;
    const auto at = wall ? std::optional(now) : overall.clock;
    std::size_t incomplete = 0;
    for (std::size_t f = 0; f < overall.since.size(); ++f) {
        const Duration hop = view.plan.resolutions()[view.plan.features()[f].resolution].hop;
        if (!is_complete(overall.since[f], at ? view.windows[f] : std::nullopt, hop, at.value_or(now)))
            ++incomplete;
    }
    if (incomplete == 0) return "";
    return ", incomplete: " + std::to_string(incomplete) + " of " + std::to_string(view.windows.size()) +
           " features";
}

}  // namespace

struct LookupCommands::Command {
    std::string_view name;  // in capitals
    std::size_t fewest;     // arguments, without the name
    std::size_t most;
    Handler handler;
    bool local = true;    // answered at once, without Redis
    bool anyone = false;  // also who has not told who it is
};

std::span<const LookupCommands::Command> LookupCommands::all() {
    static constexpr Command commands[] = {
        {"FS.GET", 0, kAny, &LookupCommands::fs_get, false},
        {"FS.MGET", 0, kAny, &LookupCommands::fs_mget, false},
        {"FS.VECTOR", 0, kAny, &LookupCommands::fs_vector, false},
        {"FS.VIEWS", 0, 1, &LookupCommands::fs_views},
        {"FS.SERVICES", 0, 1, &LookupCommands::fs_services},
        {"FS.FRESHNESS", 0, 2, &LookupCommands::fs_freshness, false},
        {"FS.STATUS", 0, 0, &LookupCommands::fs_status, false},
        {"FS.EXPLAIN", 0, kAny, &LookupCommands::fs_explain, false},
        {"PING", 0, 1, &LookupCommands::ping},
        {"ECHO", 1, 1, &LookupCommands::echo},
        {"HELLO", 0, kAny, &LookupCommands::hello, true, true},
        {"AUTH", 1, 2, &LookupCommands::auth, true, true},
        {"SELECT", 1, 1, &LookupCommands::select},
        {"CLIENT", 1, kAny, &LookupCommands::client},
        {"COMMAND", 0, kAny, &LookupCommands::command},
        {"INFO", 0, kAny, &LookupCommands::info},
        {"CONFIG", 1, kAny, &LookupCommands::config},
        {"QUIT", 0, kAny, &LookupCommands::quit, true, true},
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
    const bool known = shared_.access.open() || session.account;
    if (!known && !(command && command->anyone)) return who_are_you(session);
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
    if (request.encoding() != AnswerEncoding::resp) request.protocol = Resp::v3;
    if (!wrong) wrong = refused(request, session);
    session.enqueue(request);
    if (wrong) return engine_.fail(request, wrong->code, wrong->message);
    engine_.start(request);
}

std::optional<CommandError> LookupCommands::refused(const LookupRequest& request,
                                                    const LookupSession& session) const {
    const LookupAccess& access = shared_.access;
    if (access.open()) return std::nullopt;
    const std::string who = "user '" + session.account->name + "' ";
    const auto may_not = [&](const ServedView& view) {
        return CommandError{"NOPERM", who + "may not read view " + view.name()};
    };
    if (const ServedService* service = request.vector.service) {
        for (const ServedService::Part& part : service->parts)
            if (!access.may_read(session.account, *part.view)) return may_not(*part.view);
        return std::nullopt;
    }
    if (const ServedView* view = request.query.view)
        return access.may_read(session.account, *view) ? std::nullopt : std::optional(may_not(*view));
    if (access.may_read_all(session.account)) return std::nullopt;
    return CommandError{"NOPERM",
                        who + "may not read all views, of which " + std::string(request.command) + " tells"};
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
        std::vector<std::string_view> names;
        for (const auto& served : shared_.catalogue.views())
            if (shared_.access.may_read(session.account, *served)) names.push_back(served->name());
        return write_names(names, session);
    }
    const ServedView* view = shared_.catalogue.find(arguments.front());
    if (!view) return error(session, "NOVIEW", shared_.catalogue.no_view(arguments.front()));
    if (!shared_.access.may_read(session.account, *view)) return may_not_read(*view, session);
    RespWriter out = session.writer();
    write_view(*view, out);
}

void LookupCommands::fs_services(Arguments arguments, LookupSession& session) {
    const auto unreadable = [&](const ServedService& service) -> const ServedView* {
        for (const ServedService::Part& part : service.parts)
            if (!shared_.access.may_read(session.account, *part.view)) return part.view;
        return nullptr;
    };
    if (arguments.empty()) {
        std::vector<std::string_view> names;
        for (const ServedService& service : shared_.catalogue.services())
            if (!unreadable(service)) names.push_back(service.name);
        return write_names(names, session);
    }
    const ServedService* service = shared_.catalogue.find_service(arguments.front());
    if (!service) return error(session, "NOSERVICE", shared_.catalogue.no_service(arguments.front()));
    if (const ServedView* view = unreadable(*service)) return may_not_read(*view, session);
    RespWriter out = session.writer();
    write_service(*service, out);
}

void LookupCommands::write_names(std::span<const std::string_view> names, LookupSession& session) {
    RespWriter out = session.writer();
    out.array(names.size());
    for (const std::string_view name : names) out.bulk(name);
}

void LookupCommands::may_not_read(const ServedView& view, LookupSession& session) {
    error(session, "NOPERM", "user '" + session.account->name + "' may not read view " + view.name());
}

void LookupCommands::write_status(const LookupShared& shared, LookupEngine& engine, RespWriter& out) {
    std::vector<std::pair<std::string, std::string>> lines{
        {"version", shared.options.version},
        {"uptime_s", std::to_string(shared.uptime().count())},
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
                (overall.foreign.empty() ? "" : ", " + overall.foreign + " counted under another definition") +
                told_incomplete(*view, overall, router.redis_now(engine.now));
        }
        lines.emplace_back("view " + view->plan.id(), std::move(text));
    }
    const auto now = std::chrono::floor<Duration>(std::chrono::system_clock::now());
    for (auto& line : shared.freshness.lines(now)) lines.push_back(std::move(line));
    if (shared.status)
        for (auto& line : shared.status()) lines.push_back(std::move(line));
    out.pairs(lines.size());
    for (const auto& [name, value] : lines) {
        out.bulk(name);
        out.bulk(value);
    }
}

std::string client_line(const LookupSession& session) {
    return "id=" + std::to_string(session.id) + " addr=" + session.address + " name=" + session.name +
           " db=0 resp=" + std::to_string(static_cast<int>(session.protocol)) + "\n";
}

}  // namespace freshet
