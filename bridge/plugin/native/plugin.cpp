#include "plugin.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "message.h"
#include "models.h"

namespace stream_sep {

const char* const PLUGIN_NAME = "stream_sep";
const char* const PLUGIN_VENDOR = "stream_sep";
const char* const PLUGIN_URL = "https://github.com/stream-sep/stream-sep";
const char* const PLUGIN_VERSION = "0.2.0";
const char* const BUS_NAMES[1 + STEMS] = {"Main", "Vocals", "Drums", "Bass", "Other"};

namespace {

constexpr int64_t SESSION_WAIT_NS = 30000 * MILLISECOND;  // for an engine that is starting
constexpr int64_t MIN_RING_BLOCK = 8192;
const char* const STATE_HEAD = "stream_sep 1\n";

}  // namespace

Plugin::Plugin() : link_(*this) {
    for (int index = 0; index < PARAMETERS; ++index)
        values_[static_cast<size_t>(index)] = PARAMETER_TABLE[index].initial;
}

// Rings for longer blocks cost little, and stay usable when the host changes its block size.
SessionSpec Plugin::spec() const {
    const int64_t longest = std::max(block_, MIN_RING_BLOCK);
    const char* const model = model_at(static_cast<int>(value(INDEX_MODEL))).name;
    return {model, rate_, longest, std::max(latency(), latency_with(longest)), latency()};
}

int64_t Plugin::latency_with(int64_t block) const {
    const auto reserve = static_cast<int64_t>(std::ceil(value(INDEX_RESERVE) * rate_ / 1000));
    return plugin_latency(static_cast<int>(value(INDEX_MODEL)), rate_, block, reserve);
}

void Plugin::set_format(double rate, int64_t block) {
    rate_ = rate > 0 ? rate : 44100;
    block_ = std::max<int64_t>(block, 1);
}

void Plugin::activate(double rate, int64_t block) {
    set_format(rate, block);
    latency_ = latency();
    model_ = static_cast<int>(value(INDEX_MODEL));
    active_ = true;
    const SessionSpec requested = spec();
    const bool keep = requested.fits(session_spec_) && (!session_ || can_play(*session_));
    if (!keep) drop_session();
    mixer_.prepare(rate_, latency_);
    mixer_.set_gains_now(gains());
    clock_.restart(monotonic_ns());
    if (keep) return;
    session_spec_ = requested;
    waited_ = false;
    link_.request(requested);
}

void Plugin::stop() {
    if (session_) session_->rings->set_offline(false);
}

void Plugin::deactivate() {
    stop();
    active_ = false;
}

bool Plugin::outdated() const {
    return active_ && (latency() != latency_ || static_cast<int>(value(INDEX_MODEL)) != model_);
}

void Plugin::reset() {
    if (!mixer_.prepared()) return;
    stop();
    mixer_.reset();
    clock_.restart(monotonic_ns());
}

// While no audio runs: the previous session has nothing to fade out.
void Plugin::drop_session() {
    mixer_.release();
    while (session_ && !link_.give_back(session_)) sleep_ns(MILLISECOND);
    session_ = nullptr;
}

void Plugin::set(int index, double value) {
    const Parameter& parameter = PARAMETER_TABLE[index];
    if (parameter.readonly()) return;
    values_[static_cast<size_t>(index)] = parameter.clamp(value);
    for_engine_[static_cast<size_t>(index)] = true;
    moved_ = true;
}

std::string Plugin::text(int index, double value) const {
    const std::string plain = PARAMETER_TABLE[index].text(value);
    const std::string failure = index == INDEX_STATE && value < 0.5 ? link_.failure() : "";
    return failure.empty() ? plain : plain + ": " + failure;
}

int Plugin::take_change() {
    for (int index = 0; index < PARAMETERS; ++index)
        if (for_host_[static_cast<size_t>(index)].load(std::memory_order_relaxed) &&
            for_host_[static_cast<size_t>(index)].exchange(false))
            return index;
    return -1;
}

std::array<double, STEMS> Plugin::gains() const {
    std::array<double, STEMS> made{};
    bool any_solo = false;
    const auto of_stem = [this](int stem, int which) { return value(INDEX_STEMS + 3 * stem + which); };
    for (int stem = 0; stem < STEMS; ++stem) any_solo |= of_stem(stem, 2) >= 0.5;
    for (int stem = 0; stem < STEMS; ++stem) {
        const bool silent = of_stem(stem, 1) >= 0.5 || (any_solo && of_stem(stem, 2) < 0.5);
        made[static_cast<size_t>(stem)] = silent ? 0.0 : db_to_gain(of_stem(stem, 0));
    }
    made[0] *= 1.0 - value(INDEX_KARAOKE);
    return made;
}

void Plugin::begin_block(int64_t frames, bool offline) {
    if (!mixer_.prepared()) return;
    if (!session_) await_session(offline);
    adopt(offline);
    wait_.wait_ns = clock_.wait_limit_ns(monotonic_ns(), frames, rate_, offline);
    wait_.gone = session_ ? &session_->gone : nullptr;
}

void Plugin::process(const float* const* input, float* const* output, int64_t frames) {
    if (!mixer_.prepared()) {  // a host that has not activated
        for (int row = 0; row < OUTPUTS; ++row)
            if (output[row]) std::fill_n(output[row], frames, 0.0f);
        return;
    }
    if (moved_.load(std::memory_order_relaxed) && moved_.exchange(false)) {
        mixer_.set_gains(gains());
        mixer_.set_bypass(value(INDEX_BYPASS) >= 0.5);
    }
    mixer_.process(input, output, frames, wait_);
    for (int row = 0; row < OUTPUTS; ++row)
        peaks_[static_cast<size_t>(row)].store(mixer_.peak(row), std::memory_order_relaxed);
    publish(INDEX_STATE, static_cast<double>(link_.state()));
    publish(INDEX_LATE_HOPS, static_cast<double>(mixer_.late_hops()));
}

// Wait for an engine that is starting: a bounce needs stems from its first frame on. One that is not announced is
// noticed later, and held up to the clock until they come.
void Plugin::await_session(bool offline) {
    const int64_t now = monotonic_ns();
    int64_t deadline = now + clock_.start_limit_ns(now);
    if (offline) {
        deadline = waited_ ? now : now + SESSION_WAIT_NS;
        waited_ = true;
    }
    while (link_.state() == Link::State::STARTING && monotonic_ns() < deadline) sleep_ns(MILLISECOND);
}

// Take a new session, and give back one whose engine ended once its sound has faded out.
void Plugin::adopt(bool offline) {
    if (session_) {
        if (session_->gone) mixer_.detach();
        if (mixer_.detached() && mixer_.released()) mixer_.release();
        if (!mixer_.attached() && link_.give_back(session_)) session_ = nullptr;
    }
    if (!session_ && mixer_.attachable() && (session_ = link_.take()) && can_play(*session_)) {
        mixer_.attach(session_->rings.get(), session_->separator_latency);
        clock_.restart(monotonic_ns());
    }
    if (session_ && mixer_.attached()) session_->rings->set_offline(offline);
}

bool Plugin::can_play(const Session& session) const {
    return StemMixer::can_read(session.rings->sizes(), session.separator_latency, latency_, rate_);
}

void Plugin::publish(int index, double value) {
    if (this->value(index) == value) return;
    values_[static_cast<size_t>(index)] = value;
    for_host_[static_cast<size_t>(index)] = true;
}

std::string Plugin::changed_controls(bool all) {
    std::string texts;
    for (int index = 0; index < PARAMETERS; ++index) {
        const Parameter& parameter = PARAMETER_TABLE[index];
        if (!*parameter.path || !(for_engine_[static_cast<size_t>(index)].exchange(false) || all)) continue;
        texts += (texts.empty() ? "" : ",") + quoted(parameter.path) + ":" + number_text(value(index));
    }
    return texts;
}

std::string Plugin::status() {
    std::string peaks;
    for (const auto& peak : peaks_) peaks += (peaks.empty() ? "" : ",") + number_text(static_cast<double>(peak.load()));
    return "\"late_hops\":" + number_text(value(INDEX_LATE_HOPS)) + ",\"peaks\":[" + peaks + "]";
}

void Plugin::control_received(const std::string& path, double value) {
    const int index = index_of_path(path);
    if (index < 0) return;
    values_[static_cast<size_t>(index)] = PARAMETER_TABLE[index].clamp(value);
    for_host_[static_cast<size_t>(index)] = true;
    moved_ = true;
}

std::string Plugin::state() const {
    std::string text = STATE_HEAD;
    for (int index = 0; index < PARAMETERS; ++index)
        if (!PARAMETER_TABLE[index].readonly())
            text += std::string(PARAMETER_TABLE[index].symbol) + " " +
                    std::to_string(std::llround(value(index) * 1e6)) + "\n";
    return text;
}

bool Plugin::restore(const std::string& text) {
    if (text.compare(0, std::string(STATE_HEAD).size(), STATE_HEAD) != 0) return false;
    for (size_t at = std::string(STATE_HEAD).size(); at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size()), gap = text.find(' ', at);
        if (gap != std::string::npos && gap < end) {
            const int index = index_of_symbol(text.substr(at, gap - at));
            const std::string number = text.substr(gap + 1, end - gap - 1);
            if (index >= 0) set(index, static_cast<double>(std::strtoll(number.c_str(), nullptr, 10)) / 1e6);
        }
        at = end + 1;
    }
    return true;
}

}  // namespace stream_sep
