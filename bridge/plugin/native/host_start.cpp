#include "host_start.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>

#include "platform.h"

namespace stream_sep {

namespace {

constexpr int64_t HOST_START_NS = 20000 * MILLISECOND;  // time for a started host to accept a connection
constexpr int MAX_DOUBLINGS = 4;                        // of the time between two starts that fail

std::mutex starting;  // instances have threads of their own

std::vector<std::string> read_command(const std::string& path) {
    std::vector<std::string> command;
    std::FILE* file = open_text(path);
    if (!file) return command;
    for (char argument[4096]; std::fgets(argument, sizeof argument, file);) {
        argument[std::strcspn(argument, "\r\n")] = '\0';
        if (*argument) command.emplace_back(argument);
    }
    std::fclose(file);
    return command;
}

}  // namespace

HostStart& HostStart::of(const std::string& command_file) {
    static auto& all = *new std::map<std::string, HostStart>;  // never deleted: at the exit of a DAW threads still run
    const std::lock_guard<std::mutex> lock(starting);
    return all.try_emplace(command_file, command_file).first->second;
}

bool HostStart::begin(const std::vector<std::string>& environment) {
    const std::lock_guard<std::mutex> lock(starting);
    if (expected()) return true;
    const int64_t now = monotonic_ns();
    if (now < next_ns_) return false;
    const std::vector<std::string> command = read_command(command_file_);
    if (command.empty()) {
        failure_ = "no host is running; 'stream-sep plugin install' writes how to start one";
        return false;
    }
    next_ns_ = now + (HOST_START_NS << failures_);
    const std::string log = command_file_ + ".log", error = start_detached(command, environment, log, program_);
    failure_ = error.empty() ? "the host does not respond, see " + log : "cannot start " + command[0] + ": " + error;
    return error.empty();
}

bool HostStart::pending() {
    const std::lock_guard<std::mutex> lock(starting);
    return expected();
}

std::string HostStart::failure() {
    const std::lock_guard<std::mutex> lock(starting);
    return failure_;
}

bool HostStart::expected() {
    int status = 0;
    const bool early = monotonic_ns() < next_ns_;
    if (program_ && has_ended(program_, status)) {
        program_ = 0;
        failures_ = early ? std::min(failures_ + 1, MAX_DOUBLINGS) : 0;
        failure_ = "the host ended with status " + std::to_string(status) + ", see " + command_file_ + ".log";
    }
    return program_ && early;
}

}  // namespace stream_sep
