// The link to the engine's host: a separate thread connects, requests a separator, maps the rings, and exchanges
// controls. The audio thread takes whole sessions, and gives them back when their sound has faded out.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "platform.h"
#include "rings.h"

namespace stream_sep {

// The requirements on a separator.
struct SessionSpec {
    std::string model;
    double rate = 0;
    int64_t block = 0;
    int64_t latency = 0;  // for which the rings have room, at any block up to `block`
    int64_t played = 0;   // of the activation that requests

    // Whether rings made for `other` can be used.
    bool fits(const SessionSpec& other) const {
        return model == other.model && rate == other.rate && block <= other.block && latency <= other.latency;
    }
};

// Rings with a separator behind them.
struct Session {
    SharedMemory memory;
    std::unique_ptr<Rings> rings;
    int64_t separator_latency = 0;
    uint64_t request = 0;             // number of its request
    std::atomic<bool> gone{false};    // the engine ended: no more hops come
    std::atomic<bool> withdrawn{false};  // never taken, and no longer offered
};

// The link's interface to the plug-in.
class LinkClient {
   public:
    virtual ~LinkClient() = default;
    virtual std::string changed_controls(bool all) = 0;  // members of a JSON object, empty if there are none
    virtual std::string status() = 0;                    // as above; sent when it has changed
    virtual void control_received(const std::string& path, double value) = 0;
};

class Link {
   public:
    enum class State { ABSENT, STARTING, RUNNING };

    explicit Link(LinkClient& client) : client_(client) {}
    ~Link();

    // Request a session; the previous one ends. Not on the audio thread.
    void request(const SessionSpec& spec);

    State state() const { return state_.load(std::memory_order_acquire); }

    // Why there is no session, empty if nothing failed. Not on the audio thread.
    std::string failure() const;

    // For the audio thread: take a new session, if there is one, and give back a used one.
    Session* take();
    bool give_back(Session* session);

   private:
    void run();
    bool serve(const SessionSpec& spec, uint64_t request);
    void fail(const std::string& why);
    bool connect(uint64_t request);
    std::unique_ptr<Session> negotiate(const SessionSpec& spec, uint64_t request);
    std::unique_ptr<Session> map(const std::string& reply, const SessionSpec& spec, uint64_t request);
    void exchange(uint64_t request);
    void receive_controls(const std::string& line);
    bool offer(std::unique_ptr<Session> session);
    void withdraw();
    void retire();
    void collect();
    bool current(uint64_t request) const { return !stopped_ && request == request_; }
    void rest(int64_t milliseconds, uint64_t request);

    LinkClient& client_;
    // Read once: an instance stays with its host, and the environment is not safe to read beside threads that change it.
    const std::string address_ = host_address(), command_file_ = command_file();
    const std::vector<std::string> environment_ = small_environment();
    Connection connection_;
    std::thread thread_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    SessionSpec spec_;
    std::string failure_;
    std::atomic<uint64_t> request_{0};
    std::atomic<bool> stopped_{false};
    std::atomic<State> state_{State::ABSENT};
    std::atomic<Session*> offered_{nullptr}, returned_{nullptr};
    std::list<std::unique_ptr<Session>> sessions_;  // all that the audio thread may still use
};

}  // namespace stream_sep
