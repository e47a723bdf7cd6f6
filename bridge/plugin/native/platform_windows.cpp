#ifdef _WIN32

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <algorithm>
#include <cstdlib>

#include "platform.h"

namespace stream_sep {

namespace {

constexpr size_t MAX_LINE_BYTES = 1 << 16;
constexpr size_t PAGE = 4096;
constexpr int64_t POLL_NS = 1000000;

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::string pipe_name() {
    const std::string configured = environment("STREAM_SEP_PLUGIN_SOCKET");
    return configured.empty() ? "\\\\.\\pipe\\stream-sep-" + environment("USERNAME") : configured;
}

std::string quoted(const std::vector<std::string>& command) {
    std::string line;
    for (const std::string& argument : command) line += (line.empty() ? "\"" : " \"") + argument + "\"";
    return line;
}

}  // namespace

int64_t monotonic_ns() {
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    return now.QuadPart / frequency.QuadPart * 1000000000 +
           now.QuadPart % frequency.QuadPart * 1000000000 / frequency.QuadPart;
}

void sleep_ns(int64_t nanoseconds) { Sleep(static_cast<DWORD>(std::max<int64_t>(1, nanoseconds / 1000000))); }

bool SharedMemory::open(const std::string& name, size_t bytes) {
    close();
    handle_ = OpenFileMappingA(FILE_MAP_ALL_ACCESS, FALSE, name.c_str());
    if (!handle_) return false;
    data_ = MapViewOfFile(handle_, FILE_MAP_ALL_ACCESS, 0, 0, bytes);
    bytes_ = bytes;
    if (!data_) {
        close();
        return false;
    }
    VirtualLock(data_, bytes_);  // best effort, as on other systems
    volatile const char* pages = static_cast<const char*>(data_);
    for (size_t at = 0; at < bytes_; at += PAGE) (void)pages[at];
    return true;
}

void SharedMemory::close() {
    if (data_) UnmapViewOfFile(data_);
    if (handle_) CloseHandle(handle_);
    data_ = handle_ = nullptr;
}

bool Connection::open() {
    close();
    HANDLE pipe = CreateFileA(pipe_name().c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING, 0, nullptr);
    open_ = pipe != INVALID_HANDLE_VALUE;
    pipe_ = open_ ? pipe : nullptr;
    return open_;
}

void Connection::close() {
    if (pipe_) CloseHandle(pipe_);
    pipe_ = nullptr;
    open_ = false;
    buffer_.clear();
}

bool Connection::send(const std::string& line) {
    const std::string text = line + "\n";
    DWORD sent = 0;
    if (open_ && !(WriteFile(pipe_, text.data(), static_cast<DWORD>(text.size()), &sent, nullptr) &&
                   sent == text.size()))
        close();
    return open_;
}

bool Connection::wait_readable(int64_t wait_ns) {
    for (int64_t waited = 0;; waited += POLL_NS) {
        DWORD there = 0;
        if (!PeekNamedPipe(pipe_, nullptr, 0, nullptr, &there, nullptr)) {
            close();
            return false;
        }
        if (there) return true;
        if (waited >= wait_ns) return false;
        sleep_ns(POLL_NS);
    }
}

bool Connection::read_some() {
    char bytes[4096];
    DWORD got = 0;
    const BOOL read = ReadFile(pipe_, bytes, sizeof bytes, &got, nullptr);
    if ((!read && GetLastError() != ERROR_MORE_DATA) || buffer_.size() > MAX_LINE_BYTES) {
        close();
        return false;
    }
    buffer_.append(bytes, got);
    return true;
}

std::string command_file() {
    const std::string configured = environment("STREAM_SEP_PLUGIN_COMMAND");
    return configured.empty() ? environment("LOCALAPPDATA") + "\\stream-sep\\plugin-host" : configured;
}

bool start_detached(const std::vector<std::string>& command) {
    if (command.empty()) return false;
    std::string line = quoted(command);
    STARTUPINFOA startup{};
    startup.cb = sizeof startup;
    PROCESS_INFORMATION process{};
    const DWORD flags = DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP;
    if (!CreateProcessA(nullptr, line.data(), nullptr, nullptr, FALSE, flags, nullptr, nullptr, &startup, &process))
        return false;
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    return true;
}

}  // namespace stream_sep

#endif
