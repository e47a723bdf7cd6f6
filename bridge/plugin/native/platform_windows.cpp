#ifdef _WIN32

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <algorithm>
#include <cwchar>

#include "platform.h"

namespace stream_sep {

namespace {

constexpr size_t MAX_LINE_BYTES = 1 << 16;
constexpr size_t PAGE = 4096;
constexpr int64_t POLL_NS = MILLISECOND;
constexpr DWORD PIPE_BUSY_MS = 100;

// Texts are UTF-8 everywhere but in calls to Windows.
std::wstring wide(const std::string& text) {
    const int bytes = static_cast<int>(text.size());
    std::wstring out(static_cast<size_t>(MultiByteToWideChar(CP_UTF8, 0, text.data(), bytes, nullptr, 0)), L'\0');
    MultiByteToWideChar(CP_UTF8, 0, text.data(), bytes, out.data(), static_cast<int>(out.size()));
    return out;
}

std::string narrow(const std::wstring& text) {
    const int length = static_cast<int>(text.size());
    const int bytes = WideCharToMultiByte(CP_UTF8, 0, text.data(), length, nullptr, 0, nullptr, nullptr);
    std::string out(static_cast<size_t>(bytes), '\0');
    WideCharToMultiByte(CP_UTF8, 0, text.data(), length, out.data(), bytes, nullptr, nullptr);
    return out;
}

std::string environment(const char* name) {
    const std::wstring variable = wide(name);
    std::wstring value(GetEnvironmentVariableW(variable.c_str(), nullptr, 0), L'\0');  // with its final zero
    value.resize(GetEnvironmentVariableW(variable.c_str(), value.data(), static_cast<DWORD>(value.size())));
    return narrow(value);
}

std::wstring command_line(const std::vector<std::string>& command) {
    std::string line;
    for (const std::string& argument : command) line += (line.empty() ? "\"" : " \"") + argument + "\"";
    return wide(line);
}

std::wstring block_of(const std::vector<std::string>& variables) {
    std::wstring block;
    for (const std::string& variable : variables) block += wide(variable) + L'\0';
    return block + L'\0';
}

// A file that a child may write to; null if it cannot be made.
HANDLE inheritable_file(const std::string& path) {
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, nullptr, TRUE};
    const HANDLE file = CreateFileW(wide(path).c_str(), GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited,
                                    CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr);
    return file == INVALID_HANDLE_VALUE ? nullptr : file;
}

}  // namespace

int64_t monotonic_ns() {
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    return now.QuadPart / frequency.QuadPart * 1000000000 +
           now.QuadPart % frequency.QuadPart * 1000000000 / frequency.QuadPart;
}

void sleep_ns(int64_t nanoseconds) { Sleep(static_cast<DWORD>(std::max<int64_t>(1, nanoseconds / MILLISECOND))); }

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

bool Connection::open(const std::string& address) {
    close();
    const std::wstring name = wide(address);
    const auto opened = [&] {
        return CreateFileW(name.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING, 0, nullptr);
    };
    HANDLE pipe = opened();
    if (pipe == INVALID_HANDLE_VALUE && GetLastError() == ERROR_PIPE_BUSY) {  // others connect at this moment
        WaitNamedPipeW(name.c_str(), PIPE_BUSY_MS);
        pipe = opened();
    }
    open_ = pipe != INVALID_HANDLE_VALUE;
    pipe_ = open_ ? pipe : nullptr;
    DWORD mode = PIPE_READMODE_BYTE | PIPE_NOWAIT;  // a host that does not read has hung
    if (open_) SetNamedPipeHandleState(pipe, &mode, nullptr, nullptr);
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
    const int64_t deadline = monotonic_ns() + wait_ns;
    while (true) {
        DWORD there = 0;
        if (!PeekNamedPipe(pipe_, nullptr, 0, nullptr, &there, nullptr)) {
            close();
            return false;
        }
        if (there) return true;
        if (monotonic_ns() >= deadline) return false;
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

std::string host_address() {
    const std::string configured = environment("STREAM_SEP_PLUGIN_SOCKET");
    return configured.empty() ? "\\\\.\\pipe\\stream-sep-" + environment("USERNAME") : configured;
}

std::string command_file() {
    const std::string configured = environment("STREAM_SEP_PLUGIN_COMMAND");
    return configured.empty() ? environment("LOCALAPPDATA") + "\\stream-sep\\plugin-host" : configured;
}

std::FILE* open_text(const std::string& path) { return _wfopen(wide(path).c_str(), L"r"); }

std::vector<std::string> small_environment() {
    std::vector<std::string> kept;
    wchar_t* const all = GetEnvironmentStringsW();
    for (const wchar_t* entry = all; entry && *entry; entry += std::wcslen(entry) + 1)
        if (_wcsnicmp(entry, L"PYTHON", 6) != 0) kept.push_back(narrow(entry));
    if (all) FreeEnvironmentStringsW(all);
    return kept;
}

std::string start_detached(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                           const std::string& log, intptr_t& program) {
    std::wstring line = command_line(command), variables = block_of(environment);
    STARTUPINFOEXW startup{};
    HANDLE output = inheritable_file(log);
    SIZE_T bytes = 0;
    InitializeProcThreadAttributeList(nullptr, 1, 0, &bytes);
    std::vector<char> list(bytes);
    startup.lpAttributeList = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(list.data());
    const bool listed = output && InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &bytes) &&
                        UpdateProcThreadAttribute(startup.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
                                                  &output, sizeof output, nullptr, nullptr);
    if (listed) {  // no other handle of the DAW is inherited
        startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
        startup.StartupInfo.hStdOutput = startup.StartupInfo.hStdError = output;
    }
    PROCESS_INFORMATION process{};
    const DWORD flags = DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP | CREATE_UNICODE_ENVIRONMENT |
                        (listed ? EXTENDED_STARTUPINFO_PRESENT : 0);
    startup.StartupInfo.cb = listed ? sizeof startup : sizeof startup.StartupInfo;
    const bool made = CreateProcessW(nullptr, line.data(), nullptr, nullptr, listed, flags, variables.data(), nullptr,
                                     &startup.StartupInfo, &process);
    const DWORD error = made ? 0 : GetLastError();
    if (output) CloseHandle(output);
    if (!made) return "error " + std::to_string(error) + " of Windows";
    CloseHandle(process.hThread);
    program = reinterpret_cast<intptr_t>(process.hProcess);
    return "";
}

bool has_ended(intptr_t program, int& status) {
    const HANDLE process = reinterpret_cast<HANDLE>(program);
    DWORD code = 0;
    if (WaitForSingleObject(process, 0) != WAIT_OBJECT_0 || !GetExitCodeProcess(process, &code)) return false;
    CloseHandle(process);
    status = static_cast<int>(code);
    return true;
}

}  // namespace stream_sep

#endif
