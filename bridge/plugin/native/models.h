// The separators a user can choose, and the latency each has: a fixed function of model, sample rate and block, so
// that a project has the same latency on every machine and on every day.
#pragma once

#include <cstdint>

namespace stream_sep {

struct Model {
    const char* name;
    double lookahead_seconds;  // a bound, at rates without an entry of their own
};

constexpr int MODELS = 6;

const Model& model_at(int choice);

// Frames between input and output. `reserve` is added on top; all in frames at `rate`.
int64_t plugin_latency(int choice, double rate, int64_t block, int64_t reserve);

}  // namespace stream_sep
