// /server_info, and what all old reports begin with: which dory, since when, and now.
//
// Order: pure functions of the status and of now (seconds since 1970), like all reports.

#pragma once

#include <cstdint>
#include <string>

#include "status_http/json_fields.h"

namespace dory::status_http {

// "1795356781 Sun Nov 22 14:13:01 2026", in local time.
std::string FormatTime(int64_t seconds);

// Four lines.
std::string FormatServerInfo(const Json& status, int64_t now);

// pid, version, since, now.
Json MakeServerInfo(const Json& status, int64_t now);

}  // namespace dory::status_http
