#include "message.h"

#include <cmath>
#include <cstdlib>

namespace stream_sep {

namespace {

constexpr int DEEPEST = 8;
constexpr double MAX_WHOLE = 9007199254740992.0;  // 2^53

class Reader {
   public:
    Reader(const std::string& text, Message& message) : text_(text), message_(message) {}

    bool read() {
        skip_space();
        return object("", 0) && (skip_space(), at_ == text_.size());
    }

   private:
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void skip_space() {
        while (peek() == ' ' || peek() == '\t' || peek() == '\r') ++at_;
    }
    bool take(char expected) {
        skip_space();
        if (peek() != expected) return false;
        ++at_;
        return true;
    }
    bool word(const std::string& expected) {
        if (text_.compare(at_, expected.size(), expected) != 0) return false;
        at_ += expected.size();
        return true;
    }

    bool object(const std::string& prefix, int depth) {
        if (!take('{') || depth > DEEPEST) return false;
        if (take('}')) return true;
        do {
            std::string key;
            skip_space();
            if (!text(key) || !take(':') || !value(prefix + key, depth)) return false;
        } while (take(','));
        return take('}');
    }

    bool list(const std::string& key, int depth) {
        if (!take('[') || depth > DEEPEST) return false;
        if (take(']')) return true;
        do {
            if (!value(key + "\n[]", depth)) return false;
        } while (take(','));
        return take(']');
    }

    bool value(const std::string& key, int depth) {
        skip_space();
        if (peek() == '{') return object(key + "\n", depth + 1);
        if (peek() == '[') return list(key, depth + 1);
        if (peek() == '"') return text(message_.texts[key]);
        if (word("null")) return true;
        if (word("true")) return message_.numbers[key] = 1, true;
        if (word("false")) return message_.numbers[key] = 0, true;
        return number(message_.numbers[key]);
    }

    bool text(std::string& out) {
        out.clear();
        if (!take('"')) return false;
        while (at_ < text_.size()) {
            const char next = text_[at_++];
            if (next == '"') return true;
            if (next == '\\' && !escape(out)) return false;
            if (next != '\\') out += next;
        }
        return false;
    }

    bool escape(std::string& out) {
        const char next = peek();
        ++at_;
        if (next == 'u') {  // not used by the protocol; insert a placeholder
            out += '?';
            at_ += 4;
            return at_ <= text_.size();
        }
        out += next == 'n' ? '\n' : next == 't' ? '\t' : next;
        return next != '\0';
    }

    // By hand: the C library expects a comma in some locales of the host.
    bool number(double& out) {
        const double sign = peek() == '-' ? (++at_, -1.0) : 1.0;
        if (peek() < '0' || peek() > '9') return false;
        double whole = 0, digits = 0;
        while (peek() >= '0' && peek() <= '9') whole = 10 * whole + (text_[at_++] - '0');
        if (peek() == '.')
            for (++at_; peek() >= '0' && peek() <= '9'; --digits) whole = 10 * whole + (text_[at_++] - '0');
        if (peek() == 'e' || peek() == 'E') {
            ++at_;
            const double direction = peek() == '-' ? -1 : 1;
            if (peek() == '-' || peek() == '+') ++at_;
            double exponent = 0;
            while (peek() >= '0' && peek() <= '9') exponent = 10 * exponent + (text_[at_++] - '0');
            digits += direction * exponent;
        }
        out = sign * (digits < 0 ? whole / std::pow(10.0, -digits) : whole * std::pow(10.0, digits));
        return std::isfinite(out);
    }

    const std::string& text_;
    Message& message_;
    size_t at_ = 0;
};

}  // namespace

double Message::number(const std::string& key, double otherwise) const {
    const auto found = numbers.find(key);
    return found == numbers.end() ? otherwise : found->second;
}

int64_t Message::whole(const std::string& key) const {
    const double found = number(key, -1);
    const bool exact = found >= 0 && found <= MAX_WHOLE && found == std::floor(found);
    return exact ? static_cast<int64_t>(found) : -1;
}

std::string Message::text(const std::string& key) const {
    const auto found = texts.find(key);
    return found == texts.end() ? "" : found->second;
}

bool parse(const std::string& line, Message& message) { return Reader(line, message).read(); }

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char next : text) {
        if (next == '"' || next == '\\') out += '\\';
        out += static_cast<unsigned char>(next) < 0x20 ? ' ' : next;
    }
    return out + "\"";
}

std::string decimal_text(double value, int decimals) {
    const long long scale = std::llround(std::pow(10.0, decimals)), units = std::llround(value * static_cast<double>(scale));
    const std::string whole = (units < 0 ? "-" : "") + std::to_string(std::llabs(units) / scale);
    const std::string part = std::to_string(scale + std::llabs(units) % scale).substr(1);
    return decimals > 0 ? whole + "." + part : whole;
}

std::string number_text(double value) { return decimal_text(value, 6); }

}  // namespace stream_sep
