#include "parameters.h"

#include <algorithm>
#include <cmath>

#include "message.h"
#include "models.h"

namespace stream_sep {

const Parameter PARAMETER_TABLE[PARAMETERS] = {
#define PARAMETER(id, symbol, name, minimum, maximum, initial, kind, unit, path) \
    {id, symbol, name, minimum, maximum, initial, Kind::kind, unit, path},
#include "parameters.def"
#undef PARAMETER
};

namespace {

constexpr double SILENCE_DB = -90.0;
const char* const STATES[] = {"no engine", "starting", "running"};

template <typename Match>
int find(Match match) {
    for (int index = 0; index < PARAMETERS; ++index)
        if (match(PARAMETER_TABLE[index])) return index;
    return -1;
}

}  // namespace

double Parameter::clamp(double value) const {
    if (!std::isfinite(value)) return initial;
    const double inside = std::min(std::max(value, minimum), maximum);
    return stepped() ? std::round(inside) : inside;
}

double Parameter::denormalize(double normalized) const { return clamp(minimum + normalized * (maximum - minimum)); }

std::string Parameter::text(double value) const {
    if (kind == Kind::CHOICE) return model_at(static_cast<int>(value)).name;
    if (kind == Kind::METER) return STATES[static_cast<int>(clamp(value))];
    if (kind == Kind::TOGGLE || kind == Kind::BYPASS) return value >= 0.5 ? "on" : "off";
    if (kind == Kind::CONTINUOUS && minimum == SILENCE_DB && value <= SILENCE_DB) return "-inf dB";
    const std::string number = decimal_text(value, kind == Kind::COUNTER ? 0 : 2);
    return *unit ? number + " " + unit : number;
}

// The output of `text`, or a number with or without its unit.
bool Parameter::parse(const std::string& input, double& value) const {
    for (int step = 0; stepped() && kind != Kind::COUNTER && step <= maximum - minimum; ++step) {
        value = minimum + step;
        if (input == text(value)) return true;
    }
    if (input.compare(0, 4, "-inf") == 0) return value = minimum, true;
    Message message;
    const std::string number = input.substr(0, input.find_last_of("0123456789") + 1);
    if (!stream_sep::parse("{\"value\":" + number + "}", message)) return false;
    value = clamp(message.number("value"));
    return true;
}

int index_of_id(uint32_t id) {
    return find([id](const Parameter& parameter) { return parameter.id == id; });
}

int index_of_symbol(const std::string& symbol) {
    return find([&](const Parameter& parameter) { return symbol == parameter.symbol; });
}

int index_of_path(const std::string& path) {
    return find([&](const Parameter& parameter) { return *parameter.path && path == parameter.path; });
}

double db_to_gain(double decibels) { return decibels <= SILENCE_DB ? 0.0 : std::pow(10.0, decibels / 20.0); }

}  // namespace stream_sep
