// Takes the host's place on Windows, whose pipes and shared memory no other system has: `engine INSTANCES` serves so
// many instances of the plug-in, one after the other, and returns each captured hop as the first of its stems.

#ifndef NOMINMAX
#define NOMINMAX
#endif
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "rings.h"

using namespace stream_sep;

namespace {

constexpr RingSizes SIZES = {2, 4, 256, 1 << 17, 512};
constexpr DWORD PIPE_BYTES = 8192;  // as Python's multiprocessing.connection, which the host listens with
constexpr int64_t EMPTY = -1;
const char* const MEMORY = "psm_5ef00d1e";
const char* const REPLY =
    "{\"name\": \"psm_5ef00d1e\", \"channels\": 2, \"stems\": 4, \"hop\": 256, \"capacity\": 131072, \"slots\": 512, "
    "\"separator\": 0}\n";

const char* const MOVE = "{\"set\": {\"stem/bass/gain_db\": -7}}\n";

struct Memory {
    HANDLE handle;
    int64_t* words;

    Memory() {
        const DWORD bytes = static_cast<DWORD>(Rings::bytes(SIZES));
        handle = CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, bytes, MEMORY);
        words = static_cast<int64_t*>(MapViewOfFile(handle, FILE_MAP_ALL_ACCESS, 0, 0, bytes));
        std::memset(words, 0, bytes);
        const int64_t header[] = {RINGS_MAGIC, RINGS_VERSION, SIZES.channels, SIZES.stems, SIZES.hop, SIZES.capacity,
                                  SIZES.slots, static_cast<int64_t>(bytes)};
        std::copy(std::begin(header), std::end(header), words);
        std::fill_n(tags(), SIZES.slots, EMPTY);
    }
    ~Memory() {
        UnmapViewOfFile(words);
        CloseHandle(handle);
    }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    std::atomic<int64_t>* positions() const { return reinterpret_cast<std::atomic<int64_t>*>(words + Rings::HEADER); }
    int64_t* tags() const { return words + Rings::HEADER + Rings::POSITIONS; }
    float* capture() const { return reinterpret_cast<float*>(tags() + SIZES.slots + Rings::TIMINGS); }
    float* hops() const { return capture() + SIZES.channels * SIZES.capacity; }
};

void separate(const Memory& memory, int64_t number) {
    float* hop = memory.hops() + number % SIZES.slots * SIZES.stems * SIZES.channels * SIZES.hop;
    for (int64_t channel = 0; channel < SIZES.channels; ++channel)
        for (int64_t frame = 0; frame < SIZES.hop; ++frame)
            hop[channel * SIZES.hop + frame] =
                memory.capture()[channel * SIZES.capacity + (number * SIZES.hop + frame) % SIZES.capacity];
    reinterpret_cast<std::atomic<int64_t>*>(memory.tags())[number % SIZES.slots].store(number, std::memory_order_release);
}

// Whether the instance is still connected; what it sends is dropped.
bool connected(HANDLE pipe) {
    char bytes[PIPE_BYTES];
    DWORD there = 0;
    while (PeekNamedPipe(pipe, nullptr, 0, nullptr, &there, nullptr)) {
        if (!there) return true;
        ReadFile(pipe, bytes, sizeof bytes, &there, nullptr);
    }
    return false;
}

void serve(HANDLE pipe) {
    char hello[PIPE_BYTES];
    DWORD bytes = 0;
    if (!ReadFile(pipe, hello, sizeof hello, &bytes, nullptr)) return;
    if (std::string(hello, bytes).find("\"hello\":1,\"model\":\"passthrough\",\"rate\":44100") == std::string::npos) return;
    const Memory memory;
    WriteFile(pipe, REPLY, static_cast<DWORD>(std::strlen(REPLY)), &bytes, nullptr);
    WriteFile(pipe, MOVE, static_cast<DWORD>(std::strlen(MOVE)), &bytes, nullptr);
    for (int64_t begin = -1, next = 0; connected(pipe); Sleep(0)) {
        const int64_t captured = memory.positions()[Rings::CAPTURED].load(std::memory_order_acquire);
        const int64_t begun = memory.positions()[Rings::BEGUN].load(std::memory_order_acquire);
        if (begun != begin) next = begun / SIZES.hop;
        begin = begun;
        while ((next + 1) * SIZES.hop <= captured) separate(memory, next++);
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 2 || std::getenv("PYTHONHOME")) return 3;  // a Python could not start with the DAW's settings
    const char* const name = std::getenv("STREAM_SEP_PLUGIN_SOCKET");
    HANDLE pipe = CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE,
                                   PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT,
                                   PIPE_UNLIMITED_INSTANCES, PIPE_BYTES, PIPE_BYTES, NMPWAIT_WAIT_FOREVER, nullptr);
    if (pipe == INVALID_HANDLE_VALUE) return 2;
    for (int left = std::atoi(arguments[1]); left > 0; --left) {
        if (!ConnectNamedPipe(pipe, nullptr) && GetLastError() != ERROR_PIPE_CONNECTED) return 1;
        serve(pipe);
        DisconnectNamedPipe(pipe);
    }
    return 0;
}
