// The parameter changes of a VST3 block in the order of their frames. Each point is read once: a host that draws
// automation sends one for every few frames.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "parameters.h"
#include "vst3_abi.h"

namespace stream_sep {

class Vst3Changes {
   public:
    static constexpr int32_t NEVER = INT32_MAX;

    explicit Vst3Changes(vst3::ParameterChanges* changes) {
        const int32_t queues = changes ? changes->count() : 0;
        for (int32_t number = 0; number < queues && count_ < cursors_.size(); ++number) {
            vst3::ParameterQueue* queue = changes->queue(number);
            const int index = queue ? index_of_id(queue->id()) : -1;
            if (index < 0) continue;
            Cursor& cursor = cursors_[count_++];
            cursor = {queue, index, 0, queue->count(), 0, 0};
            cursor.advance();
        }
    }

    // The frame of the next change that was not taken; `NEVER` if there is none.
    int32_t next() const {
        int32_t frame = NEVER;
        for (size_t number = 0; number < count_; ++number) frame = std::min(frame, cursors_[number].frame);
        return frame;
    }

    // Call `set(index, normalized)` for each change up to a frame; of one parameter and frame the last is the last.
    template <typename Set>
    void take(int32_t frame, Set set) {
        for (size_t number = 0; number < count_; ++number)
            for (Cursor& cursor = cursors_[number]; cursor.frame != NEVER && cursor.frame <= frame; cursor.advance())
                set(cursor.index, cursor.value);
    }

   private:
    struct Cursor {
        vst3::ParameterQueue* queue;
        int index;
        int32_t read, points, frame;
        double value;

        void advance() {
            for (frame = NEVER; read < points && frame == NEVER;)
                if (queue->point(read++, frame, value) != vst3::OK) frame = NEVER;
        }
    };

    std::array<Cursor, PARAMETERS> cursors_;  // a host has one queue a parameter
    size_t count_ = 0;
};

}  // namespace stream_sep
