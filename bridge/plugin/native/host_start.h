// Starts the engine's host: once for all instances in this process, which may load a project's worth at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stream_sep {

class HostStart {
   public:
    // Of all instances whose command is in the same file.
    static HostStart& of(const std::string& command_file);

    explicit HostStart(const std::string& command_file) : command_file_(command_file) {}

    // Start a host unless one was started lately; return whether one is to be expected.
    bool begin(const std::vector<std::string>& environment);

    // Whether the host that was started may still accept a connection.
    bool pending();

    // Why not.
    std::string failure();

   private:
    bool expected();

    const std::string command_file_;
    int64_t next_ns_ = 0;
    intptr_t program_ = 0;
    int failures_ = 0;
    std::string failure_;
};

}  // namespace stream_sep
