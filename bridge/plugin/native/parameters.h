// The parameters of the plug-in: one table, from parameters.def, for all formats and for the engine's control tree.
#pragma once

#include <cstdint>
#include <string>

namespace stream_sep {

constexpr int STEMS = 4;

enum class Kind { CONTINUOUS, TOGGLE, CHOICE, BYPASS, METER, COUNTER };

struct Parameter {
    uint32_t id;
    const char* symbol;
    const char* name;
    double minimum;
    double maximum;
    double initial;
    Kind kind;
    const char* unit;
    const char* path;

    bool readonly() const { return kind == Kind::METER || kind == Kind::COUNTER; }
    bool stepped() const { return kind != Kind::CONTINUOUS; }
    // Those that are no control of the engine change the latency, which no host should automate.
    bool automatable() const { return !readonly() && *path; }
    double clamp(double value) const;
    double normalize(double value) const { return (value - minimum) / (maximum - minimum); }
    double denormalize(double normalized) const;
    std::string text(double value) const;
    bool parse(const std::string& text, double& value) const;
};

constexpr int PARAMETERS = 0
#define PARAMETER(...) +1
#include "parameters.def"
#undef PARAMETER
    ;

extern const Parameter PARAMETER_TABLE[PARAMETERS];

// Where a parameter is in the table; -1 where there is none.
int index_of_id(uint32_t id);
int index_of_symbol(const std::string& symbol);
int index_of_path(const std::string& path);

// Indices that the plug-in itself uses; each stem has gain, mute and solo, in this order.
enum Index : int {
    INDEX_BYPASS = 0,
    INDEX_KARAOKE = 1,
    INDEX_STEMS = 2,
    INDEX_MODEL = INDEX_STEMS + 3 * STEMS,
    INDEX_RESERVE,
    INDEX_STATE,
    INDEX_LATE_HOPS,
};
static_assert(INDEX_LATE_HOPS == PARAMETERS - 1, "parameters.def and the indices disagree");

// A linear gain from decibels; the bottom of a fader is silence.
double db_to_gain(double decibels);

}  // namespace stream_sep
