// Messages that may be in a log twice: counted before they are sent again for another reason than that the
// broker would know them by their sequence.
//
// On crash: counted, then no longer unknown. A start between the two finds the outcome unknown and counts
//   again: rather twice than not at all.

#pragma once

#include "kafka_worker/memory.h"
#include "kafka_worker/sender.h"

namespace dory::kafka {

// Nothing where the outcome of the window is not unknown.
void CountPossibleDuplicates(Memory& memory, const SentBatch& sent);

}  // namespace dory::kafka
