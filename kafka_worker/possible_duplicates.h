// Messages that may be in a log twice: counted before they are sent again for another reason than that the
// broker would know them by their sequence.
//
// On crash: counted, then no longer unknown. A start between the two finds the outcome unknown and counts
//   again: rather twice than not at all.

#pragma once

#include "kafka_worker/memory.h"
#include "kafka_worker/sent_batch.h"

namespace dory::kafka {

// The window goes on as if it had never been sent. Nothing where its outcome is not unknown.
void CountPossibleDuplicates(Memory& memory, const SentBatch& sent);

// It goes again under its sequence, to a broker that may have forgotten it: the outcome stays unknown. What
// was counted so is not counted again before it is settled.
void CountRepetition(Memory& memory, const SentBatch& sent);

}  // namespace dory::kafka
