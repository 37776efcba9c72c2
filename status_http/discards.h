// /discards: what was not delivered, and why, in the old daemon's shape: the running window and the last
// finished one. Before a worker has begun a window there is one that is empty.

#pragma once

#include <cstdint>
#include <string>

#include "status_http/json_fields.h"

namespace dory::status_http {

std::string FormatDiscards(const Json& status, int64_t now);
Json MakeDiscards(const Json& status, int64_t now);

}  // namespace dory::status_http
