// Figures as people read them, in tables and on the page.

#pragma once

#include <cstdint>
#include <string>

namespace dory {

// "64.0 MiB"
std::string FormatBytes(uint64_t bytes);

// "3 h 5 min", "2.5 s"
std::string FormatSeconds(double seconds);

// "1,234,567"
std::string FormatCount(uint64_t count);

}  // namespace dory
