// What is said of discards and possible duplicates beside their counters: timestamps for the discard report
// (shm/report.h), and the discard log's lines.
//
// Noted before they are counted. Nothing of this is asked of a message that is delivered. Of records that are
// not what they were, neither is known.

#pragma once

#include "kafka_worker/memory.h"
#include "shm/record.h"

namespace dory::kafka {

// One that did not come into a batch of its topic.
void NoteDiscarded(Memory& memory, const shm::MessageView& message, shm::Discard reason);

// The window of a batch.
void NoteWindowDiscarded(Memory& memory, shm::BatchId batch, shm::Discard reason);
void NoteWindowDuplicated(Memory& memory, shm::BatchId batch);

}  // namespace dory::kafka
