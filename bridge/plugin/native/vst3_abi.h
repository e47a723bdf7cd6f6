// What the plug-in uses of VST 3 (https://steinbergmedia.github.io/vst3_dev_portal), declared as that interface lays
// it out: tables of functions in a fixed order, each behind an id. VST is a trademark of Steinberg Media Technologies.
#pragma once

#include <cstdint>
#include <cstring>

#ifdef _WIN32
#define VST3_CALL __stdcall
#else
#define VST3_CALL
#endif

namespace vst3 {

using Result = int32_t;
#ifdef _WIN32
constexpr Result OK = 0, FALSE_RESULT = 1, NO_INTERFACE = static_cast<Result>(0x80004002),
                 INVALID = static_cast<Result>(0x80070057), NOT_IMPLEMENTED = static_cast<Result>(0x80004001);
#else
constexpr Result OK = 0, FALSE_RESULT = 1, NO_INTERFACE = -1, INVALID = 2, NOT_IMPLEMENTED = 3;
#endif

// Sixteen bytes; on Windows, the first half is in the byte order of GUIDs.
struct Id {
    uint8_t bytes[16];
    bool operator==(const void* other) const { return std::memcmp(bytes, other, 16) == 0; }
};

constexpr Id make_id(uint32_t first, uint32_t second, uint32_t third, uint32_t fourth) {
    const auto byte = [](uint32_t word, int shift) { return static_cast<uint8_t>(word >> shift); };
#ifdef _WIN32
    return {{byte(first, 0), byte(first, 8), byte(first, 16), byte(first, 24), byte(second, 16), byte(second, 24),
             byte(second, 0), byte(second, 8),
#else
    return {{byte(first, 24), byte(first, 16), byte(first, 8), byte(first, 0), byte(second, 24), byte(second, 16),
             byte(second, 8), byte(second, 0),
#endif
             byte(third, 24), byte(third, 16), byte(third, 8), byte(third, 0), byte(fourth, 24), byte(fourth, 16),
             byte(fourth, 8), byte(fourth, 0)}};
}

using String = char16_t[128];

struct Unknown {
    virtual Result VST3_CALL query(const void* id, void** out) = 0;
    virtual uint32_t VST3_CALL add_ref() = 0;
    virtual uint32_t VST3_CALL release() = 0;
    static constexpr Id ID = make_id(0x00000000, 0x00000000, 0xC0000000, 0x00000046);

   protected:
    ~Unknown() = default;  // objects end with their last reference, never by this
};

struct Base : Unknown {
    virtual Result VST3_CALL initialize(Unknown* context) = 0;
    virtual Result VST3_CALL terminate() = 0;
    static constexpr Id ID = make_id(0x22888DDB, 0x156E45AE, 0x8358B348, 0x08190625);
};

struct FactoryInfo {
    char vendor[64], url[256], email[128];
    int32_t flags;
};

struct ClassInfo {
    uint8_t id[16];
    int32_t cardinality;
    char category[32], name[64];
};

struct ClassInfo2 {
    uint8_t id[16];
    int32_t cardinality;
    char category[32], name[64];
    uint32_t flags;
    char subcategories[128], vendor[64], version[64], sdk_version[64];
};

struct ClassInfoWide {
    uint8_t id[16];
    int32_t cardinality;
    char category[32];
    char16_t name[64];
    uint32_t flags;
    char subcategories[128];
    char16_t vendor[64], version[64], sdk_version[64];
};

struct Factory : Unknown {
    virtual Result VST3_CALL info(FactoryInfo*) = 0;
    virtual int32_t VST3_CALL count() = 0;
    virtual Result VST3_CALL class_info(int32_t index, ClassInfo*) = 0;
    virtual Result VST3_CALL create(const void* class_id, const void* interface_id, void** out) = 0;
    virtual Result VST3_CALL class_info2(int32_t index, ClassInfo2*) = 0;
    virtual Result VST3_CALL class_info_wide(int32_t index, ClassInfoWide*) = 0;
    virtual Result VST3_CALL set_host(Unknown* context) = 0;
    static constexpr Id ID = make_id(0x7A4D811C, 0x52114A1F, 0xAED9D2EE, 0x0B43BF9F);
    static constexpr Id ID2 = make_id(0x0007B650, 0xF24B4C0B, 0xA464EDB9, 0xF00B2ABB);
    static constexpr Id ID3 = make_id(0x4555A2AB, 0xC1234E57, 0x9B122910, 0x36878931);
};

struct Stream : Unknown {
    virtual Result VST3_CALL read(void* out, int32_t bytes, int32_t* got) = 0;
    virtual Result VST3_CALL write(void* bytes, int32_t count, int32_t* wrote) = 0;
    virtual Result VST3_CALL seek(int64_t position, int32_t mode, int64_t* result) = 0;
    virtual Result VST3_CALL tell(int64_t* position) = 0;
};

constexpr int32_t AUDIO = 0, INPUT = 0, MAIN_BUS = 0;
constexpr uint32_t DEFAULT_ACTIVE = 1;

struct BusInfo {
    int32_t media, direction, channels;
    String name;
    int32_t type;
    uint32_t flags;
};

struct RoutingInfo { int32_t media, bus, channel; };

struct Component : Base {
    virtual Result VST3_CALL controller_id(void* id) = 0;
    virtual Result VST3_CALL set_io_mode(int32_t mode) = 0;
    virtual int32_t VST3_CALL bus_count(int32_t media, int32_t direction) = 0;
    virtual Result VST3_CALL bus_info(int32_t media, int32_t direction, int32_t index, BusInfo&) = 0;
    virtual Result VST3_CALL routing_info(RoutingInfo& in, RoutingInfo& out) = 0;
    virtual Result VST3_CALL activate_bus(int32_t media, int32_t direction, int32_t index, uint8_t state) = 0;
    virtual Result VST3_CALL set_active(uint8_t state) = 0;
    virtual Result VST3_CALL set_state(Stream*) = 0;
    virtual Result VST3_CALL get_state(Stream*) = 0;
    static constexpr Id ID = make_id(0xE831FF31, 0xF2D54301, 0x928EBBEE, 0x25697802);
};

constexpr int32_t OFFLINE = 2, SAMPLES_32 = 0;
constexpr uint64_t STEREO = 3;

struct ProcessSetup {
    int32_t mode, sample_size, max_frames;
    double rate;
};

struct BusBuffers {
    int32_t channels;
    uint64_t silence;
    float** samples;
};

struct ParameterQueue : Unknown {
    virtual uint32_t VST3_CALL id() = 0;
    virtual int32_t VST3_CALL count() = 0;
    virtual Result VST3_CALL point(int32_t index, int32_t& offset, double& value) = 0;
    virtual Result VST3_CALL add(int32_t offset, double value, int32_t& index) = 0;
};

struct ParameterChanges : Unknown {
    virtual int32_t VST3_CALL count() = 0;
    virtual ParameterQueue* VST3_CALL queue(int32_t index) = 0;
    virtual ParameterQueue* VST3_CALL add(const uint32_t& id, int32_t& index) = 0;
};

struct ProcessData {
    int32_t mode, sample_size, frames, input_count, output_count;
    BusBuffers *inputs, *outputs;
    ParameterChanges *in_changes, *out_changes;
    void *in_events, *out_events, *context;
};

struct Processor : Unknown {
    virtual Result VST3_CALL set_arrangements(uint64_t* in, int32_t ins, uint64_t* out, int32_t outs) = 0;
    virtual Result VST3_CALL arrangement(int32_t direction, int32_t index, uint64_t& out) = 0;
    virtual Result VST3_CALL can_process(int32_t sample_size) = 0;
    virtual uint32_t VST3_CALL latency() = 0;
    virtual Result VST3_CALL setup(ProcessSetup&) = 0;
    virtual Result VST3_CALL set_processing(uint8_t state) = 0;
    virtual Result VST3_CALL process(ProcessData&) = 0;
    virtual uint32_t VST3_CALL tail() = 0;
    static constexpr Id ID = make_id(0x42043F99, 0xB7DA453C, 0xA569E79D, 0x9AAEC33D);
};

struct ContextRequirements : Unknown {
    virtual uint32_t VST3_CALL requirements() = 0;
    static constexpr Id ID = make_id(0x2A654303, 0xEF764E3D, 0x95B5FE83, 0x730EF6D0);
};

struct ParameterInfo {
    uint32_t id;
    String title, short_title, units;
    int32_t steps;
    double normalized_default;
    int32_t unit, flags;
};

constexpr int32_t CAN_AUTOMATE = 1 << 0, READ_ONLY = 1 << 1, IS_LIST = 1 << 3, IS_BYPASS = 1 << 16;
constexpr int32_t VALUES_CHANGED = 1 << 2, LATENCY_CHANGED = 1 << 3;

struct ComponentHandler : Unknown {
    virtual Result VST3_CALL begin_edit(uint32_t id) = 0;
    virtual Result VST3_CALL perform_edit(uint32_t id, double normalized) = 0;
    virtual Result VST3_CALL end_edit(uint32_t id) = 0;
    virtual Result VST3_CALL restart(int32_t flags) = 0;
};

struct Controller : Base {
    virtual Result VST3_CALL set_component_state(Stream*) = 0;
    virtual Result VST3_CALL set_controller_state(Stream*) = 0;
    virtual Result VST3_CALL get_controller_state(Stream*) = 0;
    virtual int32_t VST3_CALL parameter_count() = 0;
    virtual Result VST3_CALL parameter_info(int32_t index, ParameterInfo&) = 0;
    virtual Result VST3_CALL to_text(uint32_t id, double normalized, char16_t* out) = 0;
    virtual Result VST3_CALL from_text(uint32_t id, char16_t* text, double& normalized) = 0;
    virtual double VST3_CALL to_plain(uint32_t id, double normalized) = 0;
    virtual double VST3_CALL to_normalized(uint32_t id, double plain) = 0;
    virtual double VST3_CALL get_normalized(uint32_t id) = 0;
    virtual Result VST3_CALL set_normalized(uint32_t id, double normalized) = 0;
    virtual Result VST3_CALL set_handler(ComponentHandler*) = 0;
    virtual void* VST3_CALL create_view(const char* name) = 0;
    static constexpr Id ID = make_id(0xDCD7BBE3, 0x7742448D, 0xA874AACC, 0x979C759E);
};

static_assert(sizeof(Id) == 16 && sizeof(FactoryInfo) == 452 && sizeof(ClassInfo) == 116 &&
                  sizeof(ClassInfo2) == 440 && sizeof(ClassInfoWide) == 696 && sizeof(BusInfo) == 276 &&
                  sizeof(RoutingInfo) == 12 && sizeof(ParameterInfo) == 792,
              "the layout of VST 3's structures");
static_assert(sizeof(void*) != 8 ||
                  (sizeof(ProcessSetup) == 24 && sizeof(BusBuffers) == 24 && sizeof(ProcessData) == 80),
              "the layout of VST 3's structures");

}  // namespace vst3
