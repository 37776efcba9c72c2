// How large the segment becomes: the configured sizes, or what fits where they are only defaults.
// Pure functions of the configuration and the room.

#pragma once

#include <cstdint>
#include <string>

#include "common/config.h"
#include "common/status.h"
#include "shm/layout.h"

namespace dory::supervisor {

struct Room {
  uint64_t bytes = 0;  // that a new segment may have
  uint64_t align = 0;
  std::string where;   // "/dev/shm", "the cgroup's memory.max"
};

struct Sizing {
  shm::Geometry geometry{};
  bool shrunk = false;
};

// What the configuration asks for.
shm::Geometry WantedGeometry(const Config& config);

// The largest geometry that fits: sizes that the file set stay, default ones shrink in steps down to
// 4 MiB of ring and 16 MiB of pool. Refused with what is needed and what is there.
Result<Sizing> FitGeometry(const Config& config, const Room& room);

// What of an existing segment is not as this configuration wants it; empty: nothing. A size that was
// only shrunk to fit is as wanted as long as the default does not fit.
std::string DescribeDifference(const Config& config, const shm::Geometry& existing, const Room& room);

// The configuration as the segment makes it: its sizes, and message limits that fit them. Where the
// segment is as wanted (`pending` false), a limit that the file set and that does not fit is refused.
Result<Config> ConfigForSegment(const Config& config, const shm::Geometry& geometry, bool pending);

}  // namespace dory::supervisor
