#include "models.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace stream_sep {

namespace {

struct Entry {
    const char* name;
    int rate;
    int64_t hop;
    int64_t latency;
};

const Entry ENTRIES[] = {
#define MODEL(name, rate, hop, latency) {name, rate, hop, latency},
#include "models.def"
#undef MODEL
};

constexpr double LOOKAHEAD_SECONDS = 0.084;  // of a network that looks 7 hops ahead
const Model CHOICES[MODELS] = {{"live", 0}, {"instant", 0}, {"bands", 0}, {"passthrough", 0},
                               {"near", LOOKAHEAD_SECONDS}, {"studio", LOOKAHEAD_SECONDS}};

constexpr double JITTER_MS = 5.0;  // allowance for late wake-ups of the worker
constexpr double RESAMPLED_SECONDS = 0.055;  // covers the resampling around any separator
constexpr double RESAMPLED_FRAMES = 1800;
constexpr double MAX_HOP_SECONDS = 0.012;
constexpr int64_t MIN_HOP = 256;

Entry entry_for(int choice, double rate) {
    for (const Entry& entry : ENTRIES)
        if (!std::strcmp(entry.name, model_at(choice).name) && entry.rate == std::lround(rate)) return entry;
    const int64_t hop = std::max<int64_t>(MIN_HOP, std::llround(MAX_HOP_SECONDS * rate));
    const Model& model = model_at(choice);
    return {model.name, 0, hop, std::llround(RESAMPLED_FRAMES + (RESAMPLED_SECONDS + model.lookahead_seconds) * rate)};
}

}  // namespace

const Model& model_at(int choice) { return CHOICES[std::min(std::max(choice, 0), MODELS - 1)]; }

// The prefill is `fixed_prefill` of stream_sep/audio/latency.py.
int64_t plugin_latency(int choice, double rate, int64_t block, int64_t reserve) {
    const Entry entry = entry_for(choice, rate);
    const int64_t size = std::max<int64_t>(block, 1);
    const int64_t compute = (size + entry.hop - 1) / entry.hop * ((entry.hop + 1) / 2);
    const int64_t jitter = static_cast<int64_t>(std::ceil(JITTER_MS * static_cast<double>(std::lround(rate)) / 1000));
    const int64_t blocks = (compute + jitter + size - 1) / size;
    return blocks * size + entry.hop - std::gcd(size, entry.hop) + entry.latency + reserve;
}

}  // namespace stream_sep
