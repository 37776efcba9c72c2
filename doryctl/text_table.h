// Columns of text: the first to the left, the others to the right, as figures are read.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dory::doryctl {

// The first row is the heading. Every row has as many cells. "" for no rows.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

// "64.0 MiB"
std::string FormatBytes(uint64_t bytes);

// "3 h 5 min", "2.5 s"
std::string FormatSeconds(double seconds);

}  // namespace dory::doryctl
