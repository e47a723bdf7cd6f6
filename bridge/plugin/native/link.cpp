#include "link.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "host_start.h"
#include "message.h"
#include "stem_mixer.h"

namespace stream_sep {

namespace {

constexpr int PROTOCOL = 1;
constexpr int64_t EXCHANGE_NS = 20 * MILLISECOND;
constexpr int64_t RETRY_MS = 500;
constexpr int MAX_RETRY_DOUBLINGS = 6;  // so every 32 s at least: each attempt loads a separator
const char* const OTHER_VERSION = "the host's version differs: run 'stream-sep plugin install' again and restart the DAW";

}  // namespace

Link::~Link() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);  // else the thread may miss it just before it waits
        stopped_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Link::request(const SessionSpec& spec) {
    const std::lock_guard<std::mutex> lock(mutex_);
    spec_ = spec;
    ++request_;
    withdraw();
    failure_.clear();
    state_ = State::STARTING;
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    changed_.notify_all();
}

Session* Link::take() {
    return offered_.load(std::memory_order_relaxed) ? offered_.exchange(nullptr, std::memory_order_acq_rel) : nullptr;
}

bool Link::give_back(Session* session) {
    Session* free = nullptr;
    return returned_.compare_exchange_strong(free, session, std::memory_order_acq_rel);
}

std::string Link::failure() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return failure_;
}

void Link::fail(const std::string& why) {
    const std::lock_guard<std::mutex> lock(mutex_);
    failure_ = why;
}

void Link::run() {
    int refusals = 0;
    for (uint64_t served = 0; !stopped_;) {
        SessionSpec spec;
        uint64_t request;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            spec = spec_;
            request = request_;
        }
        if (request != served) refusals = 0;
        served = request;
        refusals = serve(spec, request) ? 0 : std::min(refusals + 1, 1 + MAX_RETRY_DOUBLINGS);
        retire();
        if (current(request)) {
            state_ = State::ABSENT;
            rest(RETRY_MS << std::max(refusals - 1, 0), request);
        }
    }
}

// Use a session until it ends; false if the host refused it.
bool Link::serve(const SessionSpec& spec, uint64_t request) {
    if (!connect(request)) return true;
    state_ = State::STARTING;
    auto session = negotiate(spec, request);
    const bool made = session != nullptr;
    if (made && offer(std::move(session))) {
        fail("");
        state_ = State::RUNNING;
        exchange(request);
    }
    connection_.close();
    return made;
}

bool Link::connect(uint64_t request) {
    if (connection_.open(address_)) return true;
    HostStart& host = HostStart::of(command_file_);
    if (host.begin(environment_)) state_ = State::STARTING;
    while (current(request) && host.pending()) {
        rest(50, request);
        if (connection_.open(address_)) return true;
    }
    fail(host.failure());
    return false;
}

std::unique_ptr<Session> Link::negotiate(const SessionSpec& spec, uint64_t request) {
    const std::string hello = "{\"hello\":" + std::to_string(PROTOCOL) + ",\"model\":" + quoted(spec.model) +
                              ",\"rate\":" + std::to_string(std::lround(spec.rate)) + ",\"block\":" + std::to_string(spec.block) +
                              ",\"latency\":" + std::to_string(spec.played) + ",\"room\":" + std::to_string(spec.latency) +
                              ",\"controls\":{" +
                              client_.changed_controls(true) + "}}";
    connection_.send(hello);
    for (std::string reply; current(request) && connection_.is_open(); collect())
        if (connection_.receive(reply, EXCHANGE_NS)) return map(reply, spec, request);
    fail("the host ended the connection without a reply");
    return nullptr;
}

std::unique_ptr<Session> Link::map(const std::string& reply, const SessionSpec& spec, uint64_t request) {
    Message message;
    const bool read = parse(reply, message);
    fail(read && !message.text("error").empty() ? message.text("error") : OTHER_VERSION);
    if (!read) return nullptr;
    const auto number = [&](const char* key) { return message.whole(key); };
    const RingSizes sizes = {number("channels"), number("stems"), number("hop"), number("capacity"), number("slots")};
    auto session = std::make_unique<Session>();
    if (message.text("name").empty() || !sizes.sane() || sizes.stems != 4) return nullptr;
    fail("the host's memory cannot be opened: run the DAW and the host as the same user, outside of a sandbox");
    if (!session->memory.open(message.text("name"), Rings::bytes(sizes))) return nullptr;
    fail(OTHER_VERSION);
    if (!Rings::matches(session->memory.data(), sizes)) return nullptr;
    session->rings = std::make_unique<Rings>(session->memory.data(), sizes);
    session->separator_latency = number("separator");
    const auto can_read = [&](int64_t latency) {
        return StemMixer::can_read(sizes, session->separator_latency, latency, spec.rate);
    };
    if (!can_read(spec.played) || !can_read(spec.latency)) return nullptr;
    session->request = request;
    return session;
}

void Link::exchange(uint64_t request) {
    std::string last_status;
    while (current(request) && connection_.is_open()) {
        const std::string controls = client_.changed_controls(false), status = client_.status();
        if (!controls.empty()) connection_.send("{\"set\":{" + controls + "}}");
        if (status != last_status) connection_.send("{\"status\":{" + status + "}}");
        last_status = status;
        std::string line;
        if (connection_.receive(line, EXCHANGE_NS)) receive_controls(line);
        collect();
    }
}

void Link::receive_controls(const std::string& line) {
    Message message;
    if (!parse(line, message)) return;
    const std::string prefix = "set\n";
    for (const auto& [key, value] : message.numbers)
        if (key.compare(0, prefix.size(), prefix) == 0) client_.control_received(key.substr(prefix.size()), value);
}

bool Link::offer(std::unique_ptr<Session> session) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!current(session->request)) return false;
    sessions_.push_back(std::move(session));
    offered_.store(sessions_.back().get(), std::memory_order_release);
    return true;
}

void Link::withdraw() {
    if (Session* unused = offered_.exchange(nullptr, std::memory_order_acq_rel)) unused->withdrawn = true;
}

// No more hops follow: withdraw the session that was not taken, mark the others as gone.
void Link::retire() {
    withdraw();
    for (const auto& session : sessions_) session->gone = true;
    collect();
}

void Link::collect() {
    const Session* done = returned_.exchange(nullptr, std::memory_order_acq_rel);
    sessions_.remove_if([done](const auto& session) { return session.get() == done || session->withdrawn; });
}

void Link::rest(int64_t milliseconds, uint64_t request) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(milliseconds), [&] { return !current(request); });
    lock.unlock();
    collect();
}

}  // namespace stream_sep
