// The lines exchanged with the engine's host: JSON objects of texts and numbers, one level deep or two.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace stream_sep {

// A parsed message: keys, those of an object inside joined by a line break, to texts and to numbers.
struct Message {
    std::map<std::string, std::string> texts;
    std::map<std::string, double> numbers;

    bool has_number(const std::string& key) const { return numbers.count(key) > 0; }
    double number(const std::string& key, double otherwise = 0) const;
    // A whole number that a double holds exactly; -1 where it is absent or another.
    int64_t whole(const std::string& key) const;
    std::string text(const std::string& key) const;
};

// Parse a line; false if it is not such an object. Lists are skipped.
bool parse(const std::string& line, Message& message);

std::string quoted(const std::string& text);

// A number with these decimals, and as JSON; in any locale of the host.
std::string decimal_text(double value, int decimals);
std::string number_text(double value);

}  // namespace stream_sep
