// The status for people: the JSON of the supervisor as tables.

#pragma once

#include <string>

#include "common/status.h"

namespace dory::doryctl {

Result<std::string> FormatStatus(const std::string& status_json);

// The same JSON, indented.
Result<std::string> IndentJson(const std::string& json);

}  // namespace dory::doryctl
