// Which regions a segment has: one table of kinds, and the list that follows from a geometry.

#pragma once

#include <vector>

#include "shm/layout.h"
#include "shm/segment.h"

namespace dory::shm {

struct RegionSpec {
  RegionKind kind;
  const char* name;
  Role writer;
  uint32_t readers;  // bit per Role
  bool per_lane;     // else one for the segment
  bool in_core_dumps;
  uint64_t (*size)(const Geometry&);  // 0: not part of this layout's segments yet
};

const RegionSpec& SpecOf(RegionKind kind);

// Every region of a segment, in file order. WorkerPage and Report regions come twice a lane, the
// intake's first: their `lane` is the worker's index.
std::vector<RegionEntry> ListRegions(const Geometry& geometry, uint64_t align);

}  // namespace dory::shm
