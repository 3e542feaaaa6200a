#include <csignal>
#include <cstdio>
#include <iostream>

#include "bounded_end.hpp"
#include "commands.hpp"
#include "io/config/config_file.hpp"
#include "io/log.hpp"
#include "node.hpp"
#include "stop_signal.hpp"

namespace freshet {

namespace {

// Below the ten seconds that container runtimes give by default, and above what an orderly end may take.
constexpr std::chrono::seconds kEndWithin{9};

void reload_certificates(Node* node) {
    if (!node) return;  // it has yet to start, and will read them then
    const auto reloaded = node->reload_certificates();
    reloaded ? log::info("SIGHUP: certificates read again")
             : log::error("SIGHUP: the former certificate stays in use: " + reloaded.error().message);
}

}  // namespace

int command_run(const RunOptions& options) {
    auto config = load_config(options.config);
    if (!config) {
        std::cerr << config.error().message << "\n";
        return 2;
    }
    log::start(config->log);
    for (const std::string& warning : config->warnings) log::warn(warning);

    StopSignal stop;
    std::unique_ptr<Node> running;
    stop.on_hangup([&] { reload_certificates(running.get()); });
    bool was_refused = false;
    const auto refused = [&](const Error&) {
        was_refused = true;
        stop.request();
    };
    auto node = Node::start(std::move(*config), {[&] { return stop.requested(); }, refused});
    if (!node) {
        if (stop.requested()) return 0;
        log::error(node.error().message);
        return 1;
    }
    running = std::move(*node);
    std::cout << running->addresses().json() << std::endl;
    stop.wait();
    log::info("stopping");
    {
        const BoundedEnd bounded(kEndWithin, was_refused ? 1 : 0);
        running.reset();
    }
    log::info("stopped");
    return was_refused ? 1 : 0;
}

}  // namespace freshet
