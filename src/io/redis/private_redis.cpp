#include "io/redis/private_redis.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "io/redis/redis_connection.hpp"

namespace freshet {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kStartTimeout = std::chrono::seconds(10);
constexpr auto kStopTimeout = std::chrono::seconds(2);
constexpr auto kPoll = std::chrono::milliseconds(2);
constexpr int kPortTries = 5;

Error no_server(const std::string& what) { return {Errc::unavailable, "private redis-server: " + what}; }

// A port that was free a moment ago; 0 if there is none.
std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    const bool bound = ::bind(fd, generic, size) == 0 && ::getsockname(fd, generic, &size) == 0;
    ::close(fd);
    return bound ? ntohs(address.sin_port) : 0;
}

// In the child, between fork and exec: nothing that allocates.
[[noreturn]] void become_server(char* const* argv, int errors, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);  // it died before the line above
    ::setpgid(0, 0);                        // an interrupt from the keyboard is for the parent to handle
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const int null = ::open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= 2; ++fd) ::dup2(null, fd);
    ::close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
    ::execvp(argv[0], argv);
    const int code = errno;
    (void)!::write(errors, &code, sizeof code);
    ::_exit(127);
}

}  // namespace

PrivateRedis::PrivateRedis(std::string directory, Listen listen, std::vector<std::string> options)
    : directory_(std::move(directory)), listen_(listen), options_(std::move(options)) {}

PrivateRedis::~PrivateRedis() {
    stop();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

Result<std::unique_ptr<PrivateRedis>> PrivateRedis::start(Listen listen, std::vector<std::string> options) {
    std::error_code no_directory;
    std::string pattern = std::filesystem::temp_directory_path(no_directory).string() + "/freshet-redis-XXXXXX";
    constexpr std::size_t kSocketPath = sizeof(sockaddr_un::sun_path);
    if (no_directory || pattern.size() + sizeof("/redis.sock") > kSocketPath)
        pattern = "/tmp/freshet-redis-XXXXXX";
    if (!::mkdtemp(pattern.data())) return no_server("cannot make " + pattern + ": " + std::strerror(errno));

    std::unique_ptr<PrivateRedis> server(new PrivateRedis(pattern, listen, std::move(options)));
    for (int tries = 1;; ++tries) {
        if (listen == Listen::loopback_port) server->port_ = free_port();
        const Result<void> started = server->restart();
        if (started) return server;
        // Another process may have been faster to take the port.
        const bool port_taken = started.error().message.find("Failed listening") != std::string::npos;
        if (!port_taken || tries == kPortTries) return started.error();
    }
}

RedisConfig PrivateRedis::reached_by(RedisConfig config) const {
    if (listen_ == Listen::unix_socket) {
        config.unix_socket = directory_ + "/redis.sock";
    } else {
        config.unix_socket.clear();
        config.address = {"127.0.0.1", port_};
    }
    return config;
}

std::vector<std::string> PrivateRedis::command_line() const {
    std::vector<std::string> argv = {"redis-server",
                                     "--bind",
                                     "127.0.0.1",
                                     "--port",
                                     std::to_string(port_),
                                     "--dir",
                                     directory_,
                                     "--logfile",
                                     directory_ + "/redis.log",
                                     "--daemonize",
                                     "no",
                                     "--save",
                                     "",
                                     "--appendonly",
                                     "no",
                                     "--maxmemory-policy",
                                     "noeviction",
                                     "--hash-max-listpack-value",
                                     "4096"};
    if (listen_ == Listen::unix_socket) {
        for (const char* arg : {"--unixsocket", "redis.sock", "--unixsocketperm", "700"}) argv.push_back(arg);
    }
    argv.insert(argv.end(), options_.begin(), options_.end());
    return argv;
}

Result<void> PrivateRedis::launch() {
    std::vector<std::string> args = command_line();
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);

    int errors[2];
    if (::pipe2(errors, O_CLOEXEC) != 0) return no_server(std::strerror(errno));
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) become_server(argv.data(), errors[1], parent);
    const int fork_error = errno;
    ::close(errors[1]);
    int code = child < 0 ? fork_error : 0;
    if (child > 0) {
        while (::read(errors[0], &code, sizeof code) < 0 && errno == EINTR) {
        }
    }
    ::close(errors[0]);
    if (child > 0 && code != 0) ::waitpid(child, nullptr, 0);
    if (code == ENOENT)
        return no_server(
            "redis-server is not installed; install the package redis-server, or give the address of "
            "a running one as redis.address");
    if (code != 0) return no_server(std::strerror(code));
    pid_ = child;
    return {};
}

bool PrivateRedis::has_ended() {
    if (pid_ != 0 && ::waitpid(pid_, nullptr, WNOHANG) != 0) pid_ = 0;
    return pid_ == 0;
}

std::string PrivateRedis::last_log_line() const {
    std::ifstream log(directory_ + "/redis.log");
    std::string last;
    for (std::string line; std::getline(log, line);) {
        // "<pid>:<role> <date> <time> # <text>"; what follows the failure is of no interest
        if (const auto at = line.find(" # "); at != std::string::npos) last = line.substr(at + 3);
        if (last.starts_with("Warning") || last.starts_with("WARNING")) last.clear();
    }
    return last.empty() ? "no reason in its log" : last;
}

Result<void> PrivateRedis::wait_until_up() {
    const auto deadline = Clock::now() + kStartTimeout;
    RedisConnection connection(reached_by());
    while (Clock::now() < deadline) {
        // Without a password, NOAUTH is as good a sign of life.
        if (auto reply = connection.command({"PING"}); reply || reply.error().code == Errc::refused) return {};
        if (has_ended()) return no_server("ended at once: " + last_log_line());
        std::this_thread::sleep_for(kPoll);
    }
    stop();
    return no_server("did not answer within 10 s");
}

Result<void> PrivateRedis::restart() {
    stop();
    std::error_code ignored;
    std::filesystem::remove(directory_ + "/redis.log", ignored);
    if (auto launched = launch(); !launched) return launched;
    return wait_until_up();
}

void PrivateRedis::stop() {
    if (has_ended()) return;
    ::kill(pid_, SIGTERM);
    const auto deadline = Clock::now() + kStopTimeout;
    while (!has_ended()) {
        if (Clock::now() >= deadline) ::kill(pid_, SIGKILL);
        std::this_thread::sleep_for(kPoll);
    }
}

}  // namespace freshet
