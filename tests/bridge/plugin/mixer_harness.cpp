// The native parts of the plug-in behind plain C functions, for tests in Python.

#include <memory>
#include <string>

#include "host_clock.h"
#include "message.h"
#include "models.h"
#include "stem_mixer.h"

using namespace stream_sep;

namespace {

struct Harness {
    StemMixer mixer;
    std::unique_ptr<Rings> rings;
    std::atomic<bool> gone{false};
    StemWait wait;
};

std::array<double, STEMS> gains_of(const double* gains) { return {gains[0], gains[1], gains[2], gains[3]}; }

}  // namespace

extern "C" {

#define API __attribute__((visibility("default")))

API Harness* mixer_new(double rate, int64_t latency) {
    auto* made = new Harness;
    made->mixer.prepare(rate, latency);
    made->wait.gone = &made->gone;
    return made;
}
API void mixer_free(Harness* harness) { delete harness; }
API bool mixer_attach(Harness* harness, void* memory, const int64_t* sizes, int64_t separator_latency) {
    const RingSizes given = {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]};
    if (!given.sane() || !Rings::matches(memory, given)) return false;
    harness->rings = std::make_unique<Rings>(memory, given);
    harness->mixer.attach(harness->rings.get(), separator_latency);
    return true;
}
API void mixer_detach(Harness* harness) { harness->mixer.detach(); }
API bool mixer_released(Harness* harness) { return harness->mixer.released(); }
API void mixer_release(Harness* harness) { harness->mixer.release(); }
API void mixer_reset(Harness* harness) { harness->mixer.reset(); }
API void mixer_gains(Harness* harness, const double* gains) { harness->mixer.set_gains(gains_of(gains)); }
API void mixer_bypass(Harness* harness, bool bypass) { harness->mixer.set_bypass(bypass); }
API int64_t mixer_late_hops(Harness* harness) { return harness->mixer.late_hops(); }
API int64_t mixer_dry_frames(Harness* harness) { return harness->mixer.dry_frames(); }

// Play from `input` (2 rows of `stride`) to `output` (10 rows of `stride`), frames from `first` on.
API int64_t mixer_process(Harness* harness, const float* input, float* output, int64_t stride, int64_t first,
                          int64_t frames, int64_t wait_ns) {
    const float* in[CHANNELS];
    float* out[OUTPUTS];
    for (int row = 0; row < CHANNELS; ++row) in[row] = input + row * stride + first;
    for (int row = 0; row < OUTPUTS; ++row) out[row] = output + row * stride + first;
    harness->wait.wait_ns = wait_ns;
    harness->mixer.process(in, out, frames, harness->wait);
    return harness->wait.wait_ns;
}

API HostClock* clock_new(int64_t now_ns) {
    auto* made = new HostClock;
    made->restart(now_ns);
    return made;
}
API void clock_free(HostClock* clock) { delete clock; }
API void clock_restart(HostClock* clock, int64_t now_ns) { clock->restart(now_ns); }
API int64_t clock_limit(HostClock* clock, int64_t now_ns, int64_t frames, double rate, bool offline) {
    return clock->wait_limit_ns(now_ns, frames, rate, offline);
}

API int64_t clock_start_limit(HostClock* clock, int64_t now_ns) { return clock->start_limit_ns(now_ns); }

API int64_t harness_latency(int choice, double rate, int64_t block, int64_t reserve) {
    return plugin_latency(choice, rate, block, reserve);
}
API double harness_parse(const char* line, const char* key) {
    Message message;
    return parse(line, message) ? message.number(key, -1e9) : -2e9;
}
API int64_t harness_whole(const char* line, const char* key) {
    Message message;
    return parse(line, message) ? message.whole(key) : -2;
}
API bool harness_can_read(const int64_t* sizes, int64_t separator_latency, int64_t latency, double rate) {
    return StemMixer::can_read({sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]}, separator_latency, latency, rate);
}
API int harness_number(double value, char* out, int capacity) {
    return std::snprintf(out, static_cast<size_t>(capacity), "%s", number_text(value).c_str());
}
}
