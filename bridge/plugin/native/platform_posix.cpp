#ifndef _WIN32

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "platform.h"

#ifdef __GLIBC__
extern "C" int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t*, const char*) noexcept
    __attribute__((weak));  // since 2.29
#endif

namespace stream_sep {

namespace {

constexpr size_t MAX_LINE_BYTES = 1 << 16;
constexpr size_t PAGE = 4096;

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

#ifdef __APPLE__
std::string support_folder() { return environment("HOME") + "/Library/Application Support/stream-sep"; }
std::string runtime_folder() { return support_folder(); }
std::string config_folder() { return support_folder(); }
#else
std::string runtime_folder() {
    const std::string folder = environment("XDG_RUNTIME_DIR");
    return (folder.empty() ? environment("HOME") + "/.cache" : folder) + "/stream-sep";
}
std::string config_folder() {
    const std::string folder = environment("XDG_CONFIG_HOME");
    return (folder.empty() ? environment("HOME") + "/.config" : folder) + "/stream-sep";
}
#endif

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> made;
    for (const std::string& text : texts) made.push_back(const_cast<char*>(text.c_str()));
    made.push_back(nullptr);
    return made;
}

// What the DAW has open stays with the DAW.
void close_others(posix_spawn_file_actions_t& actions) {
#ifndef __APPLE__  // where a flag does it
    DIR* const folder = opendir("/proc/self/fd");
    if (!folder) return;
    while (const dirent* entry = readdir(folder)) {
        const int descriptor = std::atoi(entry->d_name);
        if (descriptor > STDERR_FILENO) posix_spawn_file_actions_addclose(&actions, descriptor);
    }
    closedir(folder);
#else
    (void)actions;
#endif
}

void redirect(posix_spawn_file_actions_t& actions, const std::string& log) {
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
#ifdef __GLIBC__
    if (posix_spawn_file_actions_addchdir_np)
#endif
        posix_spawn_file_actions_addchdir_np(&actions, "/");
    close_others(actions);
}

// A session of its own, no blocked signals, and none ignored.
void detach(posix_spawnattr_t& attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
#ifdef __APPLE__
    flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;
#endif
    if (posix_spawnattr_setflags(&attributes, static_cast<short>(flags | POSIX_SPAWN_SETSID)) != 0)
        posix_spawnattr_setflags(&attributes, flags);  // glibc before 2.26
}

}  // namespace

int64_t monotonic_ns() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

void sleep_ns(int64_t nanoseconds) {
    const timespec pause = {static_cast<time_t>(nanoseconds / 1000000000), static_cast<long>(nanoseconds % 1000000000)};
    nanosleep(&pause, nullptr);
}

bool SharedMemory::open(const std::string& name, size_t bytes) {
    close();
    const int file = shm_open(("/" + name).c_str(), O_RDWR, 0);
    if (file < 0) return false;
    struct stat status;
    const bool whole = fstat(file, &status) == 0 && static_cast<size_t>(status.st_size) >= bytes;
    void* mapped = whole ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    ::close(file);
    if (mapped == MAP_FAILED) return false;
    data_ = mapped;
    bytes_ = bytes;
    mlock(data_, bytes_);  // best effort, it has a limit; the pages are touched anyway
    volatile const char* pages = static_cast<const char*>(data_);
    for (size_t at = 0; at < bytes_; at += PAGE) (void)pages[at];
    return true;
}

void SharedMemory::close() {
    if (data_) munmap(data_, bytes_);
    data_ = nullptr;
}

bool Connection::open(const std::string& address) {
    close();
    sockaddr_un socket_address{};
    socket_address.sun_family = AF_UNIX;
    if (address.size() >= sizeof socket_address.sun_path) return false;
    std::memcpy(socket_address.sun_path, address.c_str(), address.size() + 1);
    socket_ = socket(AF_UNIX, SOCK_STREAM, 0);
    if (socket_ < 0) return false;
    fcntl(socket_, F_SETFD, FD_CLOEXEC);
    open_ = connect(socket_, reinterpret_cast<const sockaddr*>(&socket_address), sizeof socket_address) == 0;
    if (!open_) close();
    return open_;
}

void Connection::close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
    open_ = false;
    buffer_.clear();
}

bool Connection::send(const std::string& line) {
#ifdef MSG_NOSIGNAL
    constexpr int FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT;
#else
    constexpr int FLAGS = MSG_DONTWAIT;
    const int on = 1;
    setsockopt(socket_, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    const std::string text = line + "\n";
    size_t sent = 0;
    while (open_ && sent < text.size()) {
        const ssize_t step = ::send(socket_, text.data() + sent, text.size() - sent, FLAGS);
        if (step > 0) sent += static_cast<size_t>(step);
        else if (step < 0 && errno == EINTR) continue;
        else close();  // a host that does not read has hung
    }
    return open_;
}

bool Connection::wait_readable(int64_t wait_ns) {
    pollfd watched = {socket_, POLLIN, 0};
    return poll(&watched, 1, static_cast<int>(wait_ns / MILLISECOND)) > 0;
}

bool Connection::read_some() {
    char bytes[4096];
    const ssize_t got = recv(socket_, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0 || buffer_.size() > MAX_LINE_BYTES) {
        close();
        return false;
    }
    buffer_.append(bytes, static_cast<size_t>(got));
    return true;
}

std::string host_address() {
    const std::string configured = environment("STREAM_SEP_PLUGIN_SOCKET");
    return configured.empty() ? runtime_folder() + "/plugin.sock" : configured;
}

std::string command_file() {
    const std::string configured = environment("STREAM_SEP_PLUGIN_COMMAND");
    return configured.empty() ? config_folder() + "/plugin-host" : configured;
}

std::FILE* open_text(const std::string& path) { return std::fopen(path.c_str(), "r"); }

std::vector<std::string> small_environment() {
    std::vector<std::string> kept;
    for (const char* name : {"HOME", "USER", "LOGNAME", "PATH", "LANG", "LC_ALL", "TMPDIR", "XDG_RUNTIME_DIR",
                             "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "STREAM_SEP_PLUGIN_SOCKET"})
        if (const char* value = std::getenv(name)) kept.push_back(std::string(name) + "=" + value);
    return kept;
}

// Not by `fork`, which copies a DAW with its locks, and its memory where that is locked.
std::string start_detached(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                           const std::string& log, intptr_t& program) {
    const std::vector<char*> arguments = pointers(command), variables = pointers(environment);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    redirect(actions, log);
    detach(attributes);
    pid_t child = 0;
    const int error = posix_spawn(&child, arguments[0], &actions, &attributes, arguments.data(), variables.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    program = error == 0 ? child : 0;
    return error == 0 ? "" : std::strerror(error);
}

bool has_ended(intptr_t program, int& status) {
    const auto child = static_cast<pid_t>(program);
    if (waitpid(child, &status, WNOHANG) != child) return false;
    status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

}  // namespace stream_sep

#endif
