// Columns of text: the first to the left, the others to the right, as figures are read.

#pragma once

#include <string>
#include <vector>

namespace dory::doryctl {

// The first row is the heading. Every row has as many cells. "" for no rows.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace dory::doryctl
