// The one way a kafka worker starts, whatever ended the one before: carry out what shm/kafka_start.h
// plans, then rebuild the private lists.
//
// On crash: each step is guarded by a state that it ends, so that a start which died anywhere is done
//   again from its beginning.

#pragma once

#include <vector>

#include "kafka_worker/memory.h"

namespace dory::kafka {

// Returns the live batches, by `order`.
std::vector<shm::BatchId> Recover(Memory& memory);

}  // namespace dory::kafka
