// The plug-in as CLAP.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "clap_abi.h"
#include "export.h"
#include "models.h"
#include "plugin.h"

namespace stream_sep {

namespace {

const char* const FEATURES[] = {"audio-effect", "utility", "stereo", nullptr};
const clap_descriptor DESCRIPTOR = {CLAP_IMPLEMENTED, "io.stream_sep.plugin", PLUGIN_NAME, PLUGIN_VENDOR, PLUGIN_URL,
                                    PLUGIN_URL, PLUGIN_URL, PLUGIN_VERSION,
                                    "Live stems: vocals, drums, bass and other, each on an output and a fader",
                                    FEATURES};
constexpr uint64_t MAX_STATE_BYTES = 1 << 16;

struct ClapPlugin {
    clap_plugin interface;
    const clap_host* host;
    Plugin plugin;
    std::atomic<bool> offline{false};
    uint32_t reported_latency = 0;
};

ClapPlugin& self(const clap_plugin* plugin) { return *static_cast<ClapPlugin*>(plugin->plugin_data); }

template <size_t Size>
void copy(char (&out)[Size], const char* text) {
    std::snprintf(out, Size, "%s", text);
}

void take_event(ClapPlugin& instance, const clap_event* event) {
    if (event->space != CLAP_CORE_SPACE || event->type != CLAP_EVENT_PARAM_VALUE) return;
    const auto* change = reinterpret_cast<const clap_param_event*>(event);
    const int index = index_of_id(change->param_id);
    if (index < 0) return;
    instance.plugin.set(index, change->value);
    if (instance.plugin.outdated()) instance.host->request_restart(instance.host);
}

void push_changes(ClapPlugin& instance, const clap_output_events* out) {
    for (int index; out && (index = instance.plugin.take_change()) >= 0;) {
        clap_param_event event{};
        event.header = {sizeof event, 0, CLAP_CORE_SPACE, CLAP_EVENT_PARAM_VALUE, 0};
        event.param_id = PARAMETER_TABLE[index].id;
        event.note_id = -1;
        event.port_index = event.channel = event.key = -1;
        event.value = instance.plugin.value(index);
        if (!out->try_push(out, &event.header)) return instance.plugin.keep_change(index);
    }
}

bool init(const clap_plugin*) { return true; }

void destroy(const clap_plugin* plugin) { delete &self(plugin); }

bool activate(const clap_plugin* plugin, double rate, uint32_t, uint32_t max_frames) {
    ClapPlugin& instance = self(plugin);
    instance.plugin.activate(rate, max_frames);
    const auto latency = static_cast<uint32_t>(instance.plugin.active_latency());
    const void* extension = instance.host->get_extension(instance.host, "clap.latency");
    const auto* host_latency = static_cast<const clap_host_latency*>(extension);
    if (latency != instance.reported_latency && host_latency) host_latency->changed(instance.host);
    instance.reported_latency = latency;
    return true;
}

void deactivate(const clap_plugin* plugin) { self(plugin).plugin.deactivate(); }
bool start_processing(const clap_plugin*) { return true; }
void stop_processing(const clap_plugin* plugin) { self(plugin).plugin.stop(); }
void reset(const clap_plugin* plugin) { self(plugin).plugin.reset(); }

// The channels of all ports, null where the host has none; false where the sound is not 32-bit.
bool rows(const clap_process* process, const float** input, float** output) {
    std::fill_n(input, CHANNELS, nullptr);
    std::fill_n(output, OUTPUTS, nullptr);
    if (process->audio_inputs_count && !process->audio_inputs[0].data32) return false;
    if (process->audio_inputs_count)
        for (uint32_t side = 0; side < std::min(process->audio_inputs[0].channel_count, 2u); ++side)
            input[side] = process->audio_inputs[0].data32[side];
    for (uint32_t port = 0; port < std::min<uint32_t>(process->audio_outputs_count, 1 + STEMS); ++port)
        for (uint32_t side = 0; side < std::min(process->audio_outputs[port].channel_count, 2u); ++side)
            if (process->audio_outputs[port].data32) output[2 * port + side] = process->audio_outputs[port].data32[side];
    return true;
}

// Process up to `end`; later changes apply from there on.
void play(ClapPlugin& instance, const float** input, float** output, uint32_t begin, uint32_t end) {
    if (begin >= end) return;
    const float* in[CHANNELS];
    float* out[OUTPUTS];
    for (int side = 0; side < CHANNELS; ++side) in[side] = input[side] ? input[side] + begin : nullptr;
    for (int row = 0; row < OUTPUTS; ++row) out[row] = output[row] ? output[row] + begin : nullptr;
    instance.plugin.process(in, out, end - begin);
}

int32_t process(const clap_plugin* plugin, const clap_process* process) {
    ClapPlugin& instance = self(plugin);
    const float* input[CHANNELS];
    float* output[OUTPUTS];
    if (!rows(process, input, output)) return CLAP_PROCESS_ERROR;
    instance.plugin.begin_block(process->frames_count, instance.offline);
    uint32_t done = 0;
    const uint32_t events = process->in_events ? process->in_events->size(process->in_events) : 0;
    for (uint32_t number = 0; number < events; ++number) {
        const clap_event* event = process->in_events->get(process->in_events, number);
        const uint32_t time = std::min(std::max(event->time, done), process->frames_count);
        play(instance, input, output, done, time);
        done = time;
        take_event(instance, event);
    }
    play(instance, input, output, done, process->frames_count);
    push_changes(instance, process->out_events);
    return CLAP_PROCESS_CONTINUE;
}

uint32_t port_count(const clap_plugin*, bool is_input) { return is_input ? 1 : 1 + STEMS; }

bool port_get(const clap_plugin*, uint32_t index, bool is_input, clap_port_info* info) {
    if (index >= port_count(nullptr, is_input)) return false;
    *info = {};
    info->id = is_input ? 0 : 1 + index;
    copy(info->name, is_input ? "Input" : BUS_NAMES[index]);
    info->flags = index == 0 ? CLAP_PORT_IS_MAIN : 0;
    info->channel_count = 2;
    info->port_type = "stereo";
    info->in_place_pair = CLAP_INVALID_ID;
    return true;
}

uint32_t param_count(const clap_plugin*) { return PARAMETERS; }

bool param_info(const clap_plugin*, uint32_t index, clap_param_info* info) {
    if (index >= PARAMETERS) return false;
    const Parameter& parameter = PARAMETER_TABLE[index];
    *info = {};
    info->id = parameter.id;
    info->flags = (parameter.stepped() ? CLAP_PARAM_STEPPED : 0) |
                  (parameter.readonly() ? CLAP_PARAM_READONLY : 0) |
                  (parameter.automatable() ? CLAP_PARAM_AUTOMATABLE : 0) |
                  (parameter.kind == Kind::BYPASS ? CLAP_PARAM_BYPASS : 0) |
                  (parameter.kind == Kind::CHOICE ? CLAP_PARAM_ENUM : 0);
    copy(info->name, parameter.name);
    info->min_value = parameter.minimum;
    info->max_value = parameter.maximum;
    info->default_value = parameter.initial;
    return true;
}

bool param_value(const clap_plugin* plugin, uint32_t id, double* out) {
    const int index = index_of_id(id);
    if (index >= 0) *out = self(plugin).plugin.value(index);
    return index >= 0;
}

bool param_text(const clap_plugin* plugin, uint32_t id, double value, char* out, uint32_t capacity) {
    const int index = index_of_id(id);
    if (index >= 0) std::snprintf(out, capacity, "%s", self(plugin).plugin.text(index, value).c_str());
    return index >= 0;
}

bool param_parse(const clap_plugin*, uint32_t id, const char* text, double* out) {
    const int index = index_of_id(id);
    return index >= 0 && PARAMETER_TABLE[index].parse(text, *out);
}

void param_flush(const clap_plugin* plugin, const clap_input_events* in, const clap_output_events* out) {
    for (uint32_t number = 0; in && number < in->size(in); ++number) take_event(self(plugin), in->get(in, number));
    push_changes(self(plugin), out);
}

uint32_t latency_get(const clap_plugin* plugin) { return static_cast<uint32_t>(self(plugin).plugin.reported_latency()); }

bool render_realtime_only(const clap_plugin*) { return false; }
bool render_set(const clap_plugin* plugin, int32_t mode) {
    self(plugin).offline = mode == CLAP_RENDER_OFFLINE;
    return true;
}

bool state_save(const clap_plugin* plugin, const clap_ostream* stream) {
    const std::string text = self(plugin).plugin.state();
    for (size_t done = 0; done < text.size();) {
        const int64_t wrote = stream->write(stream, text.data() + done, text.size() - done);
        if (wrote <= 0) return false;
        done += static_cast<size_t>(wrote);
    }
    return true;
}

bool state_load(const clap_plugin* plugin, const clap_istream* stream) {
    std::string text;
    char bytes[1024];
    for (int64_t got; (got = stream->read(stream, bytes, sizeof bytes)) > 0 && text.size() < MAX_STATE_BYTES;)
        text.append(bytes, static_cast<size_t>(got));
    ClapPlugin& instance = self(plugin);
    const bool restored = instance.plugin.restore(text);
    if (instance.plugin.outdated()) instance.host->request_restart(instance.host);
    return restored;
}

const clap_audio_ports PORTS = {port_count, port_get};
const clap_params PARAMS = {param_count, param_info, param_value, param_text, param_parse, param_flush};
const clap_latency LATENCY = {latency_get};
const clap_render RENDER = {render_realtime_only, render_set};
const clap_state STATE = {state_save, state_load};

const void* extension(const clap_plugin*, const char* id) {
    if (!std::strcmp(id, "clap.audio-ports")) return &PORTS;
    if (!std::strcmp(id, "clap.params")) return &PARAMS;
    if (!std::strcmp(id, "clap.latency")) return &LATENCY;
    if (!std::strcmp(id, "clap.render")) return &RENDER;
    if (!std::strcmp(id, "clap.state")) return &STATE;
    return nullptr;
}

void on_main_thread(const clap_plugin*) {}

uint32_t factory_count(const clap_factory*) { return 1; }
const clap_descriptor* factory_descriptor(const clap_factory*, uint32_t index) {
    return index == 0 ? &DESCRIPTOR : nullptr;
}

const clap_plugin* factory_create(const clap_factory*, const clap_host* host, const char* id) {
    if (std::strcmp(id, DESCRIPTOR.id) != 0) return nullptr;
    auto* instance = new (std::nothrow) ClapPlugin{};
    if (!instance) return nullptr;
    instance->host = host;
    instance->interface = {&DESCRIPTOR, instance, init, destroy, activate, deactivate, start_processing,
                           stop_processing, reset, process, extension, on_main_thread};
    return &instance->interface;
}

const clap_factory FACTORY = {factory_count, factory_descriptor, factory_create};

bool entry_init(const char*) { return true; }
void entry_deinit() {}
const void* entry_factory(const char* id) { return std::strcmp(id, "clap.plugin-factory") ? nullptr : &FACTORY; }

}  // namespace

}  // namespace stream_sep

extern "C" {
EXPORT extern const clap_entry_point clap_entry;
const clap_entry_point clap_entry = {CLAP_IMPLEMENTED, stream_sep::entry_init, stream_sep::entry_deinit,
                                     stream_sep::entry_factory};
}
