// What an unknown section or option of a configuration may have been meant to be.
//
// Each returns the end of an error: "; did you mean X; allowed: X, Y", the first part only where
// something is near.

#pragma once

#include <string>
#include <string_view>

#include "common/option_table.h"

namespace dory {

// `name` is a section's as it was read: "imput:x".
std::string SuggestSection(std::string_view name);

// An option that other sections have is said to be there, whatever is near in this one.
std::string SuggestKey(SectionKind kind, std::string_view key);

}  // namespace dory
