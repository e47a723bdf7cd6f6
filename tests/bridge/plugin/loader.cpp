// Loads the plug-in as VST3, CLAP and LV2, plays noise through each, and prints what came out, a figure a line: for
// systems whose Python cannot load it. `loader FILE` plays without an engine, `loader FILE engine` waits for one and
// then renders offline; that engine has all of the sound on its first stem.

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "clap_abi.h"
#include "lv2_abi.h"
#include "models.h"
#include "parameters.h"
#include "stem_mixer.h"
#include "vst3_abi.h"

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

using namespace stream_sep;

namespace {

constexpr double RATE = 44100;
constexpr int BLOCK = 512, PASSTHROUGH = 3, ABSENT = 0, RUNNING = 2, FRAMES = 30000, SETTLED = 1000;
constexpr int LEAST_BLOCKS = 40, MOST_BLOCKS = 5000;  // half a second, a minute
constexpr double UNITY = 0.9;  // of a gain from -90 to 10 dB
constexpr double MOVED = -7.0;  // the bass fader, by the engine's host
constexpr int BASS = INDEX_STEMS + 6;
constexpr uint32_t GAIN_ID = 10, BASS_ID = 30, MODEL_ID = 60, RESERVE_ID = 61, STATE_ID = 70, LATE_ID = 71;
constexpr int LATE_MAX = 1000000;
const int BLOCKS[] = {BLOCK, 1, 0, 100, 333, 511};  // none longer than announced, and one of no frames

#ifdef _WIN32
void* symbol(const char* path, const char* name) {
    HMODULE library = LoadLibraryA(path);
    return library ? reinterpret_cast<void*>(GetProcAddress(library, name)) : nullptr;
}
const char* const VST3_ENTRY = "InitDll";
const char* const VST3_EXIT = "ExitDll";
#else
void* symbol(const char* path, const char* name) {
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) std::fprintf(stderr, "%s\n", dlerror());
    return library ? dlsym(library, name) : nullptr;
}
#ifdef __APPLE__
const char* const VST3_ENTRY = "bundleEntry";
const char* const VST3_EXIT = "bundleExit";
#else
const char* const VST3_ENTRY = "ModuleEntry";
const char* const VST3_EXIT = "ModuleExit";
#endif
#endif

void require(bool condition, const char* what) {
    if (condition) return;
    std::printf("failed %s\n", what);
    std::exit(1);
}

// One instance of the plug-in in one format.
class Instance {
   public:
    Instance() = default;
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;
    virtual ~Instance() = default;
    virtual void activate() = 0;
    virtual void restart(bool offline) = 0;
    virtual int64_t latency() = 0;
    virtual void process(const float* const* input, float* const* output, int frames) = 0;
    virtual int state() = 0;
    virtual int late_hops() = 0;
    virtual double fader() = 0;  // of the bass, as the plug-in shows it its host
};

class ClapInstance final : public Instance {
   public:
    explicit ClapInstance(const char* path) {
        entry_ = static_cast<const clap_entry_point*>(symbol(path, "clap_entry"));
        require(entry_ && entry_->init(path), "clap_entry");
        const auto* factory = static_cast<const clap_factory*>(entry_->get_factory("clap.plugin-factory"));
        require(factory && factory->count(factory) == 1, "clap.plugin-factory");
        std::printf("clap name %s\n", factory->descriptor(factory, 0)->name);
        std::printf("clap id %s\n", factory->descriptor(factory, 0)->id);
        host_ = {{1, 2, 0}, nullptr, "loader", "", "", "1", [](const clap_host*, const char*) -> const void* { return nullptr; },
                 [](const clap_host*) {}, [](const clap_host*) {}, [](const clap_host*) {}};
        plugin_ = factory->create(factory, &host_, factory->descriptor(factory, 0)->id);
        require(plugin_ && plugin_->init(plugin_), "clap create");
        const auto* ports = extension<clap_audio_ports>("clap.audio-ports");
        std::printf("clap buses %u %u\n", ports->count(plugin_, true), ports->count(plugin_, false));
    }
    ~ClapInstance() override {
        plugin_->deactivate(plugin_);
        plugin_->destroy(plugin_);
        entry_->deinit();
    }

    void activate() override {
        clap_param_event event{};
        event.header = {sizeof event, 0, CLAP_CORE_SPACE, CLAP_EVENT_PARAM_VALUE, 0};
        event.param_id = MODEL_ID;
        event.value = PASSTHROUGH;
        const clap_input_events changes = {
            &event, [](const clap_input_events*) { return 1u; },
            [](const clap_input_events* list, uint32_t) { return static_cast<const clap_event*>(list->context); }};
        extension<clap_params>("clap.params")->flush(plugin_, &changes, nullptr);
        require(plugin_->activate(plugin_, RATE, 1, BLOCK) && plugin_->start_processing(plugin_), "clap activate");
    }
    void restart(bool offline) override {
        extension<clap_render>("clap.render")->set(plugin_, offline ? CLAP_RENDER_OFFLINE : 0);
        plugin_->reset(plugin_);
    }
    int64_t latency() override { return extension<clap_latency>("clap.latency")->get(plugin_); }
    int state() override { return static_cast<int>(value(STATE_ID)); }
    int late_hops() override { return static_cast<int>(value(LATE_ID)); }
    double fader() override { return fader_; }

    void process(const float* const* input, float* const* output, int frames) override {
        float* in[] = {const_cast<float*>(input[0]), const_cast<float*>(input[1])};
        std::array<float*, OUTPUTS> out;
        std::copy_n(output, OUTPUTS, out.begin());
        const clap_audio_buffer inputs = {in, nullptr, CHANNELS, 0, 0};
        std::array<clap_audio_buffer, 1 + STEMS> outputs;
        for (size_t bus = 0; bus < outputs.size(); ++bus)
            outputs[bus] = {&out[CHANNELS * bus], nullptr, CHANNELS, 0, 0};
        const clap_input_events none = {nullptr, [](const clap_input_events*) { return 0u; }, nullptr};
        const clap_output_events shown = {&fader_, [](const clap_output_events* list, const clap_event* event) {
            const auto* change = reinterpret_cast<const clap_param_event*>(event);
            if (change->param_id == BASS_ID) *static_cast<double*>(list->context) = change->value;
            return true;
        }};
        const clap_process call = {-1, static_cast<uint32_t>(frames), nullptr, &inputs, outputs.data(), 1,
                                   static_cast<uint32_t>(outputs.size()), &none, &shown};
        require(plugin_->process(plugin_, &call) == CLAP_PROCESS_CONTINUE, "clap process");
    }

   private:
    template <typename Extension>
    const Extension* extension(const char* id) const {
        const void* found = plugin_->get_extension(plugin_, id);
        require(found, id);
        return static_cast<const Extension*>(found);
    }
    double value(uint32_t id) const {
        double out = 0;
        require(extension<clap_params>("clap.params")->get_value(plugin_, id, &out), "clap value");
        return out;
    }

    const clap_entry_point* entry_;
    clap_host host_;
    const clap_plugin* plugin_;
    double fader_ = 0;
};

class Lv2Instance final : public Instance {
   public:
    explicit Lv2Instance(const char* path) {
        const auto find = reinterpret_cast<const lv2_plugin_descriptor* (*)(uint32_t)>(symbol(path, "lv2_descriptor"));
        require(find && find(0) && !find(1), "lv2_descriptor");
        calls_ = find(0);
        std::printf("lv2 name %s\n", calls_->uri);
        request_ = {this, [](void* instance, uint32_t port, float value) -> uint32_t {
            auto& self = *static_cast<Lv2Instance*>(instance);
            if (self.refusals_-- > 0) return 1;  // the plug-in requests it again
            if (port == CHANNELS + OUTPUTS + FIRST + BASS) self.fader_ = static_cast<double>(value);
            return 0;
        }};
        const lv2_feature change = {"http://kx.studio/ns/lv2ext/control-input-port-change-request", &request_};
        const lv2_feature* const features[] = {&change, nullptr};
        handle_ = calls_->instantiate(calls_, RATE, "", features);
        require(handle_, "lv2 instantiate");
        for (int index = 0; index < PARAMETERS; ++index)
            controls_[FIRST + static_cast<size_t>(index)] = static_cast<float>(PARAMETER_TABLE[index].initial);
        controls_[FIRST + INDEX_MODEL] = PASSTHROUGH;
        for (size_t port = 0; port < controls_.size(); ++port)
            calls_->connect_port(handle_, static_cast<uint32_t>(CHANNELS + OUTPUTS + port), &controls_[port]);
    }
    ~Lv2Instance() override {
        calls_->deactivate(handle_);
        calls_->cleanup(handle_);
    }

    void activate() override { calls_->activate(handle_); }
    void restart(bool offline) override {
        controls_[0] = offline ? 1.0f : 0.0f;
        calls_->deactivate(handle_);
        calls_->activate(handle_);
    }
    int64_t latency() override {
        calls_->run(handle_, 0);
        return static_cast<int64_t>(controls_[1]);
    }
    int state() override { return static_cast<int>(controls_[FIRST + INDEX_STATE]); }
    int late_hops() override { return static_cast<int>(controls_[FIRST + INDEX_LATE_HOPS]); }
    double fader() override { return fader_; }

    void process(const float* const* input, float* const* output, int frames) override {
        for (uint32_t side = 0; side < CHANNELS; ++side)
            calls_->connect_port(handle_, side, const_cast<float*>(input[side]));
        for (uint32_t row = 0; row < OUTPUTS; ++row) calls_->connect_port(handle_, CHANNELS + row, output[row]);
        calls_->run(handle_, static_cast<uint32_t>(frames));
    }

   private:
    static constexpr size_t FIRST = 2;  // after freewheel and latency

    const lv2_plugin_descriptor* calls_;
    void* handle_;
    std::array<float, FIRST + PARAMETERS> controls_{};
    lv2_change_request request_;
    int refusals_ = 3;
    double fader_ = 0;
};

// A VST3 host's own objects live as long as the instance.
template <typename Interface>
class Owned : public Interface {
   public:
    vst3::Result VST3_CALL query(const void*, void** out) override {
        *out = nullptr;
        return vst3::NO_INTERFACE;
    }
    uint32_t VST3_CALL add_ref() override { return 1; }
    uint32_t VST3_CALL release() override { return 1; }
};

class Handler final : public Owned<vst3::ComponentHandler> {
   public:
    vst3::Result VST3_CALL begin_edit(uint32_t) override { return vst3::OK; }
    vst3::Result VST3_CALL perform_edit(uint32_t, double) override { return vst3::OK; }
    vst3::Result VST3_CALL end_edit(uint32_t) override { return vst3::OK; }
    vst3::Result VST3_CALL restart(int32_t flags) override {
        restarts |= flags;
        return vst3::OK;
    }
    int32_t restarts = 0;
};

class Memory final : public Owned<vst3::Stream> {
   public:
    vst3::Result VST3_CALL read(void* out, int32_t bytes, int32_t* got) override {
        *got = static_cast<int32_t>(text.copy(static_cast<char*>(out), static_cast<size_t>(bytes), at));
        at += static_cast<size_t>(*got);
        return vst3::OK;
    }
    vst3::Result VST3_CALL write(void* bytes, int32_t count, int32_t* wrote) override {
        text.append(static_cast<const char*>(bytes), static_cast<size_t>(count));
        *wrote = count;
        return vst3::OK;
    }
    vst3::Result VST3_CALL seek(int64_t, int32_t, int64_t*) override { return vst3::NOT_IMPLEMENTED; }
    vst3::Result VST3_CALL tell(int64_t*) override { return vst3::NOT_IMPLEMENTED; }
    std::string text;
    size_t at = 0;
};

// What the plug-in shows its host; also the queue of the parameter added last.
class Shown final : public Owned<vst3::ParameterChanges> {
   public:
    int32_t VST3_CALL count() override { return 0; }
    vst3::ParameterQueue* VST3_CALL queue(int32_t) override { return nullptr; }
    vst3::ParameterQueue* VST3_CALL add(const uint32_t& id, int32_t&) override {
        if (refusals-- > 0) return nullptr;  // the plug-in offers it again
        queue_.value = &values[id];
        return &queue_;
    }
    std::map<uint32_t, double> values;
    int refusals = 3;

   private:
    class Queue final : public Owned<vst3::ParameterQueue> {
       public:
        uint32_t VST3_CALL id() override { return 0; }
        int32_t VST3_CALL count() override { return 0; }
        vst3::Result VST3_CALL point(int32_t, int32_t&, double&) override { return vst3::INVALID; }
        vst3::Result VST3_CALL add(int32_t, double shown, int32_t&) override {
            *value = shown;
            return vst3::OK;
        }
        double* value = nullptr;
    };
    Queue queue_;
};

// One parameter's automation within a block.
class Automation final : public Owned<vst3::ParameterChanges> {
   public:
    using Points = std::vector<std::pair<int32_t, double>>;
    Automation(uint32_t id, Points points) { queue_.parameter = id, queue_.points = std::move(points); }
    int32_t VST3_CALL count() override { return 1; }
    vst3::ParameterQueue* VST3_CALL queue(int32_t) override { return &queue_; }
    vst3::ParameterQueue* VST3_CALL add(const uint32_t&, int32_t&) override { return nullptr; }
    int reads() const { return queue_.reads; }

   private:
    class Queue final : public Owned<vst3::ParameterQueue> {
       public:
        uint32_t VST3_CALL id() override { return parameter; }
        int32_t VST3_CALL count() override { return static_cast<int32_t>(points.size()); }
        vst3::Result VST3_CALL point(int32_t at, int32_t& frame, double& value) override {
            ++reads;
            frame = points[static_cast<size_t>(at)].first;
            value = points[static_cast<size_t>(at)].second;
            return vst3::OK;
        }
        vst3::Result VST3_CALL add(int32_t, double, int32_t&) override { return vst3::NOT_IMPLEMENTED; }
        uint32_t parameter = 0;
        Points points;
        int reads = 0;
    };
    Queue queue_;
};

class Vst3Instance final : public Instance {
   public:
    explicit Vst3Instance(const char* path) : path_(path) {
        const auto enter = reinterpret_cast<bool (*)(void*)>(symbol(path, VST3_ENTRY));
        const auto make = reinterpret_cast<vst3::Factory*(VST3_CALL*)()>(symbol(path, "GetPluginFactory"));
        require(enter && enter(nullptr) && make, VST3_ENTRY);
        factory_ = make();
        vst3::ClassInfo info;
        require(factory_->count() == 1 && factory_->class_info(0, &info) == vst3::OK, "vst3 class");
        std::printf("vst3 name %s\nvst3 id ", info.name);
        for (const uint8_t byte : info.id) std::printf("%02x", static_cast<unsigned>(byte));
        std::printf("\n");
        component_ = create<vst3::Component>(info);
        require(component_->initialize(nullptr) == vst3::OK, "vst3 initialize");
        processor_ = query<vst3::Processor>();
        controller_ = query<vst3::Controller>();
        controller_->set_handler(&handler_);
        std::printf("vst3 buses %d %d\n", component_->bus_count(vst3::AUDIO, vst3::INPUT),
                    component_->bus_count(vst3::AUDIO, 1 - vst3::INPUT));
        restore(info);
        controller_->set_normalized(MODEL_ID, static_cast<double>(PASSTHROUGH) / (MODELS - 1));
        controller_->set_normalized(RESERVE_ID, 0.1);
    }
    ~Vst3Instance() override {
        processor_->set_processing(0);
        component_->set_active(0);
        component_->terminate();
        controller_->release();
        processor_->release();
        require(component_->release() == 0, "vst3 release");
        reinterpret_cast<bool (*)()>(symbol(path_, VST3_EXIT))();
    }

    void activate() override {
        vst3::ProcessSetup setup = {0, vst3::SAMPLES_32, BLOCK, RATE};
        require(processor_->setup(setup) == vst3::OK && component_->set_active(1) == vst3::OK, "vst3 activate");
        processor_->set_processing(1);
        handler_.restarts = 0;
        controller_->set_normalized(RESERVE_ID, 0.0);  // a lower latency, which the same session can have
        std::printf("vst3 restarts %d\n", handler_.restarts);
        processor_->set_processing(0);
        processor_->set_processing(1);
        std::printf("vst3 kept %d\n", static_cast<int>(latency()));
        processor_->set_processing(0);
        component_->set_active(0);
        component_->set_active(1);
        processor_->set_processing(1);
    }
    // Offline from now on, reported in each call alone, as between real time and prefetch.
    void restart(bool offline) override {
        mode_ = offline ? vst3::OFFLINE : 0;
        processor_->set_processing(0);
        processor_->set_processing(1);
    }
    int64_t latency() override { return processor_->latency(); }
    int state() override { return shown(STATE_ID, RUNNING); }
    int late_hops() override { return shown(LATE_ID, LATE_MAX); }
    double fader() override {
        const auto found = shown_.values.find(BASS_ID);
        return found == shown_.values.end() ? 0 : controller_->to_plain(BASS_ID, found->second);
    }

    void process(const float* const* input, float* const* output, int frames) override {
        float* in[] = {const_cast<float*>(input[0]), const_cast<float*>(input[1])};
        std::array<float*, OUTPUTS> out;
        std::copy_n(output, OUTPUTS, out.begin());
        vst3::BusBuffers inputs = {CHANNELS, 0, in};
        std::array<vst3::BusBuffers, 1 + STEMS> outputs;
        for (size_t bus = 0; bus < outputs.size(); ++bus) outputs[bus] = {CHANNELS, 0, &out[CHANNELS * bus]};
        vst3::ProcessData data{};
        data.mode = mode_;
        data.frames = frames;
        data.input_count = 1;
        data.output_count = static_cast<int32_t>(outputs.size());
        data.inputs = &inputs;
        data.outputs = outputs.data();
        data.in_changes = automation_;
        data.out_changes = &shown_;
        require(processor_->process(data) == vst3::OK, "vst3 process");
    }

    // Automate the first stem's gain within a block of ones: where it moves first, and how often each point is read.
    void automate() {
        constexpr int FIRST = 100, POINTS = 100;
        Automation::Points points;
        for (int point = 0; point < POINTS; ++point) points.emplace_back(FIRST + 4 * point, 0.0);
        Automation automation(GAIN_ID, points);
        std::vector<std::vector<float>> rows(OUTPUTS, std::vector<float>(BLOCK, 1.0f));
        std::vector<float*> out;
        for (auto& row : rows) out.push_back(row.data());
        const std::vector<float> ones(BLOCK, 1.0f);
        const float* in[] = {ones.data(), ones.data()};
        for (int block = 0; block < 8; ++block) process(in, out.data(), BLOCK);
        automation_ = &automation;
        process(in, out.data(), BLOCK);
        automation_ = nullptr;
        int moved = 0;
        while (moved < BLOCK && rows[CHANNELS][static_cast<size_t>(moved)] == 1.0f) ++moved;
        std::printf("vst3 moved %d\nvst3 reads %d\n", moved, automation.reads());
        Automation back(GAIN_ID, {{0, UNITY}});
        automation_ = &back;
        process(in, out.data(), BLOCK);
        automation_ = nullptr;
    }

   private:
    template <typename Interface>
    Interface* create(const vst3::ClassInfo& info) const {
        void* made = nullptr;
        require(factory_->create(info.id, &Interface::ID, &made) == vst3::OK && made, "vst3 create");
        return static_cast<Interface*>(made);
    }
    template <typename Interface>
    Interface* query() const {
        void* found = nullptr;
        require(component_->query(&Interface::ID, &found) == vst3::OK && found, "vst3 query");
        return static_cast<Interface*>(found);
    }
    // Another instance takes the state of this one over.
    void restore(const vst3::ClassInfo& info) {
        Memory first, second;
        controller_->set_normalized(GAIN_ID, 0.25);
        vst3::Component* other = create<vst3::Component>(info);
        require(other->initialize(nullptr) == vst3::OK && component_->get_state(&first) == vst3::OK &&
                    other->set_state(&first) == vst3::OK && other->get_state(&second) == vst3::OK &&
                    first.text == second.text && other->terminate() == vst3::OK && other->release() == 0,
                "vst3 state");
        controller_->set_normalized(GAIN_ID, UNITY);
    }
    int shown(uint32_t id, int maximum) { return static_cast<int>(std::lround(shown_.values[id] * maximum)); }

    const char* path_;
    vst3::Factory* factory_;
    vst3::Component* component_;
    vst3::Processor* processor_;
    vst3::Controller* controller_;
    Handler handler_;
    Shown shown_;
    Automation* automation_ = nullptr;
    int32_t mode_ = 0;
};

// Channels of a sound, and pointers to one of their frames.
struct Sound {
    Sound(int channels, int frames, float value) : rows(static_cast<size_t>(channels)) {
        for (auto& row : rows) row.assign(static_cast<size_t>(frames), value);
    }
    std::vector<float*> at(int frame) {
        std::vector<float*> made;
        for (auto& row : rows) made.push_back(row.data() + frame);
        return made;
    }
    std::vector<std::vector<float>> rows;
};

// Play silence in real time until the engine's state is what it should become, and the fader where it moved it.
void settle(Instance& instance, int state) {
    const double fader = state == RUNNING ? MOVED : 0.0;
    const auto settled = [&] { return instance.state() == state && std::fabs(instance.fader() - fader) < 1e-6; };
    Sound silence(CHANNELS, BLOCK, 0.0f), out(OUTPUTS, BLOCK, 0.0f);
    const auto began = std::chrono::steady_clock::now();
    for (int block = 0; block < LEAST_BLOCKS || (!settled() && block < MOST_BLOCKS); ++block) {
        std::this_thread::sleep_until(began + std::chrono::microseconds(static_cast<int64_t>(block * BLOCK * 1e6 / RATE)));
        instance.process(silence.at(0).data(), out.at(0).data(), BLOCK);
    }
}

// The largest difference of an output from the input of `latency` frames ago, from frame `first` on.
float difference(const Sound& input, const Sound& output, size_t row, int64_t latency, int64_t first, float share) {
    float worst = 0;
    for (int64_t frame = first; frame < FRAMES; ++frame) {
        const float source = frame < latency ? 0.0f : input.rows[row % CHANNELS][static_cast<size_t>(frame - latency)];
        const float off = std::fabs(output.rows[row][static_cast<size_t>(frame)] - share * source);
        worst = off <= worst ? worst : off;
    }
    return worst;
}

void play(const char* format, Instance& instance, bool engine) {
    instance.activate();
    settle(instance, engine ? RUNNING : ABSENT);
    instance.restart(engine);
    const int late_before = instance.late_hops();
    Sound input(CHANNELS, FRAMES, 0.0f), output(OUTPUTS, FRAMES, 7.0f);
    uint32_t random = 1;
    for (auto& row : input.rows)
        for (float& sample : row) sample = static_cast<float>(random = random * 1664525u + 1013904223u) / 4.3e9f - 0.5f;
    for (int done = 0, block = 0; done < FRAMES; ++block) {
        const int frames = std::min(BLOCKS[block % 6], FRAMES - done);
        instance.process(input.at(done).data(), output.at(done).data(), frames);
        done += frames;
    }
    const int64_t latency = instance.latency();
    const size_t full = engine ? 0 : STEMS - 1;  // the output that has all of the sound
    const auto worst = [&](size_t row, int64_t first, float share) {
        return std::max(difference(input, output, row, latency, first, share),
                        difference(input, output, row + 1, latency, first, share));
    };
    std::printf("%s latency %d\n%s main %g\n", format, static_cast<int>(latency), format,
                static_cast<double>(worst(0, 0, 1.0f)));
    for (size_t stem = 0; stem < STEMS; ++stem)
        std::printf("%s %zu %g\n", format, stem,
                    static_cast<double>(worst(CHANNELS * (1 + stem), engine ? 0 : SETTLED, stem == full ? 1.0f : 0.0f)));
    std::printf("%s state %d\n%s late %d\n%s fader %g\n", format, instance.state(), format,
                instance.late_hops() - late_before, format, instance.fader());
}

}  // namespace

int main(int count, char** arguments) {
    require(count > 1, "loader FILE [engine]");
    const bool engine = count > 2;
    play("clap", *std::make_unique<ClapInstance>(arguments[1]), engine);
    {
        const auto instance = std::make_unique<Vst3Instance>(arguments[1]);
        play("vst3", *instance, engine);
        if (engine) instance->automate();
    }
    play("lv2", *std::make_unique<Lv2Instance>(arguments[1]), engine);
    std::printf("done 1\n");
    return 0;
}
