#include "kafka_worker/start.h"

#include "common/crash_point.h"
#include "common/log.h"
#include "kafka_worker/settler.h"
#include "shm/kafka_start.h"
#include "shm/store.h"

namespace dory::kafka {
namespace {

using shm::BatchId;
using shm::BatchState;

void RedoCell(Memory& memory) {
  shm::DiscardCell& cell = memory.consumer->cell;
  auto* const words = reinterpret_cast<uint64_t*>(memory.books);
  shm::Store(words[shm::Load(cell.counter)], shm::Load(cell.value));
  DORY_CRASH_POINT("start.cell_counted");
  memory.receipts.Answer(shm::Load(cell.ticket), static_cast<int16_t>(shm::Load(cell.code)));
  shm::Store(cell.done, shm::Load(cell.position));
  DORY_CRASH_POINT("start.cell_done");
}

// What was written may have arrived: only an acknowledgement will say.
void NoteUnknownOutcomes(Memory& memory, const std::vector<BatchId>& live) {
  for (const BatchId id : live) {
    shm::BatchDescriptor& batch = memory.pool.writable(id);
    if (static_cast<BatchState>(batch.word.state) != BatchState::kSent || batch.attempts == 0) continue;
    shm::Store(batch.unknown_outcome, 1);
    DORY_CRASH_POINT("start.unknown");
  }
}

void SetWord(Memory& memory, BatchId batch, shm::BatchWord word) {
  shm::Store(memory.pool.writable(batch).word, word);
}

}  // namespace

std::vector<BatchId> Recover(Memory& memory) {
  memory.Mark(shm::Step::kStart, shm::Load(memory.consumer->head));
  const shm::KafkaStart plan = shm::PlanKafkaStart(*memory.consumer, memory.pool);
  if (plan.redo_cell) RedoCell(memory);
  memory.pool.Rebuild();
  memory.receipts.Rebuild(memory.pool);
  for (const BatchId batch : plan.to_settle) FinishSettled(memory, batch);
  for (const BatchId batch : plan.to_free) memory.pool.Free(batch);
  if (plan.head != shm::Load(memory.consumer->head)) {
    shm::Store(memory.consumer->head, plan.head);
    DORY_CRASH_POINT("start.head");
  }
  for (const shm::WindowMove& move : plan.waiting) {
    SetWord(memory, move.batch, shm::MakeBatchWord(BatchState::kOpen, move.first, 0));
    DORY_CRASH_POINT("start.first");
    memory.receipts.AnswerUpTo(move.batch, move.first, {.code = shm::CodeOf(shm::Discard::kCorrupt)});
    if (move.first == memory.pool.descriptor(move.batch).commit.count) memory.pool.Free(move.batch);
  }
  NoteUnknownOutcomes(memory, plan.live);
  memory.Mark(shm::Step::kNone, 0);
  return plan.live;
}

}  // namespace dory::kafka
