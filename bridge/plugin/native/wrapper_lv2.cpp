// The plug-in as LV2. Ports: two inputs, ten outputs, freewheel, latency, then the parameters in their order; the
// description for hosts is written by bridge/plugin/lv2_bundle.py. Hosts keep the values of ports, so that no state
// is needed.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <new>

#include "export.h"
#include "lv2_abi.h"
#include "plugin.h"

namespace stream_sep {

namespace {

const char* const URI = "https://github.com/stream-sep/stream-sep#plugin";
const char* const BLOCK_OPTIONS[] = {"http://lv2plug.in/ns/ext/buf-size#nominalBlockLength",
                                     "http://lv2plug.in/ns/ext/buf-size#maxBlockLength"};
constexpr int64_t DEFAULT_BLOCK = 1024;  // if the host reports only a maximum, or nothing

enum Port : uint32_t {
    INPUTS = 0,
    OUTPUT_PORTS = CHANNELS,
    FREEWHEEL = CHANNELS + OUTPUTS,
    LATENCY,
    CONTROLS,
    PORTS = CONTROLS + PARAMETERS,
};

struct Lv2Plugin {
    Plugin plugin;
    double rate = 44100;
    int64_t block = DEFAULT_BLOCK;
    std::array<void*, PORTS> ports{};
    std::array<float, PARAMETERS> seen{};
    const lv2_change_request* host = nullptr;

    float* port(uint32_t number) const { return static_cast<float*>(ports[number]); }
};

Lv2Plugin& self(void* instance) { return *static_cast<Lv2Plugin*>(instance); }

void* feature(const lv2_feature* const* features, const char* uri) {
    for (; features && *features; ++features)
        if (!std::strcmp((*features)->uri, uri)) return (*features)->data;
    return nullptr;
}

// The host's nominal block; its maximum alone (Ardour's is always 8192) is a poor guess.
int64_t nominal_block(const lv2_feature* const* features) {
    const auto* map = static_cast<const lv2_urid_map*>(feature(features, "http://lv2plug.in/ns/ext/urid#map"));
    const auto* options = static_cast<const lv2_option*>(feature(features, "http://lv2plug.in/ns/ext/options#options"));
    if (!map || !options) return DEFAULT_BLOCK;
    int64_t found[2] = {0, 0};
    for (; options->key; ++options)
        for (int kind = 0; kind < 2; ++kind)
            if (options->key == map->map(map->handle, BLOCK_OPTIONS[kind]) && options->size == sizeof(int32_t))
                found[kind] = *static_cast<const int32_t*>(options->value);
    if (found[0] > 0) return found[0];
    return found[1] > 0 ? std::min(found[1], DEFAULT_BLOCK) : DEFAULT_BLOCK;
}

void* instantiate(const lv2_plugin_descriptor*, double rate, const char*, const lv2_feature* const* features) {
    auto* instance = new (std::nothrow) Lv2Plugin{};
    if (!instance) return nullptr;
    instance->rate = rate;
    instance->block = nominal_block(features);
    instance->host = static_cast<const lv2_change_request*>(
        feature(features, "http://kx.studio/ns/lv2ext/control-input-port-change-request"));
    instance->seen.fill(NAN);
    return instance;
}

void connect_port(void* instance, uint32_t port, void* data) {
    if (port < PORTS) self(instance).ports[port] = data;
}

// An unchanged port is no move: it would undo a change by a control surface.
void read_controls(Lv2Plugin& instance) {
    for (int index = 0; index < PARAMETERS; ++index) {
        const float* port = instance.port(CONTROLS + static_cast<uint32_t>(index));
        float& seen = instance.seen[static_cast<size_t>(index)];
        if (!port || PARAMETER_TABLE[index].readonly() || *port == seen) continue;
        seen = *port;
        instance.plugin.set(index, static_cast<double>(*port));
    }
}

void write_controls(Lv2Plugin& instance) {
    std::array<bool, PARAMETERS> refused{};
    for (int index; (index = instance.plugin.take_change()) >= 0;) {
        const uint32_t number = CONTROLS + static_cast<uint32_t>(index);
        const float value = static_cast<float>(instance.plugin.value(index));
        if (!PARAMETER_TABLE[index].readonly() && instance.host)
            refused[static_cast<size_t>(index)] = instance.host->request(instance.host->handle, number, value) != 0;
    }
    for (int index = 0; index < PARAMETERS; ++index)
        if (refused[static_cast<size_t>(index)]) instance.plugin.keep_change(index);
    for (int index = 0; index < PARAMETERS; ++index)
        if (float* port = instance.port(CONTROLS + static_cast<uint32_t>(index)))
            if (PARAMETER_TABLE[index].readonly()) *port = static_cast<float>(instance.plugin.value(index));
    if (float* port = instance.port(LATENCY)) *port = static_cast<float>(instance.plugin.active_latency());
}

void activate(void* handle) {
    Lv2Plugin& instance = self(handle);
    read_controls(instance);
    instance.plugin.activate(instance.rate, instance.block);
}

void run(void* handle, uint32_t frames) {
    Lv2Plugin& instance = self(handle);
    const float* input[CHANNELS];
    float* output[OUTPUTS];
    for (uint32_t side = 0; side < CHANNELS; ++side) input[side] = instance.port(INPUTS + side);
    for (uint32_t row = 0; row < OUTPUTS; ++row) output[row] = instance.port(OUTPUT_PORTS + row);
    read_controls(instance);
    const float* freewheel = instance.port(FREEWHEEL);
    if (frames) {  // some hosts run no frames to read the latency
        instance.plugin.begin_block(frames, freewheel && *freewheel > 0.5f);
        instance.plugin.process(input, output, frames);
    }
    write_controls(instance);
}

void deactivate(void* instance) { self(instance).plugin.deactivate(); }
void cleanup(void* instance) { delete &self(instance); }
const void* extension_data(const char*) { return nullptr; }

const lv2_plugin_descriptor DESCRIPTOR = {URI, instantiate, connect_port, activate, run, deactivate, cleanup, extension_data};

}  // namespace

}  // namespace stream_sep

extern "C" EXPORT const lv2_plugin_descriptor* lv2_descriptor(uint32_t index) {
    return index == 0 ? &stream_sep::DESCRIPTOR : nullptr;
}
