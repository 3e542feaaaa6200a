#include "io/status/status_site.hpp"

#include <algorithm>
#include <functional>
#include <mutex>
#include <utility>

#include "io/http/http_server.hpp"
#include "io/lookup/lookup_access.hpp"
#include "io/status/status_files.hpp"
#include "io/status/status_json.hpp"

namespace freshet {

namespace {

constexpr Duration kSampled{2'000};
constexpr std::size_t kSamples = 150;  // five minutes

constexpr std::string_view kValuesOff =
    "metrics.listen can be reached by others than this machine, so values of entities are given to users only; "
    "add `users:` to lookup, or `insecure: true` to metrics if the network is closed";

Timestamp now() { return std::chrono::floor<Duration>(std::chrono::system_clock::now()); }

HttpResponse who_are_you() {
    HttpResponse response = plain_text(401, "a user of lookup.users and its password are wanted\n");
    response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"freshet\", charset=\"UTF-8\"");
    return response;
}

std::string_view type_of(std::string_view file) {
    if (file.ends_with(".css")) return "text/css; charset=utf-8";
    if (file.ends_with(".js")) return "text/javascript; charset=utf-8";
    return "text/html; charset=utf-8";
}

std::optional<HttpResponse> file_at(std::string_view path) {
    const std::string_view name = path == "/" ? "index.html" : path.substr(1);
    const auto found = std::ranges::find(status_files(), name, &StatusFile::name);
    if (found == status_files().end()) return std::nullopt;
    return HttpResponse{200, std::string(type_of(name)), std::string(found->content)};
}

std::string how_to_ask(const ServedView& view, bool explain) {
    std::string how = "ask by ?view=" + view.name();
    for (const std::size_t column : view.plan.view().entity)
        how += "&entity=<" + view.source.fields[column].name + ">";
    return how + (explain ? "&feature=<name>" : "");
}

// Of a header Host. A page elsewhere whose name was made to lead here names itself.
bool names_this_machine(std::string_view host) {
    const std::size_t colon = host.rfind(':');
    if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos)
        host = host.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    return Endpoint{std::string(host), 0}.on_this_machine();
}

}  // namespace

struct StatusSite::Impl {
    using Respond = HttpServer::Respond;
    using Account = LookupAccess::Account;

    Impl(const Config& config, std::string node_name, Metrics& of, const NodeStatus& status)
        : settings(config.metrics),
          definitions(config.definitions),
          roles(config.roles),
          node(std::move(node_name)),
          metrics(of),
          partitions(status),
          catalogue(config.definitions),
          access(config.lookup.users, catalogue) {}

    void answer(const HttpRequest& request, const Respond& respond);
    // For whom access.open() is not; null where it is.
    void answer(const HttpRequest& request, const Account* account, const Respond& respond);
    HttpResponse readiness() const;
    HttpResponse status(const Account* account) const;
    bool gives_values() const {
        return !access.open() || settings.listen.on_this_machine() || settings.insecure;
    }
    // Why this request is given no values; none: it is.
    std::optional<HttpResponse> refused(const HttpRequest& request) const;
    void look_up(const HttpRequest& request, const Account* account, const Respond& respond);
    NodeReport report() const;

    const MetricsConfig settings;
    const Definitions definitions;
    const Roles roles;
    const std::string node;
    Metrics& metrics;
    const NodeStatus& partitions;
    const LookupCatalogue catalogue;
    const LookupAccess access;
    const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
    ActivityHistory activity{kSamples};  // of the server's thread

    mutable std::mutex mutex;
    NodeReport::Phase phase = NodeReport::Phase::starting;
    LookupServer* lookups = nullptr;

    HttpServer server{[this](const HttpRequest& request, const Respond& respond) { answer(request, respond); }};
};

void StatusSite::Impl::answer(const HttpRequest& request, const Respond& respond) {
    if (request.path == "/healthz") return respond(plain_text(200, "ok\n"));
    if (request.path == "/readyz") return respond(readiness());
    const Account* account = nullptr;
    if (!access.open()) {
        const auto credentials = basic_credentials(request.authorization);
        if (credentials) account = access.authenticate(credentials->user, credentials->password);
        const bool anyone = request.path == "/metrics" && !settings.auth;
        if (!account && !anyone) return respond(who_are_you());
    }
    answer(request, account, respond);
}

void StatusSite::Impl::answer(const HttpRequest& request, const Account* account, const Respond& respond) {
    if (request.path == "/metrics") {
        metrics.scraped();
        return respond({200, "text/plain; version=0.0.4; charset=utf-8", metrics.text()});
    }
    if (request.path == "/api/status") return respond(status(account));
    if (request.path == "/api/lookup" || request.path == "/api/explain")
        return look_up(request, account, respond);
    if (auto file = file_at(request.path)) return respond(*std::move(file));
    respond(plain_text(404, "there is no such page\n"));
}

NodeReport StatusSite::Impl::report() const {
    const std::lock_guard lock(mutex);
    NodeReport report;
    report.now = now();
    report.phase = phase;
    report.node = node;
    report.version = LookupOptions().version;
    report.uptime =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started);
    report.roles = roles;
    if (lookups) report.lookups = lookups->report(report.now);
    report.partitions = partitions.reports();
    report.shed_views = partitions.shed_views();
    return report;
}

HttpResponse StatusSite::Impl::readiness() const {
    const std::vector<std::string> why_not = obstacles(report());
    if (why_not.empty()) return plain_text(200, "ready\n");
    std::string text;
    for (const std::string& obstacle : why_not) text += obstacle + "\n";
    return plain_text(503, text);
}

HttpResponse StatusSite::Impl::status(const Account* account) const {
    NodeReport all = report();
    all.activity = activity.samples();
    const auto may_read = [&](const View& view) {
        return access.may_read(account, *catalogue.find(view.name));
    };
    return {200, "application/json", status_json(all, definitions, may_read, gives_values()) + "\n"};
}

std::optional<HttpResponse> StatusSite::Impl::refused(const HttpRequest& request) const {
    if (!gives_values()) return json_error(403, "NOPERM", kValuesOff);
    if (access.open() && !settings.insecure && !names_this_machine(request.host))
        return json_error(403, "NOPERM",
                          "the request names host '" + request.host +
                              "', not this machine, so a page elsewhere may have sent it; ask by 127.0.0.1 or "
                              "localhost, or add `users:` to lookup");
    return std::nullopt;
}

void StatusSite::Impl::look_up(const HttpRequest& request, const Account* account, const Respond& respond) {
    if (const auto refusal = refused(request)) return respond(*refusal);
    const bool explain = request.path == "/api/explain";
    const std::string view = request.one("view").value_or("");
    const std::vector<std::string> entity = request.all("entity");
    const auto feature = request.one("feature");
    const ServedView* const served = catalogue.find(view);
    if (!served) return respond(json_error(404, "NOVIEW", catalogue.no_view(view)));
    // What stands behind the entity in a command would be taken for a column that lacks.
    if (entity.size() != served->columns() || (explain && !feature))
        return respond(json_error(400, "BADARG", how_to_ask(*served, explain)));
    std::vector<std::string> command{explain ? "FS.EXPLAIN" : "FS.GET", view};
    command.insert(command.end(), entity.begin(), entity.end());
    if (explain) command.push_back(*feature);
    if (const auto at = request.one("at")) command.insert(command.end(), {"AT", *at});
    if (!explain) command.insert(command.end(), {"META", "ENCODING", "json"});

    const std::lock_guard lock(mutex);
    if (!lookups)
        return respond(json_error(503, "UNAVAILABLE",
                                  roles.serve ? "the node does not answer look-ups yet, or no more"
                                              : "this node answers no look-ups; its roles are [ingest]"));
    lookups->ask(account ? account->name : "", std::move(command),
                 [respond, explain, view, entity, this](const std::string& reply) {
                     respond(explain ? explain_response(reply, definitions, view, entity)
                                     : lookup_response(reply, view, entity));
                 });
}

StatusSite::StatusSite(const Config& config, std::string node, Metrics& metrics, const NodeStatus& partitions)
    : impl_(std::make_unique<Impl>(config, std::move(node), metrics, partitions)) {}

StatusSite::~StatusSite() { stop(); }

Result<std::uint16_t> StatusSite::start() {
    impl_->server.every(kSampled,
                        [impl = impl_.get()] { impl->activity.take(now(), impl->metrics.activity()); });
    return impl_->server.start(impl_->settings.listen, impl_->settings.tls, "metrics");
}

void StatusSite::set(NodeReport::Phase phase) {
    const std::lock_guard lock(impl_->mutex);
    impl_->phase = phase;
}

void StatusSite::look_up_in(LookupServer* lookups) {
    const std::lock_guard lock(impl_->mutex);
    impl_->lookups = lookups;
}

Result<void> StatusSite::reload_certificates() { return impl_->server.reload_certificates(); }

void StatusSite::stop() { impl_->server.stop(); }

}  // namespace freshet
