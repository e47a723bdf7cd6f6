// Compares the structures and the orders of functions that the plug-in declares for itself with those in the headers
// of others: DPF's for VST3 and CLAP, LV2's own. It compiles only if sizes and offsets agree, and returns 0 only if
// orders and ids do. Headers in which a table of functions inherits another have its own functions alone.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "clap/entry.h"
#include "clap/ext/audio-ports.h"
#include "clap/ext/latency.h"
#include "clap/ext/params.h"
#include "clap/ext/state.h"
#include "clap/plugin-factory.h"
#include "lv2/core/lv2.h"
#include "lv2/options/options.h"
#include "lv2/urid/urid.h"
#include "travesty/audio_processor.h"
#include "travesty/component.h"
#include "travesty/edit_controller.h"
#include "travesty/factory.h"
#include "vst3_abi.h"

namespace ours {
#include "clap_abi.h"
#include "lv2_abi.h"
}  // namespace ours

#define SIZE(own, other) static_assert(sizeof(own) == sizeof(other), #own)
#define FIELD(own, field, other, name) \
    static_assert(offsetof(own, field) == offsetof(other, name) && sizeof(own::field) == sizeof(other::name), #own "." #field)

SIZE(ours::clap_version, ::clap_version);
SIZE(ours::clap_host, ::clap_host);
FIELD(ours::clap_host, get_extension, ::clap_host, get_extension);
FIELD(ours::clap_host, request_restart, ::clap_host, request_restart);
FIELD(ours::clap_host, request_callback, ::clap_host, request_callback);
SIZE(ours::clap_descriptor, clap_plugin_descriptor);
FIELD(ours::clap_descriptor, id, clap_plugin_descriptor, id);
FIELD(ours::clap_descriptor, version, clap_plugin_descriptor, version);
FIELD(ours::clap_descriptor, features, clap_plugin_descriptor, features);
SIZE(ours::clap_event, clap_event_header);
FIELD(ours::clap_event, space, clap_event_header, space_id);
FIELD(ours::clap_event, type, clap_event_header, type);
SIZE(ours::clap_param_event, clap_event_param_value);
FIELD(ours::clap_param_event, param_id, clap_event_param_value, param_id);
FIELD(ours::clap_param_event, cookie, clap_event_param_value, cookie);
FIELD(ours::clap_param_event, key, clap_event_param_value, key);
FIELD(ours::clap_param_event, value, clap_event_param_value, value);
SIZE(ours::clap_input_events, ::clap_input_events);
FIELD(ours::clap_input_events, get, ::clap_input_events, get);
SIZE(ours::clap_output_events, ::clap_output_events);
FIELD(ours::clap_output_events, try_push, ::clap_output_events, try_push);
SIZE(ours::clap_audio_buffer, ::clap_audio_buffer);
FIELD(ours::clap_audio_buffer, channel_count, ::clap_audio_buffer, channel_count);
FIELD(ours::clap_audio_buffer, constant_mask, ::clap_audio_buffer, constant_mask);
SIZE(ours::clap_process, ::clap_process);
FIELD(ours::clap_process, frames_count, ::clap_process, frames_count);
FIELD(ours::clap_process, audio_inputs, ::clap_process, audio_inputs);
FIELD(ours::clap_process, audio_outputs, ::clap_process, audio_outputs);
FIELD(ours::clap_process, audio_outputs_count, ::clap_process, audio_outputs_count);
FIELD(ours::clap_process, in_events, ::clap_process, in_events);
FIELD(ours::clap_process, out_events, ::clap_process, out_events);
SIZE(ours::clap_plugin, ::clap_plugin);
FIELD(ours::clap_plugin, plugin_data, ::clap_plugin, plugin_data);
FIELD(ours::clap_plugin, init, ::clap_plugin, init);
FIELD(ours::clap_plugin, destroy, ::clap_plugin, destroy);
FIELD(ours::clap_plugin, activate, ::clap_plugin, activate);
FIELD(ours::clap_plugin, stop_processing, ::clap_plugin, stop_processing);
FIELD(ours::clap_plugin, reset, ::clap_plugin, reset);
FIELD(ours::clap_plugin, process, ::clap_plugin, process);
FIELD(ours::clap_plugin, get_extension, ::clap_plugin, get_extension);
FIELD(ours::clap_plugin, on_main_thread, ::clap_plugin, on_main_thread);
SIZE(ours::clap_factory, clap_plugin_factory);
FIELD(ours::clap_factory, descriptor, clap_plugin_factory, get_plugin_descriptor);
FIELD(ours::clap_factory, create, clap_plugin_factory, create_plugin);
SIZE(ours::clap_entry_point, clap_plugin_entry);
FIELD(ours::clap_entry_point, init, clap_plugin_entry, init);
FIELD(ours::clap_entry_point, get_factory, clap_plugin_entry, get_factory);
SIZE(ours::clap_port_info, clap_audio_port_info);
FIELD(ours::clap_port_info, flags, clap_audio_port_info, flags);
FIELD(ours::clap_port_info, port_type, clap_audio_port_info, port_type);
FIELD(ours::clap_port_info, in_place_pair, clap_audio_port_info, in_place_pair);
SIZE(ours::clap_audio_ports, clap_plugin_audio_ports);
SIZE(ours::clap_param_info, ::clap_param_info);
FIELD(ours::clap_param_info, name, ::clap_param_info, name);
FIELD(ours::clap_param_info, module, ::clap_param_info, module);
FIELD(ours::clap_param_info, min_value, ::clap_param_info, min_value);
FIELD(ours::clap_param_info, default_value, ::clap_param_info, default_value);
SIZE(ours::clap_params, clap_plugin_params);
FIELD(ours::clap_params, get_value, clap_plugin_params, get_value);
FIELD(ours::clap_params, value_to_text, clap_plugin_params, value_to_text);
FIELD(ours::clap_params, text_to_value, clap_plugin_params, text_to_value);
FIELD(ours::clap_params, flush, clap_plugin_params, flush);
SIZE(ours::clap_latency, clap_plugin_latency);
SIZE(ours::clap_host_latency, ::clap_host_latency);
SIZE(ours::clap_state, clap_plugin_state);
FIELD(ours::clap_state, load, clap_plugin_state, load);
SIZE(ours::clap_istream, ::clap_istream);
SIZE(ours::clap_ostream, ::clap_ostream);
static_assert(ours::CLAP_EVENT_PARAM_VALUE == ::CLAP_EVENT_PARAM_VALUE &&
              ours::CLAP_CORE_SPACE == ::CLAP_CORE_EVENT_SPACE_ID && ours::CLAP_INVALID_ID == ::CLAP_INVALID_ID &&
              ours::CLAP_PROCESS_CONTINUE == ::CLAP_PROCESS_CONTINUE && ours::CLAP_PROCESS_ERROR == ::CLAP_PROCESS_ERROR);
static_assert(ours::CLAP_PORT_IS_MAIN == ::CLAP_AUDIO_PORT_IS_MAIN && ours::CLAP_PARAM_STEPPED == ::CLAP_PARAM_IS_STEPPED &&
              ours::CLAP_PARAM_READONLY == ::CLAP_PARAM_IS_READONLY && ours::CLAP_PARAM_BYPASS == ::CLAP_PARAM_IS_BYPASS &&
              ours::CLAP_PARAM_AUTOMATABLE == ::CLAP_PARAM_IS_AUTOMATABLE);

SIZE(ours::lv2_feature, LV2_Feature);
FIELD(ours::lv2_feature, data, LV2_Feature, data);
SIZE(ours::lv2_plugin_descriptor, LV2_Descriptor);
FIELD(ours::lv2_plugin_descriptor, instantiate, LV2_Descriptor, instantiate);
FIELD(ours::lv2_plugin_descriptor, connect_port, LV2_Descriptor, connect_port);
FIELD(ours::lv2_plugin_descriptor, activate, LV2_Descriptor, activate);
FIELD(ours::lv2_plugin_descriptor, run, LV2_Descriptor, run);
FIELD(ours::lv2_plugin_descriptor, deactivate, LV2_Descriptor, deactivate);
FIELD(ours::lv2_plugin_descriptor, cleanup, LV2_Descriptor, cleanup);
FIELD(ours::lv2_plugin_descriptor, extension_data, LV2_Descriptor, extension_data);
SIZE(ours::lv2_urid_map, LV2_URID_Map);
FIELD(ours::lv2_urid_map, map, LV2_URID_Map, map);
SIZE(ours::lv2_option, LV2_Options_Option);
FIELD(ours::lv2_option, key, LV2_Options_Option, key);
FIELD(ours::lv2_option, size, LV2_Options_Option, size);
FIELD(ours::lv2_option, value, LV2_Options_Option, value);

SIZE(vst3::FactoryInfo, v3_factory_info);
FIELD(vst3::FactoryInfo, url, v3_factory_info, url);
FIELD(vst3::FactoryInfo, flags, v3_factory_info, flags);
SIZE(vst3::ClassInfo, v3_class_info);
FIELD(vst3::ClassInfo, name, v3_class_info, name);
SIZE(vst3::ClassInfo2, v3_class_info_2);
FIELD(vst3::ClassInfo2, subcategories, v3_class_info_2, sub_categories);
FIELD(vst3::ClassInfo2, sdk_version, v3_class_info_2, sdk_version);
SIZE(vst3::ClassInfoWide, v3_class_info_3);
FIELD(vst3::ClassInfoWide, name, v3_class_info_3, name);
FIELD(vst3::ClassInfoWide, sdk_version, v3_class_info_3, sdk_version);
SIZE(vst3::BusInfo, v3_bus_info);
FIELD(vst3::BusInfo, channels, v3_bus_info, channel_count);
FIELD(vst3::BusInfo, name, v3_bus_info, bus_name);
FIELD(vst3::BusInfo, flags, v3_bus_info, flags);
SIZE(vst3::ProcessSetup, v3_process_setup);
FIELD(vst3::ProcessSetup, max_frames, v3_process_setup, max_block_size);
FIELD(vst3::ProcessSetup, rate, v3_process_setup, sample_rate);
SIZE(vst3::BusBuffers, v3_audio_bus_buffers);
FIELD(vst3::BusBuffers, samples, v3_audio_bus_buffers, channel_buffers_32);
SIZE(vst3::ProcessData, v3_process_data);
FIELD(vst3::ProcessData, frames, v3_process_data, nframes);
FIELD(vst3::ProcessData, outputs, v3_process_data, outputs);
FIELD(vst3::ProcessData, in_changes, v3_process_data, input_params);
FIELD(vst3::ProcessData, out_changes, v3_process_data, output_params);
SIZE(vst3::ParameterInfo, v3_param_info);
FIELD(vst3::ParameterInfo, units, v3_param_info, units);
FIELD(vst3::ParameterInfo, steps, v3_param_info, step_count);
FIELD(vst3::ParameterInfo, normalized_default, v3_param_info, default_normalised_value);
FIELD(vst3::ParameterInfo, flags, v3_param_info, flags);
static_assert(vst3::OFFLINE == V3_OFFLINE && vst3::SAMPLES_32 == V3_SAMPLE_32 &&
              vst3::STEREO == (V3_SPEAKER_L | V3_SPEAKER_R));
static_assert(vst3::NO_INTERFACE == V3_NO_INTERFACE && vst3::FALSE_RESULT == V3_FALSE && vst3::OK == V3_OK &&
              vst3::INVALID == V3_INVALID_ARG && vst3::NOT_IMPLEMENTED == V3_NOT_IMPLEMENTED);
static_assert(vst3::CAN_AUTOMATE == V3_PARAM_CAN_AUTOMATE && vst3::READ_ONLY == V3_PARAM_READ_ONLY &&
              vst3::IS_LIST == V3_PARAM_IS_LIST && vst3::IS_BYPASS == V3_PARAM_IS_BYPASS);

namespace {

int wrong = 0;

void check(bool agrees, const char* what) {
    if (!agrees) std::printf("%s\n", what);
    wrong += !agrees;
}

// Where a virtual function is in its table, as the C++ ABI of all but Windows' own compilers has it.
template <typename Function>
size_t slot(Function function) {
    uintptr_t word;
    std::memcpy(&word, &function, sizeof word);
#if defined(__aarch64__)
    return word / sizeof(void*);
#else
    return (word - 1) / sizeof(void*);
#endif
}

constexpr size_t UNKNOWN = 3, BASE = 5;

#define SLOT(own, function, before, other, name) \
    check(slot(&own::function) == (before) + offsetof(other, name) / sizeof(void*), #own "::" #function)
#define SAME_ID(own, other) check(own == static_cast<const void*>(other), #own)

void check_factory() {
    SLOT(vst3::Unknown, release, 0, v3_funknown, unref);
    SLOT(vst3::Base, initialize, UNKNOWN, v3_plugin_base, initialize);
    SLOT(vst3::Base, terminate, UNKNOWN, v3_plugin_base, terminate);
    SLOT(vst3::Factory, info, UNKNOWN, v3_plugin_factory, get_factory_info);
    SLOT(vst3::Factory, count, UNKNOWN, v3_plugin_factory, num_classes);
    SLOT(vst3::Factory, class_info, UNKNOWN, v3_plugin_factory, get_class_info);
    SLOT(vst3::Factory, create, UNKNOWN, v3_plugin_factory, create_instance);
    SLOT(vst3::Factory, class_info2, UNKNOWN + 4, v3_plugin_factory_2, get_class_info_2);
    SLOT(vst3::Factory, class_info_wide, UNKNOWN + 5, v3_plugin_factory_3, get_class_info_utf16);
    SLOT(vst3::Factory, set_host, UNKNOWN + 5, v3_plugin_factory_3, set_host_context);
    SLOT(vst3::Stream, read, UNKNOWN, v3_bstream, read);
    SLOT(vst3::Stream, write, UNKNOWN, v3_bstream, write);
    SLOT(vst3::Stream, tell, UNKNOWN, v3_bstream, tell);
}

void check_component() {
    SLOT(vst3::Component, controller_id, BASE, v3_component, get_controller_class_id);
    SLOT(vst3::Component, set_io_mode, BASE, v3_component, set_io_mode);
    SLOT(vst3::Component, bus_count, BASE, v3_component, get_bus_count);
    SLOT(vst3::Component, bus_info, BASE, v3_component, get_bus_info);
    SLOT(vst3::Component, routing_info, BASE, v3_component, get_routing_info);
    SLOT(vst3::Component, activate_bus, BASE, v3_component, activate_bus);
    SLOT(vst3::Component, set_active, BASE, v3_component, set_active);
    SLOT(vst3::Component, set_state, BASE, v3_component, set_state);
    SLOT(vst3::Component, get_state, BASE, v3_component, get_state);
}

void check_processor() {
    SLOT(vst3::Processor, set_arrangements, UNKNOWN, v3_audio_processor, set_bus_arrangements);
    SLOT(vst3::Processor, arrangement, UNKNOWN, v3_audio_processor, get_bus_arrangement);
    SLOT(vst3::Processor, can_process, UNKNOWN, v3_audio_processor, can_process_sample_size);
    SLOT(vst3::Processor, latency, UNKNOWN, v3_audio_processor, get_latency_samples);
    SLOT(vst3::Processor, setup, UNKNOWN, v3_audio_processor, setup_processing);
    SLOT(vst3::Processor, set_processing, UNKNOWN, v3_audio_processor, set_processing);
    SLOT(vst3::Processor, process, UNKNOWN, v3_audio_processor, process);
    SLOT(vst3::Processor, tail, UNKNOWN, v3_audio_processor, get_tail_samples);
    SLOT(vst3::ParameterQueue, point, UNKNOWN, v3_param_value_queue, get_point);
    SLOT(vst3::ParameterQueue, add, UNKNOWN, v3_param_value_queue, add_point);
    SLOT(vst3::ParameterChanges, queue, UNKNOWN, v3_param_changes, get_param_data);
    SLOT(vst3::ParameterChanges, add, UNKNOWN, v3_param_changes, add_param_data);
    SLOT(vst3::ContextRequirements, requirements, UNKNOWN, v3_process_context_requirements,
         get_process_context_requirements);
}

void check_controller() {
    SLOT(vst3::Controller, set_component_state, BASE, v3_edit_controller, set_component_state);
    SLOT(vst3::Controller, set_controller_state, BASE, v3_edit_controller, set_state);
    SLOT(vst3::Controller, get_controller_state, BASE, v3_edit_controller, get_state);
    SLOT(vst3::Controller, parameter_count, BASE, v3_edit_controller, get_parameter_count);
    SLOT(vst3::Controller, parameter_info, BASE, v3_edit_controller, get_parameter_info);
    SLOT(vst3::Controller, to_text, BASE, v3_edit_controller, get_parameter_string_for_value);
    SLOT(vst3::Controller, from_text, BASE, v3_edit_controller, get_parameter_value_for_string);
    SLOT(vst3::Controller, to_plain, BASE, v3_edit_controller, normalised_parameter_to_plain);
    SLOT(vst3::Controller, to_normalized, BASE, v3_edit_controller, plain_parameter_to_normalised);
    SLOT(vst3::Controller, get_normalized, BASE, v3_edit_controller, get_parameter_normalised);
    SLOT(vst3::Controller, set_normalized, BASE, v3_edit_controller, set_parameter_normalised);
    SLOT(vst3::Controller, set_handler, BASE, v3_edit_controller, set_component_handler);
    SLOT(vst3::Controller, create_view, BASE, v3_edit_controller, create_view);
    SLOT(vst3::ComponentHandler, perform_edit, UNKNOWN, v3_component_handler, perform_edit);
    SLOT(vst3::ComponentHandler, restart, UNKNOWN, v3_component_handler, restart_component);
}

void check_ids() {
    SAME_ID(vst3::Unknown::ID, v3_funknown_iid);
    SAME_ID(vst3::Base::ID, v3_plugin_base_iid);
    SAME_ID(vst3::Factory::ID, v3_plugin_factory_iid);
    SAME_ID(vst3::Factory::ID2, v3_plugin_factory_2_iid);
    SAME_ID(vst3::Factory::ID3, v3_plugin_factory_3_iid);
    SAME_ID(vst3::Component::ID, v3_component_iid);
    SAME_ID(vst3::Processor::ID, v3_audio_processor_iid);
    SAME_ID(vst3::Controller::ID, v3_edit_controller_iid);
    SAME_ID(vst3::ContextRequirements::ID, v3_process_context_requirements_iid);
}

}  // namespace

int main() {
    check_factory();
    check_component();
    check_processor();
    check_controller();
    check_ids();
    return wrong;
}
