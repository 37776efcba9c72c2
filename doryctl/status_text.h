// The status for people: the JSON of the supervisor as tables.

#pragma once

#include <string>

#include "common/status.h"

namespace dory::doryctl {

Result<std::string> FormatStatus(const std::string& status_json);
Result<std::string> FormatWorkers(const std::string& status_json);

// The same JSON, indented.
Result<std::string> IndentJson(const std::string& json);

// One of its members, indented.
Result<std::string> IndentPart(const std::string& json, const std::string& key);

}  // namespace dory::doryctl
