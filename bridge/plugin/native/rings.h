// The rings shared with the separator, as stream_sep/audio/rings.py lays them out: a header, positions, the numbers
// of the hops, timings, the captured sound and the stems. Only the plug-in writes the captured sound. Of what another
// process can write only the numbers of hops are read, and compared: no value in the memory is an index here.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace stream_sep {

static_assert(std::atomic<int64_t>::is_always_lock_free && sizeof(std::atomic<int64_t>) == 8,
              "positions are plain 64-bit words in shared memory");

constexpr int64_t RINGS_MAGIC = 0x31474e5250455353;  // "SSEPRNG1"
constexpr int64_t RINGS_VERSION = 1;

struct RingSizes {
    int64_t channels, stems, hop, capacity, slots;

    bool sane() const {
        const auto within = [](int64_t value, int64_t max) { return value > 0 && value <= max; };
        return channels == 2 && within(stems, 16) && within(hop, 1 << 20) && within(capacity, 1 << 26) &&
               within(slots, 1 << 20);
    }
};

class Rings {
   public:
    enum Word { CAPTURED = 0, BEGUN = 1, OFFLINE = 2 };
    static constexpr int64_t HEADER = 8, POSITIONS = 24, TIMINGS = 8192;
    enum class Hop { READY, PENDING, NEVER };

    static size_t bytes(const RingSizes& sizes) {
        const int64_t floats = sizes.channels * (sizes.capacity + sizes.slots * sizes.stems * sizes.hop);
        return static_cast<size_t>(8 * (HEADER + POSITIONS + sizes.slots + TIMINGS) + 4 * floats);
    }

    // Whether `memory` has the header of rings of these sizes.
    static bool matches(const void* memory, const RingSizes& sizes) {
        int64_t header[HEADER];
        std::memcpy(header, memory, sizeof header);
        return header[0] == RINGS_MAGIC && header[1] == RINGS_VERSION && header[2] == sizes.channels &&
               header[3] == sizes.stems && header[4] == sizes.hop && header[5] == sizes.capacity &&
               header[6] == sizes.slots && header[7] == static_cast<int64_t>(bytes(sizes));
    }

    Rings(void* memory, const RingSizes& sizes)
        : sizes_(sizes),
          positions_(static_cast<std::atomic<int64_t>*>(memory) + HEADER),
          tags_(positions_ + POSITIONS),
          capture_(reinterpret_cast<float*>(tags_ + sizes.slots + TIMINGS)),
          hops_(capture_ + sizes.channels * sizes.capacity) {}

    const RingSizes& sizes() const { return sizes_; }

    // Start a new stream at the next whole hop; return its first frame. The separator resets its state.
    int64_t begin() {
        captured_ = (captured_ + sizes_.hop - 1) / sizes_.hop * sizes_.hop;
        positions_[BEGUN].store(captured_, std::memory_order_release);
        positions_[CAPTURED].store(captured_, std::memory_order_release);
        return captured_;
    }

    // Set whether playback is offline, so that the separator need not sleep between hops.
    void set_offline(bool offline) { positions_[OFFLINE].store(offline, std::memory_order_relaxed); }

    void write(const float* const* input, int64_t frames) {
        const int64_t at = captured_ % sizes_.capacity, before_end = std::min(frames, sizes_.capacity - at);
        for (int64_t channel = 0; channel < sizes_.channels; ++channel) {
            float* row = capture_ + channel * sizes_.capacity;
            std::copy_n(input[channel], before_end, row + at);
            std::copy_n(input[channel] + before_end, frames - before_end, row);
        }
        captured_ += frames;
        positions_[CAPTURED].store(captured_, std::memory_order_release);
    }

    Hop hop(int64_t number) const {
        const int64_t tag = tags_[number % sizes_.slots].load(std::memory_order_acquire);
        if (tag == number) return Hop::READY;
        return tag == -2 - number ? Hop::NEVER : Hop::PENDING;
    }

    // Offset in `stems` of the first stem's left sample of a ring frame, in the hop that is there now.
    int64_t offset(int64_t at) const {
        const int64_t number = at / sizes_.hop;
        return number % sizes_.slots * sizes_.stems * sizes_.channels * sizes_.hop + at - number * sizes_.hop;
    }

    const float* stems() const { return hops_; }

   private:
    RingSizes sizes_;
    int64_t captured_ = 0;  // not read from the memory, which another process can change
    std::atomic<int64_t>* positions_;
    std::atomic<int64_t>* tags_;
    float* capture_;
    float* hops_;
};

}  // namespace stream_sep
