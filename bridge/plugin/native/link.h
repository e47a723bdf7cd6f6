// The way to the engine's host: a thread of its own that connects, asks for a separator, maps the rings, and passes
// controls both ways. The audio thread is handed whole sessions, and hands them back when their sound has faded.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "platform.h"
#include "rings.h"

namespace stream_sep {

// What a separator is asked for.
struct SessionSpec {
    std::string model;
    double rate = 0;
    int64_t block = 0;
    int64_t latency = 0;

    // Whether rings made for `other` do for this too.
    bool fits(const SessionSpec& other) const {
        return model == other.model && rate == other.rate && block <= other.block && latency <= other.latency;
    }
};

// Rings with a separator behind them.
struct Session {
    SharedMemory memory;
    std::unique_ptr<Rings> rings;
    int64_t separator_latency = 0;
    uint64_t request = 0;             // which request it answers
    std::atomic<bool> gone{false};    // the engine ended: no more hops come
    std::atomic<bool> withdrawn{false};  // nobody took it, and nobody will
};

// What the link reads and writes of the plug-in.
class LinkClient {
   public:
    virtual ~LinkClient() = default;
    virtual std::string changed_controls(bool all) = 0;  // the inside of a JSON object, empty where there are none
    virtual std::string status() = 0;                    // as above, to be sent where it is another than before
    virtual void control_received(const std::string& path, double value) = 0;
};

class Link {
   public:
    enum class State { ABSENT, STARTING, RUNNING };

    explicit Link(LinkClient& client) : client_(client) {}
    ~Link();

    // Ask for a session; the one before ends. Not on the audio thread.
    void request(const SessionSpec& spec);

    State state() const { return state_.load(std::memory_order_acquire); }

    // For the audio thread: a new session where there is one, and the end of one that it used.
    Session* take();
    bool give_back(Session* session);

   private:
    void run();
    void serve(const SessionSpec& spec, uint64_t request);
    bool connect(uint64_t request);
    bool start_host();
    std::unique_ptr<Session> negotiate(const SessionSpec& spec, uint64_t request);
    std::unique_ptr<Session> map(const std::string& answer, uint64_t request);
    void exchange(uint64_t request);
    void receive_controls(const std::string& line);
    bool offer(std::unique_ptr<Session> session);
    void withdraw();
    void retire();
    void collect();
    bool current(uint64_t request) const { return !stopped_ && request == request_; }
    void rest(int64_t milliseconds, uint64_t request);

    LinkClient& client_;
    Connection connection_;
    std::thread thread_;
    std::mutex mutex_;
    std::condition_variable changed_;
    SessionSpec spec_;
    std::atomic<uint64_t> request_{0};
    std::atomic<bool> stopped_{false};
    std::atomic<State> state_{State::ABSENT};
    std::atomic<Session*> offered_{nullptr}, returned_{nullptr};
    std::list<std::unique_ptr<Session>> sessions_;  // all that the audio thread may still have
    int64_t next_start_ns_ = 0;
};

}  // namespace stream_sep
