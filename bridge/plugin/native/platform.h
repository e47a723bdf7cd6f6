// The operating system's services: a clock, sleep, shared memory, a local connection, and another program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace stream_sep {

constexpr int64_t MILLISECOND = 1000000;  // in nanoseconds

int64_t monotonic_ns();
void sleep_ns(int64_t nanoseconds);

// Shared memory that another process made; mapped while this object lives.
class SharedMemory {
   public:
    SharedMemory() = default;
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;
    ~SharedMemory() { close(); }

    // Map `bytes` of the memory called `name` and touch every page, so that the audio thread never waits for one.
    bool open(const std::string& name, size_t bytes);
    void close();
    void* data() const { return data_; }

   private:
    void* data_ = nullptr;
    size_t bytes_ = 0;
    [[maybe_unused]] void* handle_ = nullptr;  // on Windows, as the pipe
};

// A connection to the engine's host: lines of text, both ways, never blocking.
class Connection {
   public:
    Connection() = default;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { close(); }

    bool open(const std::string& address);
    void close();
    bool is_open() const { return open_; }
    bool send(const std::string& line);

    // The next whole line, if one arrives in time; a connection that ended is closed.
    bool receive(std::string& line, int64_t wait_ns);

   private:
    bool take_line(std::string& line);
    bool wait_readable(int64_t wait_ns);
    bool read_some();

    bool open_ = false;
    [[maybe_unused]] int socket_ = -1;
    [[maybe_unused]] void* pipe_ = nullptr;
    std::string buffer_;
};

// Where the host accepts connections: a socket, on Windows a pipe.
std::string host_address();

// Where `stream-sep plugin install` wrote the command that starts the host, one argument a line.
std::string command_file();

// Open a file for reading text; null if it cannot be opened.
std::FILE* open_text(const std::string& path);

// The settings of the user for the host's Python, as NAME=VALUE: without those of a DAW's own libraries and Python.
std::vector<std::string> small_environment();

// Start a program that outlives this one. It inherits the environment given here, and nothing else; what it prints
// replaces the log. Returns the reason if it cannot be started; else `program` stands for it.
std::string start_detached(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                           const std::string& log, intptr_t& program);

// Whether a program that was started has ended, with its status; true once, after which nothing stands for it.
bool has_ended(intptr_t program, int& status);

}  // namespace stream_sep
