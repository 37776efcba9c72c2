// /counters: everything that is counted, one name and one number each, in the old daemon's shape.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "status_http/json_fields.h"

namespace dory::status_http {

struct Counter {
  std::string location;  // "[intake_worker]": the folder whose program counts
  std::string name;
  uint64_t value;
};

// Ours first, then those that the old daemon had under another name and that mean exactly the same.
std::vector<Counter> ListCounters(const Json& status);

std::string FormatCounters(const Json& status, int64_t now);
Json MakeCounters(const Json& status, int64_t now);

}  // namespace dory::status_http
