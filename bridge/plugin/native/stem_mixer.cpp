#include "stem_mixer.h"

#include <algorithm>
#include <cmath>

#include "platform.h"

namespace stream_sep {

namespace {

constexpr double FADE_SECONDS = 0.006;  // crossfade between stems and dry sound, as in the engine
constexpr double HOLD_SECONDS = 0.1;    // how long stems must be available again before they are used
constexpr double RAMP_SECONDS = 0.01;   // of a gain
constexpr int64_t POLL_NS = 50000;
constexpr int64_t BRIEF_NS = 20000000;
constexpr float METER_FALL = 0.9997f;
constexpr int DRY_STEM = STEMS - 1;     // its output carries the dry sound where stems are missing

int64_t frames_of(double seconds, double rate) { return std::max<int64_t>(1, std::llround(seconds * rate)); }

}  // namespace

float StemMixer::Ramp::at(int64_t frame) const {
    if (frame >= end) return target;
    return from + (target - from) * static_cast<float>(std::max<int64_t>(frame - begin, 0)) /
                      static_cast<float>(end - begin);
}

bool StemMixer::can_read(const RingSizes& sizes, int64_t separator_latency, int64_t latency, double rate) {
    if (separator_latency < 0 || separator_latency > latency - sizes.hop) return false;
    const int64_t prefill = latency - separator_latency;
    const int64_t kept = prefill + MAX_CHUNK + frames_of(FADE_SECONDS, rate) + 2 * sizes.hop;  // a fade reads backwards
    return sizes.slots * sizes.hop >= kept && sizes.capacity >= 2 * kept;
}

void StemMixer::prepare(double rate, int64_t latency) {
    rate_ = rate;
    latency_ = latency;
    fade_ = frames_of(FADE_SECONDS, rate);
    hold_ = frames_of(HOLD_SECONDS, rate);
    ramp_ = frames_of(RAMP_SECONDS, rate);
    for (auto& line : delay_line_) line.assign(static_cast<size_t>(latency + MAX_CHUNK), 0.0f);
    reset();
}

void StemMixer::reset() {
    for (auto& line : delay_line_) std::fill(line.begin(), line.end(), 0.0f);
    for (Ramp& ramp : ramps_) ramp = {ramp.target, ramp.target, 0, 0};
    position_ = 0;
    in_gap_ = unity_before_ = false;
    wet_ = fade_;
    hold_left_ = 0;
    peaks_.fill(0);
    if (rings_) attach(rings_, separator_latency_);
}

void StemMixer::attach(Rings* rings, int64_t separator_latency) {
    rings_ = rings;
    detached_ = false;
    separator_latency_ = separator_latency;
    gave_up_ = false;
    prefill_ = latency_ - separator_latency;
    fresh_ = position_ == 0;
    stream_begin_ = rings->begin();
    ring_shift_ = stream_begin_ - position_;
    first_stem_ = fresh_ ? stream_begin_ : stream_begin_ + separator_latency;
    last_missed_ = stream_begin_ / rings->sizes().hop - 1;
}

void StemMixer::set_gains(const std::array<double, STEMS>& gains) {
    for (size_t stem = 0; stem < STEMS; ++stem) {
        Ramp& ramp = ramps_[stem];
        const float target = static_cast<float>(gains[stem]);
        if (target != ramp.target) ramp = {ramp.at(position_), target, position_, position_ + ramp_};
    }
}

void StemMixer::set_gains_now(const std::array<double, STEMS>& gains) {
    for (size_t stem = 0; stem < STEMS; ++stem) {
        const float target = static_cast<float>(gains[stem]);
        ramps_[stem] = {target, target, 0, 0};
    }
}

void StemMixer::process(const float* const* input, float* const* output, int64_t frames, StemWait& wait) {
    for (int64_t done = 0; done < frames; done += MAX_CHUNK) {
        const float* in[CHANNELS];
        float* out[OUTPUTS];
        for (int channel = 0; channel < CHANNELS; ++channel) in[channel] = input[channel] + done;
        for (int row = 0; row < OUTPUTS; ++row) out[row] = output[row] ? output[row] + done : nullptr;
        mix(in, out, std::min(MAX_CHUNK, frames - done), wait);
    }
}

void StemMixer::mix(const float* const* input, float* const* output, int64_t frames, StemWait& wait) {
    delay(input, frames);
    const int64_t first = position_ + ring_shift_ - prefill_;
    if (rings_ && !detached_) {
        const float* rows[CHANNELS] = {captured_[0].data(), captured_[1].data()};
        rings_->write(rows, frames);
        await_stems(first, frames, wait);
    }
    const bool unity = is_unity(frames);
    unity_from_ = !in_gap_ || wet_ == 0 ? 0 : frames;
    locate(first, frames);
    for (auto& row : main_) std::fill_n(row.begin(), frames, 0.0f);
    for (int stem = 0; stem < STEMS; ++stem) mix_stem(stem, output, frames);
    mix_main(output, frames, unity);
    position_ += frames;
}

// Copy the input, which hosts may overwrite with the output, and read the input of `latency` frames ago.
void StemMixer::delay(const float* const* input, int64_t frames) {
    const int64_t length = static_cast<int64_t>(delay_line_[0].size());
    const int64_t write = position_ % length, read = (position_ + length - latency_) % length;
    const auto wrapped = [length](int64_t at) { return at < length ? at : at - length; };  // a division costs more
    for (size_t channel = 0; channel < CHANNELS; ++channel) {
        float* line = delay_line_[channel].data();
        for (int64_t frame = 0; frame < frames; ++frame) {
            const float sample = input[channel] ? input[channel][frame] : 0.0f;
            const size_t at = static_cast<size_t>(frame);
            captured_[channel][at] = line[wrapped(write + frame)] = std::isfinite(sample) ? sample : 0.0f;
        }
        for (int64_t frame = 0; frame < frames; ++frame)
            dry_[channel][static_cast<size_t>(frame)] = line[wrapped(read + frame)];
    }
}

// After a wait that timed out, the next ones are short until stems arrive again: a bounce has to end even if its
// separator hangs.
void StemMixer::await_stems(int64_t first, int64_t frames, StemWait& wait) {
    if (first + frames <= first_stem_) return;  // silence of the start, of which no hop is read
    const int64_t hop = rings_->sizes().hop, last = (first + frames - 1) / hop;
    for (int64_t number = std::max(first, first_stem_) / hop; wait.wait_ns > 0 && number <= last; ++number) {
        if (rings_->hop(number) != Rings::Hop::PENDING) continue;
        const int64_t began = monotonic_ns(), longest = gave_up_ ? BRIEF_NS : wait.wait_ns;
        const auto waited = [&] { return monotonic_ns() - began; };
        while (rings_->hop(number) == Rings::Hop::PENDING && waited() < longest && !*wait.gone) sleep_ns(POLL_NS);
        gave_up_ = rings_->hop(number) == Rings::Hop::PENDING;
        wait.wait_ns -= waited();
    }
}

bool StemMixer::is_unity(int64_t frames) const {
    return std::all_of(ramps_.begin(), ramps_.end(), [&](const Ramp& ramp) {
        const bool still = position_ >= ramp.end || ramp.begin >= position_ + frames;
        return still && (position_ >= ramp.end ? ramp.target : ramp.from) == 1.0f;
    });
}

// Find the offset of each frame's stems, and their gain: 1, 0, or a step of a crossfade. Where stems are missing
// the last ones are read backwards during the fade-out, so that there is something to fade from.
void StemMixer::locate(int64_t first, int64_t frames) {
    const bool asking = rings_ && !detached_;
    int64_t check_at = first_stem_;  // where the next hop begins
    Span span;
    bool found = asking && fresh_;
    for (int64_t frame = 0; frame < frames; ++frame) {
        const int64_t at = first + frame;
        if (asking && at >= check_at) {
            const int64_t number = at / rings_->sizes().hop;
            check_at = (number + 1) * rings_->sizes().hop;
            found = ready(number);
        }
        const bool there = found && (!in_gap_ || wet_ == 0);  // a fade that has started is completed
        if (there) {
            in_gap_ = false;
            hold_left_ = std::max<int64_t>(hold_left_ - 1, 0);
        } else {
            if (!in_gap_) gap_start_ = at;
            in_gap_ = true;
            hold_left_ = hold_;
        }
        const bool audible = there && hold_left_ == 0 && !bypass_;
        wet_ = audible ? std::min(wet_ + 1, fade_) : std::max<int64_t>(wet_ - 1, 0);
        dry_frames_ += !audible;
        if (wet_ == 0) unity_from_ = std::min(unity_from_, frame);
        const int64_t source = there ? at : 2 * gap_start_ - 1 - at;
        weights_[static_cast<size_t>(frame)] = static_cast<float>(wet_) / static_cast<float>(fade_);
        const bool read = rings_ && wet_ > 0 && source >= stream_begin_;
        offsets_[static_cast<size_t>(frame)] = read ? offset(source, span) : -1;
    }
}

// Where the stems of a ring frame are; computed anew only where another hop begins.
int64_t StemMixer::offset(int64_t at, Span& span) const {
    const int64_t hop = rings_->sizes().hop;
    if (at < span.begin || at >= span.begin + hop) span = {at - at % hop, rings_->offset(at - at % hop)};
    return span.offset + at - span.begin;
}

bool StemMixer::ready(int64_t number) {
    const Rings::Hop hop = rings_->hop(number);
    if (hop != Rings::Hop::READY && number > last_missed_) {
        last_missed_ = number;
        late_hops_ += hop == Rings::Hop::PENDING;
    }
    return hop == Rings::Hop::READY;
}

// Write one stem to its output and add it to the main mix; where stems are missing one output carries the dry sound.
void StemMixer::mix_stem(int stem, float* const* output, int64_t frames) {
    const Ramp& ramp = ramps_[static_cast<size_t>(stem)];
    for (int64_t frame = 0; frame < frames; ++frame)
        gains_[static_cast<size_t>(frame)] = ramp.at(position_ + frame + 1);
    const float* stems = rings_ ? rings_->stems() : nullptr;
    const float dry_share = stem == DRY_STEM ? 1.0f : 0.0f;
    for (int channel = 0; channel < CHANNELS; ++channel) {
        const int64_t shift = rings_ ? (stem * CHANNELS + channel) * rings_->sizes().hop : 0;
        const int row = CHANNELS * (1 + stem) + channel;
        float peak = 0;
        for (size_t frame = 0; frame < static_cast<size_t>(frames); ++frame) {
            const float wet = weights_[frame];
            float value = stems && offsets_[frame] >= 0 && wet > 0.0f ? stems[offsets_[frame] + shift] : 0.0f;
            value *= wet * gains_[frame];
            main_[static_cast<size_t>(channel)][frame] += value;
            value += dry_share * (1.0f - wet) * dry_[static_cast<size_t>(channel)][frame];
            if (output[row]) output[row][frame] = value;
            peak = std::max(peak, std::fabs(value));
        }
        meter(peak, row, frames);
    }
}

void StemMixer::mix_main(float* const* output, int64_t frames, bool unity) {
    for (int channel = 0; channel < CHANNELS; ++channel) {
        const auto& mixed = main_[static_cast<size_t>(channel)];
        const auto& dry = dry_[static_cast<size_t>(channel)];
        float peak = 0;
        for (int64_t frame = 0; frame < frames; ++frame) {
            const size_t at = static_cast<size_t>(frame);
            const float wet = weights_[at];
            const bool plain = frame >= unity_from_ ? unity : unity_before_;
            const float value = plain || wet <= 0.0f ? dry[at] : mixed[at] + (1.0f - wet) * dry[at];
            if (output[channel]) output[channel][frame] = value;
            peak = std::max(peak, std::fabs(value));
        }
        meter(peak, channel, frames);
    }
    if (unity_from_ < frames) unity_before_ = unity;
}

void StemMixer::meter(float peak, int output, int64_t frames) {
    float& held = peaks_[static_cast<size_t>(output)];
    held = std::max(peak, held * std::pow(METER_FALL, static_cast<float>(frames)));
}

}  // namespace stream_sep
