// planted_node run -c FILE: `freshet run` with a fault in its log. FRESHET_PLANT says which: last_empty_poll,
// or stuck_consumer while the file FRESHET_PLANT_FILE exists. The program that is released knows of neither.
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "io/config/config_file.hpp"
#include "io/log.hpp"
#include "node.hpp"
#include "plants/planted_logs.hpp"
#include "stop_signal.hpp"

namespace {

using namespace freshet;

std::string setting(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::shared_ptr<EventLog> planted(std::shared_ptr<EventLog> log) {
    if (setting("FRESHET_PLANT") == "last_empty_poll") return log_by_the_last_empty_poll(std::move(log));
    return log_that_holds_a_consumer(std::move(log), setting("FRESHET_PLANT_FILE"));
}

int run(const char* path) {
    auto config = load_config(path);
    if (!config) {
        std::cerr << config.error().message << "\n";
        return 2;
    }
    log::start(config->log);
    StopSignal stop;
    auto node = Node::start(std::move(*config), {[&] { return stop.requested(); },
                                                 [&](const Error& error) {
                                                     log::error(error.message);
                                                     stop.request();
                                                 },
                                                 planted});
    if (!node) {
        std::cerr << node.error().message << "\n";
        return 1;
    }
    std::cout << (*node)->addresses().json() << std::endl;
    stop.wait();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string plant = setting("FRESHET_PLANT");
    if (argc == 4 && std::string_view(argv[1]) == "run" && std::string_view(argv[2]) == "-c" &&
        (plant == "last_empty_poll" || plant == "stuck_consumer"))
        return run(argv[3]);
    std::cerr << "usage: FRESHET_PLANT=last_empty_poll|stuck_consumer planted_node run -c FILE\n";
    return 2;
}
