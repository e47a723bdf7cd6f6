// The plug-in as VST 3: one object that is component, processor and controller.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <new>
#include <string>

#include "export.h"
#include "plugin.h"
#include "vst3_abi.h"
#include "vst3_changes.h"

namespace stream_sep {

namespace {

using namespace vst3;

constexpr Id CLASS_ID = make_id(0x53747265, 0x616D5365, 0x706C7567, 0x696E0001);  // never changes: projects store it
constexpr int32_t MAX_STATE_BYTES = 1 << 16;

template <size_t Size>
void copy(char (&out)[Size], const char* text) {
    std::snprintf(out, Size, "%s", text);
}

void copy_wide(char16_t* out, size_t size, const std::string& text) {
    const size_t length = std::min(size - 1, text.size());
    std::copy_n(text.begin(), length, out);
    out[length] = 0;
}

template <size_t Size>
void copy(char16_t (&out)[Size], const std::string& text) {
    copy_wide(out, Size, text);
}

std::string narrow(const char16_t* text) {
    std::string out;
    for (; *text && out.size() < 127; ++text) out += static_cast<char>(*text < 128 ? *text : '?');
    return out;
}

class Vst3Plugin final : public Component, public Processor, public Controller, public ContextRequirements {
   public:
    ~Vst3Plugin() {
        if (handler_) handler_->release();
    }

    // Unknown

    Result VST3_CALL query(const void* id, void** out) override {
        *out = nullptr;
        if (Component::ID == id || Base::ID == id || Unknown::ID == id) *out = static_cast<Component*>(this);
        else if (Processor::ID == id) *out = static_cast<Processor*>(this);
        else if (Controller::ID == id) *out = static_cast<Controller*>(this);
        else if (ContextRequirements::ID == id) *out = static_cast<ContextRequirements*>(this);
        if (!*out) return NO_INTERFACE;
        add_ref();
        return OK;
    }
    uint32_t VST3_CALL add_ref() override { return ++references_; }
    uint32_t VST3_CALL release() override {
        const uint32_t left = --references_;
        if (left == 0) delete this;
        return left;
    }

    // Base

    Result VST3_CALL initialize(Unknown*) override {
        read_back();
        return OK;
    }
    Result VST3_CALL terminate() override { return set_handler(nullptr); }

    // Component

    Result VST3_CALL controller_id(void* id) override {
        std::memcpy(id, CLASS_ID.bytes, 16);
        return OK;
    }
    Result VST3_CALL set_io_mode(int32_t) override { return NOT_IMPLEMENTED; }
    int32_t VST3_CALL bus_count(int32_t media, int32_t direction) override {
        return media != AUDIO ? 0 : direction == INPUT ? 1 : 1 + STEMS;
    }
    Result VST3_CALL bus_info(int32_t media, int32_t direction, int32_t index, BusInfo& info) override {
        if (index < 0 || index >= bus_count(media, direction)) return INVALID;
        info = {AUDIO, direction, CHANNELS, {}, MAIN_BUS, DEFAULT_ACTIVE};
        copy(info.name, direction == INPUT ? "Input" : BUS_NAMES[index]);
        return OK;
    }
    Result VST3_CALL routing_info(RoutingInfo&, RoutingInfo&) override { return NOT_IMPLEMENTED; }
    Result VST3_CALL activate_bus(int32_t media, int32_t direction, int32_t index, uint8_t) override {
        return index >= 0 && index < bus_count(media, direction) ? OK : INVALID;
    }
    Result VST3_CALL set_active(uint8_t state) override {
        if (state) plugin_.activate(setup_.rate, setup_.max_frames);
        else plugin_.deactivate();
        active_ = state != 0;
        return OK;
    }
    Result VST3_CALL set_state(Stream* stream) override {
        std::string text;
        if (!stream || !read(stream, text) || !plugin_.restore(text)) return FALSE_RESULT;
        read_back();
        announce_latency();
        return OK;
    }
    Result VST3_CALL get_state(Stream* stream) override {
        if (!stream) return INVALID;
        std::string text = plugin_.state();
        int32_t wrote = 0;
        return stream->write(text.data(), static_cast<int32_t>(text.size()), &wrote);
    }

    // Processor

    Result VST3_CALL set_arrangements(uint64_t* in, int32_t ins, uint64_t* out, int32_t outs) override {
        const auto stereo = [](uint64_t arrangement) { return arrangement == STEREO; };
        const bool fits = ins == 1 && outs == 1 + STEMS && std::all_of(in, in + ins, stereo) &&
                          std::all_of(out, out + outs, stereo);
        return fits ? OK : FALSE_RESULT;
    }
    Result VST3_CALL arrangement(int32_t direction, int32_t index, uint64_t& out) override {
        if (index < 0 || index >= bus_count(AUDIO, direction)) return INVALID;
        out = STEREO;
        return OK;
    }
    Result VST3_CALL can_process(int32_t sample_size) override {
        return sample_size == SAMPLES_32 ? OK : FALSE_RESULT;
    }
    uint32_t VST3_CALL latency() override { return static_cast<uint32_t>(plugin_.reported_latency()); }
    Result VST3_CALL setup(ProcessSetup& setup) override {
        if (setup.sample_size != SAMPLES_32) return FALSE_RESULT;
        setup_ = setup;
        plugin_.set_format(setup.rate, setup.max_frames);
        return OK;
    }
    Result VST3_CALL set_processing(uint8_t state) override {
        if (state) plugin_.reset();  // another latency waits for `set_active`: this may be the audio thread
        else plugin_.stop();
        return OK;
    }
    Result VST3_CALL process(ProcessData& data) override;
    uint32_t VST3_CALL tail() override { return 0; }

    // ContextRequirements

    uint32_t VST3_CALL requirements() override { return 0; }

    // Controller

    Result VST3_CALL set_component_state(Stream*) override {
        read_back();
        if (handler_) handler_->restart(VALUES_CHANGED);  // not every host reads the values by itself
        return OK;
    }
    Result VST3_CALL set_controller_state(Stream*) override { return OK; }
    Result VST3_CALL get_controller_state(Stream*) override { return OK; }
    int32_t VST3_CALL parameter_count() override { return PARAMETERS; }
    Result VST3_CALL parameter_info(int32_t index, ParameterInfo& info) override;
    Result VST3_CALL to_text(uint32_t id, double normalized, char16_t* out) override {
        const int index = index_of_id(id);
        if (index < 0) return INVALID;
        copy_wide(out, 128, plugin_.text(index, PARAMETER_TABLE[index].denormalize(normalized)));
        return OK;
    }
    Result VST3_CALL from_text(uint32_t id, char16_t* text, double& normalized) override {
        const int index = index_of_id(id);
        double value = 0;
        if (index < 0 || !PARAMETER_TABLE[index].parse(narrow(text), value)) return INVALID;
        normalized = PARAMETER_TABLE[index].normalize(value);
        return OK;
    }
    double VST3_CALL to_plain(uint32_t id, double normalized) override {
        const int index = index_of_id(id);
        return index < 0 ? normalized : PARAMETER_TABLE[index].denormalize(normalized);
    }
    double VST3_CALL to_normalized(uint32_t id, double plain) override {
        const int index = index_of_id(id);
        return index < 0 ? plain : PARAMETER_TABLE[index].normalize(PARAMETER_TABLE[index].clamp(plain));
    }
    double VST3_CALL get_normalized(uint32_t id) override {
        const int index = index_of_id(id);
        return index < 0 ? 0 : shown_[static_cast<size_t>(index)].load();
    }
    Result VST3_CALL set_normalized(uint32_t id, double normalized) override;
    Result VST3_CALL set_handler(ComponentHandler* handler) override {
        if (handler) handler->add_ref();
        if (handler_) handler_->release();
        handler_ = handler;
        return OK;
    }
    void* VST3_CALL create_view(const char*) override { return nullptr; }

   private:
    static bool read(Stream* stream, std::string& text) {
        char bytes[1024];
        int32_t got = 0;
        while (stream->read(bytes, sizeof bytes, &got) == OK && got > 0 && text.size() < MAX_STATE_BYTES)
            text.append(bytes, static_cast<size_t>(got));
        return !text.empty();
    }
    void read_back() {
        for (int index = 0; index < PARAMETERS; ++index)
            shown_[static_cast<size_t>(index)] = PARAMETER_TABLE[index].normalize(plugin_.value(index));
    }
    void announce_latency() {
        if (handler_ && plugin_.outdated()) handler_->restart(LATENCY_CHANGED);
    }
    void play(ProcessData& data, int32_t begin, int32_t end);
    void push_changes(ParameterChanges* out);

    Plugin plugin_;
    std::array<std::atomic<double>, PARAMETERS> shown_{};  // the host's values may lag behind what plays
    std::atomic<uint32_t> references_{1};
    std::atomic<bool> active_{false};
    ProcessSetup setup_ = {0, SAMPLES_32, 512, 44100};
    ComponentHandler* handler_ = nullptr;
};

Result Vst3Plugin::parameter_info(int32_t index, ParameterInfo& info) {
    if (index < 0 || index >= PARAMETERS) return INVALID;
    const Parameter& parameter = PARAMETER_TABLE[index];
    info = {};
    info.id = parameter.id;
    copy(info.title, parameter.name);
    copy(info.short_title, parameter.name);
    copy(info.units, parameter.unit);
    info.steps = parameter.stepped() ? static_cast<int32_t>(parameter.maximum - parameter.minimum) : 0;
    info.normalized_default = parameter.normalize(parameter.initial);
    const bool choice = parameter.kind == Kind::CHOICE;
    info.flags = (parameter.readonly() ? READ_ONLY : 0) | (parameter.automatable() ? CAN_AUTOMATE : 0) |
                 (choice ? IS_LIST : 0) | (parameter.kind == Kind::BYPASS ? IS_BYPASS : 0);
    return OK;
}

// The host's values. Faders act in `process`, at their frame; changes of the latency, and all changes while no audio
// runs, at once.
Result Vst3Plugin::set_normalized(uint32_t id, double normalized) {
    const int index = index_of_id(id);
    if (index < 0) return INVALID;
    const double value = PARAMETER_TABLE[index].denormalize(normalized);
    shown_[static_cast<size_t>(index)] = PARAMETER_TABLE[index].normalize(value);
    const bool delays = index == INDEX_MODEL || index == INDEX_RESERVE;
    if (delays || !active_) plugin_.set(index, value);
    if (delays) announce_latency();
    return OK;
}

Result Vst3Plugin::process(ProcessData& data) {
    if (data.sample_size != SAMPLES_32) return INVALID;
    if (data.frames > 0) plugin_.begin_block(data.frames, data.mode == vst3::OFFLINE);
    Vst3Changes changes(data.in_changes);
    const auto set = [this](int index, double value) { plugin_.set(index, PARAMETER_TABLE[index].denormalize(value)); };
    for (int32_t done = 0; done < data.frames;) {
        changes.take(done, set);
        const int32_t end = std::min(changes.next(), data.frames);
        play(data, done, end);
        done = end;
    }
    changes.take(INT32_MAX, set);
    push_changes(data.out_changes);
    return OK;
}

void Vst3Plugin::play(ProcessData& data, int32_t begin, int32_t end) {
    const float* input[CHANNELS] = {};
    float* output[OUTPUTS] = {};
    const auto row = [begin](const BusBuffers& bus, int32_t side) {
        return bus.samples && side < bus.channels && bus.samples[side] ? bus.samples[side] + begin : nullptr;
    };
    for (int32_t side = 0; side < CHANNELS; ++side) {
        if (data.input_count > 0) input[side] = row(data.inputs[0], side);
        for (int32_t bus = 0; bus < std::min(data.output_count, 1 + STEMS); ++bus)
            output[CHANNELS * bus + side] = row(data.outputs[bus], side);
    }
    for (int32_t bus = 0; bus < data.output_count; ++bus) data.outputs[bus].silence = 0;
    plugin_.process(input, output, end - begin);
}

void Vst3Plugin::push_changes(ParameterChanges* out) {
    for (int index; out && (index = plugin_.take_change()) >= 0;) {
        const double normalized = PARAMETER_TABLE[index].normalize(plugin_.value(index));
        int32_t at = 0;
        shown_[static_cast<size_t>(index)] = normalized;
        ParameterQueue* queue = out->add(PARAMETER_TABLE[index].id, at);
        if (!queue || queue->add(0, normalized, at) != OK) return plugin_.keep_change(index);
    }
}

class Vst3Factory final : public Factory {
   public:
    Result VST3_CALL query(const void* id, void** out) override {
        const bool known = Unknown::ID == id || Factory::ID == id || Factory::ID2 == id || Factory::ID3 == id;
        *out = known ? this : nullptr;
        return known ? OK : NO_INTERFACE;
    }
    uint32_t VST3_CALL add_ref() override { return 1; }  // lives as long as the binary
    uint32_t VST3_CALL release() override { return 1; }

    Result VST3_CALL info(FactoryInfo* info) override {
        *info = {};
        copy(info->vendor, PLUGIN_VENDOR);
        copy(info->url, PLUGIN_URL);
        info->flags = 1 << 4;  // texts are Unicode
        return OK;
    }
    int32_t VST3_CALL count() override { return 1; }
    Result VST3_CALL class_info(int32_t index, ClassInfo* info) override {
        *info = {};
        return fill(index, *info);
    }
    Result VST3_CALL class_info2(int32_t index, ClassInfo2* info) override {
        *info = {};
        copy(info->vendor, PLUGIN_VENDOR);
        copy(info->version, PLUGIN_VERSION);
        copy(info->sdk_version, "VST 3.7");
        copy(info->subcategories, "Fx|Tools|Stereo");
        return fill(index, *info);
    }
    Result VST3_CALL class_info_wide(int32_t index, ClassInfoWide* info) override {
        *info = {};
        copy(info->vendor, PLUGIN_VENDOR);
        copy(info->version, PLUGIN_VERSION);
        copy(info->sdk_version, "VST 3.7");
        copy(info->subcategories, "Fx|Tools|Stereo");
        return fill(index, *info);
    }
    Result VST3_CALL create(const void* class_id, const void* interface_id, void** out) override {
        *out = nullptr;
        if (!(CLASS_ID == class_id)) return NO_INTERFACE;
        auto* plugin = new (std::nothrow) Vst3Plugin;
        if (!plugin) return FALSE_RESULT;
        const Result result = plugin->query(interface_id, out);
        plugin->release();
        return result;
    }
    Result VST3_CALL set_host(Unknown*) override { return OK; }

   private:
    template <typename Info>
    Result fill(int32_t index, Info& info) {
        if (index != 0) return INVALID;
        std::memcpy(info.id, CLASS_ID.bytes, 16);
        info.cardinality = INT32_MAX;
        copy(info.category, "Audio Module Class");
        copy(info.name, PLUGIN_NAME);
        return OK;
    }
};

}  // namespace

vst3::Factory* vst3_factory() {
    static Vst3Factory factory;
    return &factory;
}

}  // namespace stream_sep

extern "C" {
EXPORT vst3::Factory* VST3_CALL GetPluginFactory() { return stream_sep::vst3_factory(); }
#if defined(_WIN32)
EXPORT bool InitDll() { return true; }
EXPORT bool ExitDll() { return true; }
#elif defined(__APPLE__)
EXPORT bool bundleEntry(void*) { return true; }
EXPORT bool bundleExit() { return true; }
#else
EXPORT bool ModuleEntry(void*) { return true; }
EXPORT bool ModuleExit() { return true; }
#endif
}
