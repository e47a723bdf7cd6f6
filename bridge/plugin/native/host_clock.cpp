#include "host_clock.h"

#include <algorithm>
#include <cmath>

#include "platform.h"

namespace stream_sep {

namespace {

constexpr int64_t MAX_WAIT_NS = 2000 * MILLISECOND;
constexpr int64_t NEAR_NS = 2 * MILLISECOND;   // at a stream's start, a host this far ahead can wait
constexpr int64_t FAR_NS = 100 * MILLISECOND;  // later only one this far ahead: a driver catches up after a stall
constexpr int64_t MARGIN_NS = 20 * MILLISECOND;
constexpr int64_t SETTLED_NS = 500 * MILLISECOND;

int64_t far_limit_ns(int64_t ahead) {
    return ahead > FAR_NS ? std::min(ahead - MARGIN_NS, MAX_WAIT_NS) : 0;
}

}  // namespace

int64_t HostClock::wait_limit_ns(int64_t now_ns, int64_t frames, double rate, bool offline) {
    virtual_ns_ = std::max(virtual_ns_, now_ns);
    const int64_t ahead = virtual_ns_ - now_ns;
    virtual_ns_ += std::llround(1e9 * static_cast<double>(frames) / rate);
    if (offline) return MAX_WAIT_NS;
    if (now_ns - stream_ns_ < SETTLED_NS) return ahead > NEAR_NS ? std::min(ahead, MAX_WAIT_NS) : 0;
    return far_limit_ns(ahead);
}

int64_t HostClock::start_limit_ns(int64_t now_ns) const { return far_limit_ns(virtual_ns_ - now_ns); }

}  // namespace stream_sep
