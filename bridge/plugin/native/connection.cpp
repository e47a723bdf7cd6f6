#include "platform.h"

namespace stream_sep {

bool Connection::take_line(std::string& line) {
    const size_t end = buffer_.find('\n');
    if (end == std::string::npos) return false;
    line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    return true;
}

bool Connection::receive(std::string& line, int64_t wait_ns) {
    while (open_) {
        if (take_line(line)) return true;
        if (!wait_readable(wait_ns) || !read_some()) return false;
    }
    return false;
}

}  // namespace stream_sep
