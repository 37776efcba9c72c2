// Whether a lane's regions are what an intake and a kafka worker, killed anywhere, can have left: every
// index in range, every chain whole and nobody else's, no word that only damage explains.
//
// Asked once, before a worker starts with a segment that an earlier dory has left: from then on its
// indices are taken as they are. A damaged record, of the ring or one that waits, or a batch whose crc does
// not hold is not looked for here: those are found, counted and passed where they are read.
//
// Errors: the first thing that does not hold, with its place and what was read.

#pragma once

#include <cstdint>

#include "common/status.h"
#include "shm/segment.h"

namespace dory::shm {

// REQUIRES: the segment is mapped by Role::kCheck, and nobody writes it.
Status CheckSound(const Segment& segment, uint32_t lane);

}  // namespace dory::shm
