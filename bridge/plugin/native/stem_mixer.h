// What the audio thread does with a block: delay it, ask for its stems, mix them, fade where they are missing.
//
// The same as stream_sep/audio/process_block.py, frame for frame (tests/bridge/plugin/test_stem_mixer.py), but for a
// delay line of its own: it plays on, in time, while there is no engine. All it asks of an engine are the stems of
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

// When to wait for stems that are late, instead of going on without them.
struct Patience {
    int64_t wait_ns = 0;                       // at most, in all
    const std::atomic<bool>* gone = nullptr;   // the engine ended: nothing to wait for
};

class StemMixer {
   public:
    static constexpr int64_t MAX_CHUNK = 1024;

    // Lay out the memory for a latency; the sound so far is forgotten. Not on the audio thread.
    void prepare(double rate, int64_t latency);

    // Forget the sound so far: the next frame is the first one of a stream.
    void reset();

    // Ask these rings for stems from now on; `latency` is the separator's own part.
    void attach(Rings* rings, int64_t separator_latency);

    // Ask nobody; the rings are free once `released` says so.
    void detach() { detached_ = true; }
    bool prepared() const { return !delay_line_[0].empty(); }
    bool attached() const { return rings_ != nullptr; }
    bool detached() const { return detached_; }
    bool released() const { return !rings_ || (detached_ && wet_ == 0); }
    bool attachable() const { return !rings_ && (position_ == 0 || wet_ == 0); }
    void release() { rings_ = nullptr; }

    // Start a ramp to these gains with the next frame, one a stem.
    void set_gains(const std::array<double, STEMS>& gains);
    void set_gains_now(const std::array<double, STEMS>& gains);
    void set_bypass(bool bypass) { bypass_ = bypass; }

    // Mix `frames` of stereo into main and stems, each left and right; buffers may be the same, outputs null.
    void process(const float* const* input, float* const* output, int64_t frames, Patience& patience);

    int64_t late_hops() const { return late_hops_; }
    int64_t dry_frames() const { return dry_frames_; }
    float peak(int output) const { return peaks_[static_cast<size_t>(output)]; }

   private:
    struct Ramp {
        float from = 1, aim = 1;
        int64_t begin = 0, end = 0;
        float at(int64_t frame) const;
    };

    void mix(const float* const* input, float* const* output, int64_t frames, Patience& patience);
    void delay(const float* const* input, int64_t frames);
    void await_stems(int64_t first, int64_t frames, Patience& patience);
    void locate(int64_t first, int64_t frames);
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
    int64_t prefill_ = 0;      // frames of stems that lie ready ahead of the audio thread
    int64_t stream_begin_ = 0; // frame of the ring that the separator began with
    int64_t first_stem_ = 0;   // frame of the ring before which it gives silence
    bool fresh_ = true;        // nothing was played before this stream: begin with its stems, not with a fade

    std::array<Ramp, STEMS> ramps_{};
    bool bypass_ = false, unity_before_ = false;
    int64_t wet_ = 0, hold_left_ = 0, gap_start_ = 0, last_missed_ = -1, unity_from_ = 0;
    bool in_gap_ = false, gave_up_ = false;
    int64_t late_hops_ = 0, dry_frames_ = 0;
    std::array<float, OUTPUTS> peaks_{};
};

}  // namespace stream_sep
