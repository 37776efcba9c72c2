// Where the areas of a lane's stream connections lie in their region: the small ones, then the large ones; and which
// bursts are a connection's.

#pragma once

#include <cstdint>

#include "shm/layout.h"

namespace dory::shm {

inline uint64_t AreaCount(const Geometry& geometry) { return uint64_t{geometry.areas} + geometry.large_areas; }

inline bool IsSmallArea(const Geometry& geometry, uint64_t area) { return area < geometry.areas; }

// REQUIRES, as of AreaOffset: area < AreaCount.
inline uint64_t AreaSize(const Geometry& geometry, uint64_t area) {
  return IsSmallArea(geometry, area) ? kAreaSize : geometry.large_area_size;
}

// Bytes from the region's beginning.
inline uint64_t AreaOffset(const Geometry& geometry, uint64_t area) {
  if (IsSmallArea(geometry, area)) return area * kAreaSize;
  return geometry.areas * kAreaSize + (area - geometry.areas) * geometry.large_area_size;
}

inline bool IsOfConnection(Source source) {
  return source == Source::kConnection || source == Source::kConnectionEnd;
}

}  // namespace dory::shm
