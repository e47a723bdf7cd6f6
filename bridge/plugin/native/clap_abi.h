// What the plug-in uses of CLAP 1.2 (https://github.com/free-audio/clap), declared as that interface lays it out.
#pragma once

#include <cstdint>

extern "C" {

struct clap_version { uint32_t major, minor, revision; };

struct clap_host {
    clap_version version;
    void* host_data;
    const char *name, *vendor, *url, *release;
    const void* (*get_extension)(const clap_host*, const char* id);
    void (*request_restart)(const clap_host*);
    void (*request_process)(const clap_host*);
    void (*request_callback)(const clap_host*);
};

struct clap_descriptor {
    clap_version clap;
    const char *id, *name, *vendor, *url, *manual_url, *support_url, *version, *description;
    const char* const* features;
};

struct clap_event {
    uint32_t size, time;
    uint16_t space, type;
    uint32_t flags;
};

struct clap_param_event {
    clap_event header;
    uint32_t param_id;
    void* cookie;
    int32_t note_id;
    int16_t port_index, channel, key;
    double value;
};

struct clap_input_events {
    void* context;
    uint32_t (*size)(const clap_input_events*);
    const clap_event* (*get)(const clap_input_events*, uint32_t index);
};

struct clap_output_events {
    void* context;
    bool (*try_push)(const clap_output_events*, const clap_event*);
};

struct clap_audio_buffer {
    float** data32;
    double** data64;
    uint32_t channel_count, latency;
    uint64_t constant_mask;
};

struct clap_process {
    int64_t steady_time;
    uint32_t frames_count;
    const void* transport;
    const clap_audio_buffer* audio_inputs;
    clap_audio_buffer* audio_outputs;
    uint32_t audio_inputs_count, audio_outputs_count;
    const clap_input_events* in_events;
    const clap_output_events* out_events;
};

struct clap_plugin {
    const clap_descriptor* descriptor;
    void* plugin_data;
    bool (*init)(const clap_plugin*);
    void (*destroy)(const clap_plugin*);
    bool (*activate)(const clap_plugin*, double rate, uint32_t min_frames, uint32_t max_frames);
    void (*deactivate)(const clap_plugin*);
    bool (*start_processing)(const clap_plugin*);
    void (*stop_processing)(const clap_plugin*);
    void (*reset)(const clap_plugin*);
    int32_t (*process)(const clap_plugin*, const clap_process*);
    const void* (*get_extension)(const clap_plugin*, const char* id);
    void (*on_main_thread)(const clap_plugin*);
};

struct clap_factory {
    uint32_t (*count)(const clap_factory*);
    const clap_descriptor* (*descriptor)(const clap_factory*, uint32_t index);
    const clap_plugin* (*create)(const clap_factory*, const clap_host*, const char* id);
};

struct clap_entry_point {
    clap_version clap;
    bool (*init)(const char* path);
    void (*deinit)(void);
    const void* (*get_factory)(const char* id);
};

struct clap_port_info {
    uint32_t id;
    char name[256];
    uint32_t flags, channel_count;
    const char* port_type;
    uint32_t in_place_pair;
};

struct clap_audio_ports {
    uint32_t (*count)(const clap_plugin*, bool is_input);
    bool (*get)(const clap_plugin*, uint32_t index, bool is_input, clap_port_info*);
};

struct clap_param_info {
    uint32_t id, flags;
    void* cookie;
    char name[256], module[1024];
    double min_value, max_value, default_value;
};

struct clap_params {
    uint32_t (*count)(const clap_plugin*);
    bool (*get_info)(const clap_plugin*, uint32_t index, clap_param_info*);
    bool (*get_value)(const clap_plugin*, uint32_t id, double* out);
    bool (*value_to_text)(const clap_plugin*, uint32_t id, double value, char* out, uint32_t capacity);
    bool (*text_to_value)(const clap_plugin*, uint32_t id, const char* text, double* out);
    void (*flush)(const clap_plugin*, const clap_input_events*, const clap_output_events*);
};

struct clap_latency { uint32_t (*get)(const clap_plugin*); };
struct clap_host_latency { void (*changed)(const clap_host*); };

struct clap_render {
    bool (*has_hard_realtime_requirement)(const clap_plugin*);
    bool (*set)(const clap_plugin*, int32_t mode);
};

struct clap_istream { void* context; int64_t (*read)(const clap_istream*, void*, uint64_t); };
struct clap_ostream { void* context; int64_t (*write)(const clap_ostream*, const void*, uint64_t); };

struct clap_state {
    bool (*save)(const clap_plugin*, const clap_ostream*);
    bool (*load)(const clap_plugin*, const clap_istream*);
};

}  // extern "C"

constexpr clap_version CLAP_IMPLEMENTED = {1, 2, 0};
constexpr uint16_t CLAP_CORE_SPACE = 0, CLAP_EVENT_PARAM_VALUE = 5;
constexpr uint32_t CLAP_INVALID_ID = UINT32_MAX;
constexpr int32_t CLAP_PROCESS_CONTINUE = 1, CLAP_PROCESS_ERROR = 0, CLAP_RENDER_OFFLINE = 1;
constexpr uint32_t CLAP_PORT_IS_MAIN = 1 << 0;
constexpr uint32_t CLAP_PARAM_STEPPED = 1 << 0, CLAP_PARAM_READONLY = 1 << 3, CLAP_PARAM_BYPASS = 1 << 4,
                   CLAP_PARAM_AUTOMATABLE = 1 << 5, CLAP_PARAM_ENUM = 1 << 16;

static_assert(sizeof(clap_version) == 12 && sizeof(clap_event) == 16 && sizeof(clap_param_event) == 56);
static_assert(sizeof(void*) != 8 || (sizeof(clap_host) == 88 && sizeof(clap_descriptor) == 88 &&
                                     sizeof(clap_plugin) == 96 && sizeof(clap_process) == 64 &&
                                     sizeof(clap_audio_buffer) == 32 && sizeof(clap_port_info) == 288 &&
                                     sizeof(clap_param_info) == 1320 && sizeof(clap_entry_point) == 40),
              "the layout of CLAP's structures");
