// How many bytes a new segment may have: what its file system has free, what the machine has left, and
// what the memory limit of our cgroup leaves, whichever is least.

#pragma once

#include <string>
#include <string_view>

#include "common/config.h"
#include "common/status.h"
#include "supervisor/sizing.h"

namespace dory::supervisor {

// `folder` must be on tmpfs or hugetlbfs; with a memfd it is not looked at.
Result<Room> MeasureRoomFor(const Config& config, const std::string& folder);

// Bytes of "MemAvailable:   12345 kB" or "file 4096", by their first word. 0: there is none.
uint64_t FindBytes(std::string_view text, std::string_view key);

}  // namespace dory::supervisor
