// One instance of the plug-in, in any format: parameters, mixer, and the link to the engine.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "host_clock.h"
#include "link.h"
#include "parameters.h"
#include "stem_mixer.h"

namespace stream_sep {

extern const char* const PLUGIN_NAME;
extern const char* const PLUGIN_VENDOR;
extern const char* const PLUGIN_URL;
extern const char* const PLUGIN_VERSION;
extern const char* const BUS_NAMES[1 + STEMS];

class Plugin : private LinkClient {
   public:
    Plugin();
    ~Plugin() override = default;

    // Set what the latency is computed for, ahead of `activate`.
    void set_format(double rate, int64_t block);

    // Prepare to play; `block` is the nominal or the longest block. Not on the audio thread.
    void activate(double rate, int64_t block);

    // Audio stops: offline rendering, if it was, has ended. `deactivate` also ends the activation.
    void stop();
    void deactivate();

    // Start a new stream, as if nothing had been played before.
    void reset();

    // `latency` is of the current parameters, `active_latency` of the last activation; hosts need that of what plays.
    int64_t latency() const { return latency_with(block_); }
    int64_t active_latency() const { return latency_; }
    int64_t reported_latency() const { return active_ ? latency_ : latency(); }
    // Whether model or latency differ from the last activation, so that the host has to activate again.
    bool outdated() const;

    double value(int index) const { return values_[static_cast<size_t>(index)].load(std::memory_order_relaxed); }

    // The text of a value; with the reason where there is no engine. Not on the audio thread.
    std::string text(int index, double value) const;

    // A change by the host, from any thread; within a block, between two calls of `process`.
    void set(int index, double value);

    // A change from elsewhere that the host has to show; -1 if there is none.
    int take_change();
    // The host did not take the change: it gets the newest value later.
    void keep_change(int index) { for_host_[static_cast<size_t>(index)] = true; }

    // Process `frames`: two inputs, ten outputs, null where the host has none.
    void process(const float* const* input, float* const* output, int64_t frames);

    // Once a block, before `process`: its frames, and whether the host renders offline.
    void begin_block(int64_t frames, bool offline);

    std::string state() const;
    bool restore(const std::string& text);

   private:
    std::string changed_controls(bool all) override;
    std::string status() override;
    void control_received(const std::string& path, double value) override;

    SessionSpec spec() const;
    int64_t latency_with(int64_t block) const;
    void adopt(bool offline);
    bool can_play(const Session& session) const;
    void drop_session();
    void await_session(bool offline);
    std::array<double, STEMS> gains() const;
    void publish(int index, double value);

    std::array<std::atomic<double>, PARAMETERS> values_;
    std::array<std::atomic<bool>, PARAMETERS> for_engine_{}, for_host_{};
    std::atomic<bool> moved_{true};
    std::array<std::atomic<float>, OUTPUTS> peaks_{};

    StemMixer mixer_;
    StemWait wait_;
    Session* session_ = nullptr;
    SessionSpec session_spec_;
    double rate_ = 44100;
    int64_t block_ = 512, latency_ = 0;
    int model_ = 0;
    bool active_ = false, waited_ = false;
    HostClock clock_;
    Link link_;  // last: its thread has to end before what it uses
};

}  // namespace stream_sep
