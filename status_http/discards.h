// /discards: what was not delivered, and why, in the old daemon's shape.
//
// Windows, first and last timestamps, and the beginnings of bad messages are not kept yet. So there is one
// unfinished report, of all since the buffer was made, and no finished one; `interval` and timestamps are
// 0 and the lists of recent messages empty.

#pragma once

#include <cstdint>
#include <string>

#include "status_http/json_fields.h"

namespace dory::status_http {

std::string FormatDiscards(const Json& status, int64_t now);
Json MakeDiscards(const Json& status, int64_t now);

}  // namespace dory::status_http
