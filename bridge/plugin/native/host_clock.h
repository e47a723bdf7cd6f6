// How far a host runs ahead of the clock, and so how long the audio thread may wait for late stems.
//
// Hosts that render faster than real time do not always report it: Ardour's VST3 export does not. One that requests
// blocks faster than they play can be held up until the clock has caught up with it, and no further.
#pragma once

#include <cstdint>

namespace stream_sep {

class HostClock {
   public:
    // A stream begins at `now_ns`.
    void restart(int64_t now_ns) { virtual_ns_ = stream_ns_ = now_ns; }

    // The longest wait, in nanoseconds, for the stems of a block that the host requests at `now_ns`.
    int64_t wait_limit_ns(int64_t now_ns, int64_t frames, double rate, bool offline);

    // The longest wait for an engine that is starting: only for a host that must be rendering, without reporting it.
    int64_t start_limit_ns(int64_t now_ns) const;

   private:
    int64_t virtual_ns_ = 0;  // when the next block would be due, had the host kept to the clock
    int64_t stream_ns_ = 0;
};

}  // namespace stream_sep
