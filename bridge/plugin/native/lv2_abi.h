// What the plug-in uses of LV2 1.18 (https://lv2plug.in), declared as that interface lays it out.
#pragma once

#include <cstdint>

extern "C" {

struct lv2_feature {
    const char* uri;
    void* data;
};

struct lv2_plugin_descriptor {
    const char* uri;
    void* (*instantiate)(const lv2_plugin_descriptor*, double rate, const char* bundle, const lv2_feature* const* features);
    void (*connect_port)(void* instance, uint32_t port, void* data);
    void (*activate)(void* instance);
    void (*run)(void* instance, uint32_t frames);
    void (*deactivate)(void* instance);
    void (*cleanup)(void* instance);
    const void* (*extension_data)(const char* uri);
};

struct lv2_urid_map {
    void* handle;
    uint32_t (*map)(void* handle, const char* uri);
};

struct lv2_option {
    uint32_t context, subject, key, size, type;
    const void* value;
};

// http://kx.studio/ns/lv2ext/control-input-port-change-request
struct lv2_change_request {
    void* handle;
    uint32_t (*request)(void* handle, uint32_t port, float value);
};

}  // extern "C"

static_assert(sizeof(void*) != 8 || (sizeof(lv2_feature) == 16 && sizeof(lv2_plugin_descriptor) == 64 &&
                                     sizeof(lv2_urid_map) == 16 && sizeof(lv2_option) == 32 &&
                                     sizeof(lv2_change_request) == 16),
              "the layout of LV2's structures");
