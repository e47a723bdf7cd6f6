// Processes a block on the audio thread: delay it, read its stems, mix them, fade where they are missing.
//
// The same as stream_sep/audio/process_block.py, frame for frame (tests/bridge/plugin/test_stem_mixer.py), but for
// its own delay line: it keeps playing, in time, while there is no engine. All it needs of an engine is the stems of
// hop n. It takes no lock and allocates nothing after `prepare`.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "parameters.h"
#include "rings.h"

namespace stream_sep {

constexpr int CHANNELS = 2;
constexpr int OUTPUTS = CHANNELS * (1 + STEMS);

// How long to wait for late stems before playing without them.
struct StemWait {
    int64_t wait_ns = 0;                       // in total
    const std::atomic<bool>* gone = nullptr;   // the engine ended: do not wait
};

class StemMixer {
   public:
    static constexpr int64_t MAX_CHUNK = 1024;

    // Whether stems of such a separator are ready in time within a latency, which one of another version may not be,
    // and whether the rings keep them, and what they are made from, until they have been read.
    static bool can_read(const RingSizes& sizes, int64_t separator_latency, int64_t latency, double rate);

    // Allocate the buffers for a latency and clear them. Not on the audio thread.
    void prepare(double rate, int64_t latency);

    // Clear the state: the next frame is the first one of a stream.
    void reset();

    // Read stems from these rings from now on; `separator_latency` is the separator's share of the latency.
    void attach(Rings* rings, int64_t separator_latency);

    // Stop reading stems; the rings are free once `released` returns true.
    void detach() { detached_ = true; }
    bool prepared() const { return !delay_line_[0].empty(); }
    bool attached() const { return rings_ != nullptr; }
    bool detached() const { return detached_; }
    bool released() const { return !rings_ || (detached_ && wet_ == 0); }
    bool attachable() const { return !rings_ && (position_ == 0 || wet_ == 0); }
    void release() { rings_ = nullptr; }

    // Ramp to these gains, one a stem, from the next frame on.
    void set_gains(const std::array<double, STEMS>& gains);
    void set_gains_now(const std::array<double, STEMS>& gains);
    void set_bypass(bool bypass) { bypass_ = bypass; }

    // Mix `frames` of stereo into main and stems, each left and right; buffers may be the same, outputs null.
    void process(const float* const* input, float* const* output, int64_t frames, StemWait& wait);

    int64_t late_hops() const { return late_hops_; }
    int64_t dry_frames() const { return dry_frames_; }
    float peak(int output) const { return peaks_[static_cast<size_t>(output)]; }

   private:
    struct Ramp {
        float from = 1, target = 1;
        int64_t begin = 0, end = 0;
        float at(int64_t frame) const;
    };

    struct Span {
        int64_t begin = INT64_MIN / 2, offset = 0;  // of a hop
    };

    void mix(const float* const* input, float* const* output, int64_t frames, StemWait& wait);
    void delay(const float* const* input, int64_t frames);
    void await_stems(int64_t first, int64_t frames, StemWait& wait);
    void locate(int64_t first, int64_t frames);
    int64_t offset(int64_t at, Span& span) const;
    bool ready(int64_t number);
    bool is_unity(int64_t frames) const;
    void mix_stem(int stem, float* const* output, int64_t frames);
    void mix_main(float* const* output, int64_t frames, bool unity);
    void meter(float peak, int output, int64_t frames);

    double rate_ = 44100;
    int64_t latency_ = 0, fade_ = 1, hold_ = 0, ramp_ = 1;

    std::array<std::vector<float>, CHANNELS> delay_line_;
    std::array<std::array<float, MAX_CHUNK>, CHANNELS> captured_{}, dry_{}, main_{};
    std::array<float, MAX_CHUNK> weights_{}, gains_{};
    std::array<int64_t, MAX_CHUNK> offsets_{};

    Rings* rings_ = nullptr;
    bool detached_ = false;
    int64_t position_ = 0;     // frames since `reset`
    int64_t ring_shift_ = 0;   // frame of the ring minus frame of the stream
    int64_t separator_latency_ = 0;
    int64_t prefill_ = 0;      // frames of stems that are ready ahead of the audio thread
    int64_t stream_begin_ = 0; // first ring frame of the separator's stream
    int64_t first_stem_ = 0;   // ring frame before which it outputs silence
    bool fresh_ = true;        // nothing was played before this stream: start with its stems, without a fade

    std::array<Ramp, STEMS> ramps_{};
    bool bypass_ = false, unity_before_ = false;
    int64_t wet_ = 0, hold_left_ = 0, gap_start_ = 0, last_missed_ = -1, unity_from_ = 0;
    bool in_gap_ = false, gave_up_ = false;
    int64_t late_hops_ = 0, dry_frames_ = 0;
    std::array<float, OUTPUTS> peaks_{};
};

}  // namespace stream_sep
